"""The loop as a row of steps with their state, and the one next thing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app.services.loop_state import Loop, LoopStep
from app.ui import next_step
from app.ui.escape import verbatim

if TYPE_CHECKING:
    from slim_core.evaluation.report.story import Verdict

# state -> (icon, colour, label)
_BADGES = {
    "done": ("check_circle", "green", "done"),
    "running": ("pending", "blue", "in progress"),
    "failed": ("error", "red", "failed"),
    "stopped": ("stop_circle", "gray", "stopped"),
    "open": ("radio_button_unchecked", "gray", "to do"),
}


def show(loop: Loop) -> None:
    """All steps; the next one is marked."""
    columns = st.columns(len(loop.steps), gap="small")
    for position, (column, step) in enumerate(zip(columns, loop.steps, strict=True), start=1):
        with column.container(border=True, height="stretch", key=f"loop-{step.name}"):
            _card(position, step, is_next=step is loop.next)


def _card(position: int, step: LoopStep, *, is_next: bool) -> None:
    icon, colour, label = _BADGES[step.state]
    if is_next and step.state == "open":
        icon, colour, label = "arrow_circle_right", "orange", "next"
    next_step.link(step.page, f"{position} **{step.title}**", icon="", **step.params)
    st.markdown(f":{colour}[:material/{icon}: {label}]")
    st.caption(verbatim(step.note) or " ")


def show_next(loop: Loop, found: Verdict | None = None) -> None:
    """The one next thing, with a link to where it is done. ``found``: whether the complete loop's result is better."""
    step = loop.next
    if step is None and found is not None and found.better is not True:
        text = "this result is not shown to be better. Try one of the steps under *Try next*, or compare the models."
        next_step.show(text, "compare", "Compare")
    elif step is None:
        next_step.show("the loop is complete: compare the models.", "compare", "Compare")
    elif step.state == "running" and step.run is not None:
        page = "train" if step.run.kind == "train" else "jobs"
        how = "waiting in the queue" if step.run.status == "queued" else "running"
        next_step.show(f"The {step.title} step is {how}.", page, "Watch", run=step.run.id)
    elif step.state == "failed" and step.run is not None:
        next_step.show(
            f"The {step.title} step failed. Read its log, then retry it.", "jobs", "See the log", run=step.run.id
        )
    elif step.state == "stopped" and step.run is not None:
        text = f"The {step.title} step was stopped. Resume it, or start another."
        next_step.show(text, "jobs", "Open the run", run=step.run.id)
    else:
        next_step.show(step.todo, step.page, step.action, **step.params)
