"""The next step of a data set's loop, as a page ends with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui import next_step, roles
from app.ui.escape import prose
from app.ui.messages import for_reader
from app.ui.runs import pipeline, retry, state

if TYPE_CHECKING:
    from app.services.loop_state import Loop, LoopStep
    from slim_core.evaluation.two_models import Verdict
    from slim_core.store import Run
    from slim_core.store.members import Role

ENDED = {"failed": "failed", "stopped": "was stopped"}  # of a step or run, by its state
OPENS_FORM = "new"  # a link with it opens the form of Train; in the address until a training is submitted


def show(
    loop: Loop, verdict: Verdict | None = None, *, below_pipelines: bool = False, below_tries: bool = False
) -> None:
    """The one next thing, with a link to where it is done.

    ``verdict``: whether the complete loop's result is better; ``below_pipelines``, ``below_tries``: the page shows
    those, too.
    """
    step = loop.next
    if step is None and verdict is not None and verdict.better is not True:
        ways = "try one of the steps under *Try next*, or compare the models" if below_tries else "compare the models"
        next_step.show(f"this result is not shown to be better: {ways}.", "compare", "Compare")
    elif step is None:
        next_step.show("the loop is complete: compare the models.", "compare", "Compare")
    elif step.state == "running" and step.run is not None:
        page = "train" if step.run.kind == "train" else "jobs"
        how = "waiting in the queue" if step.run.status == "queued" else "running"
        next_step.show(f"The {step.title} step is {how}.", page, "Watch", run=step.run.id)
    elif step.state in ("failed", "stopped") and step.run is not None:
        run = state.cause_of(step.run)
        is_above = below_pipelines and run.id in pipeline.resumable(run.dataset_id)
        why = f": {prose(for_reader(run.message))}" if step.state == "failed" and run.message and not is_above else "."
        unfinished(f"The {step.title} step {ENDED[step.state]}{why}", run, is_above, step.page, step.params)
    else:
        next_step.show(roles.can(_whose(step, loop), step.todo), step.page, step.action, **step.params)


def _whose(step: LoopStep, loop: Loop) -> Role:
    """The role that a step takes: a campaign is opened before there are images to answer."""
    if step.name == "compare":
        return "viewer"
    return "annotator" if step.name == "annotate" and loop.campaign is not None else "lead"


def unfinished(sentence: str, run: Run, is_above: bool, page: str, params: Mapping[str, str]) -> None:
    """The box of a step that has no result, with the two ways on: the same again, or other settings.

    ``sentence``: what became of the step; ``run``: the one that ended it; ``is_above``: the page shows a button that
    resumes it; ``page`` and ``params``: where the settings are.
    """
    may = session.viewer().may("lead")
    with st.container(border=True, key="loop-unfinished"):
        st.markdown(f"**Next:** {sentence} {_again(run, may, is_above)}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if may:
                retry.remedy_button(run)
            if may and not is_above:
                retry.button(run)
            if may:
                next_step.link(page, "Other settings", icon="tune", **params, **_OPENS_FORM.get(page, {}))
            if not is_above:
                next_step.link("jobs", "See the log", icon="notes", run=run.id)


def _again(run: Run, may: bool, is_above: bool) -> str:
    """What may be done about it, by whom: ``may`` they queue it, and ``is_above`` the button that does."""
    if not may:
        return "A lead can retry it, or choose other settings."
    again, changes = "*Resume* it above" if is_above else f"{retry.label(run)} it", retry.known_remedy(run)
    if retry.is_refused(run):
        return f"Choose other settings; {again[0].lower() + again[1:]} once the cause is fixed."
    if not changes:
        return f"{again}, or choose other settings."
    return f"{retry.remedy_label(changes)}, {again if is_above else 'retry it'}, or choose other settings."


_OPENS_FORM = {"train": {OPENS_FORM: "1"}}  # where it is folded away beside a run
