"""Who answered a campaign, and what it cost people: the same words wherever a page counts answers or minutes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

NOBODY = "–"  # instead of minutes, where no person has answered
HELP = "Minutes of annotation. Pauses count for one minute at most, answers of the simulated annotator for none."


def minutes(progress: Mapping[str, Any]) -> str:
    """Minutes of people (``progress``: of store.campaigns.progress); a dash where all answers are simulated."""
    only_simulated = progress["simulated"] and progress["simulated"] == progress["answers"]
    return NOBODY if only_simulated else f"{progress['minutes']:.1f}"


def note(progress: Mapping[str, Any]) -> None:
    """One line where answers are simulated; nothing where people gave all of them."""
    if progress["simulated"]:
        of = "All" if progress["simulated"] == progress["answers"] else f"{progress['simulated']:,} of"
        text = (
            f"{of} {progress['answers']:,} answers come from the simulated annotator, which reads them off the masks."
        )
        st.caption(text)


def took(progress: Mapping[str, Any]) -> str:
    """At the end of a sentence: in how many minutes, or that no person worked on it."""
    spent = minutes(progress)
    return "by the simulated annotator" if spent == NOBODY else f"in {spent} minutes of work"
