"""What a page needs of an earlier step, where there is none yet."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui import next_step
from app.ui.runs import outcome, progress


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
    under_way = [progress.show(dataset=dataset, kind=kind, without=without) for kind in kinds]
    if any(under_way):
        next_step.here("wait for the run above; you can close this page. It goes on when the run has ended.")
    else:
        st.info(missing)
        for kind in kinds:
            for newest in session.store().runs.all(kind=kind, dataset=dataset, limit=1, metrics=False):
                if newest.status == "failed":
                    outcome.show(newest)
        next_step.show(todo, page, label, dataset=dataset)
