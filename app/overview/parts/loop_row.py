"""The loop as a row of steps with their state."""

from __future__ import annotations

import streamlit as st

from app.services.loop_state import Loop, LoopStep
from app.ui import next_step
from app.ui.escape import verbatim
from slim_core.data.names import shortened

LETTERS = 60  # of the name of a run: six lines of a card, whose row is as high as its highest

# state -> (icon, colour, label)
_BADGES = {
    "done": ("check_circle", "green", "done"),
    "running": ("pending", "blue", "in progress"),
    "failed": ("error", "red", "failed"),
    "stopped": ("stop_circle", "gray", "stopped"),
    "open": ("radio_button_unchecked", "gray", "to do"),
}
_QUEUED = ("schedule", "blue", "queued")  # what waits is not in progress


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
    waits = step.run is not None and step.run.status == "queued"
    if waits:
        icon, colour, label = _QUEUED
    next_step.link(step.page, f"{position} **{step.title}**", icon="", **step.params)
    st.markdown(f":{colour}[:material/{icon}: {label}]")
    note = "" if waits else shortened(step.note, LETTERS)
    st.caption(verbatim(note) or " ", help=verbatim(step.note) if note not in ("", step.note) else None)
