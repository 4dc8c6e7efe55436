"""What a page needs of an earlier step, where there is none yet, and why it failed."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.links import next_step
from app.ui.runs import outcome, progress, state, submit

_BEFORE = {"space": ("gradcam", "features"), "gradcam": ("train",)}  # a step -> those that it needs


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
        say_failure(dataset, kinds)
        next_step.show(todo, page, label, dataset=dataset)


def say_failure(dataset: str, kinds: tuple[str, ...], *, button: str = "") -> None:
    """Why the newest run of these steps failed, else of the steps before them; nothing where it did not fail.

    ``button``: the key of the one on this page that submits such a run (submit.button), and says it below itself.
    """
    while kinds:
        runs = [run for kind in kinds for run in session.store().runs.all(kind=kind, dataset=dataset, metrics=False)]
        if runs:
            newest = max(runs, key=lambda run: run.created_at)
            if newest.status == "failed" and st.session_state.get(submit.sent_by(button)) != newest.id:
                outcome.show(newest)
            return
        kinds = _BEFORE.get(kinds[0], ())
