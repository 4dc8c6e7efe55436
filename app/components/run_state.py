"""A run's status in one word and one colour, the same on every page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

if TYPE_CHECKING:
    from slim_core.store import Run

ACTIVE = ("queued", "running", "stopping")

Colour = Literal["gray", "blue", "orange", "green", "red"]
# status -> (colour, icon, word)
LOOKS: dict[str, tuple[Colour, str, str]] = {
    "queued": ("gray", "schedule", "queued"),
    "running": ("blue", "play_circle", "running"),
    "stopping": ("orange", "stop_circle", "stopping"),
    "done": ("green", "check_circle", "done"),
    "failed": ("red", "error", "failed"),
    "canceled": ("gray", "cancel", "canceled"),
}

SYMBOLS = {"queued": "○", "running": "▶", "stopping": "■", "done": "✓", "failed": "✗", "canceled": "–"}  # in tables


def show(status: str) -> None:
    """The status as a badge."""
    colour, icon, word = LOOKS[status]
    st.badge(word, icon=f":material/{icon}:", color=colour)


def markdown(status: str) -> str:
    """The status as a badge inside other text."""
    colour, icon, word = LOOKS[status]
    return f":{colour}-badge[:material/{icon}: {word}]"


def is_active(run: Run) -> bool:
    """True while something may still happen to the run by itself."""
    return run.status in ACTIVE
