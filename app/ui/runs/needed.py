"""What a page needs of an earlier step, where there is none yet."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.links import next_step
from app.ui.runs import outcome, progress, state


def show(
    dataset: str,
    kinds: tuple[str, ...],
    missing: str,
    todo: str,
    page: str,
    label: str,
    *,
    without: frozenset[str] = frozenset(),
) -> None:
    """The runs that make it, where some are under way; else what is missing, why, and the way to the page of that step.

    ``without``: runs that are shown elsewhere on the page.
    """
    runs = [run for kind in kinds for run in session.store().runs.all(kind=kind, dataset=dataset, metrics=False)]
    for kind in kinds:
        progress.show(dataset=dataset, kind=kind, without=without)
    if active := [run.id for run in runs if state.is_active(run)]:
        progress.wait(active, "wait for the run above; you can close this page. The next step appears when it ends.")
    else:
        st.info(missing)
        if runs and (newest := max(runs, key=lambda run: run.created_at)).status == "failed":
            outcome.show(newest)
        next_step.show(todo, page, label, dataset=dataset)
