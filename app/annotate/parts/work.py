"""Who answered a campaign, and what it cost people: the same words wherever a page counts answers or minutes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from slim_core.formatting import rounded
from slim_core.store.campaigns.overlap import n_answered

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign
    from slim_core.store.campaigns.annotation_cost import AnnotationCost

NOT_KNOWN = "–"  # instead of minutes, where no answer has a time
HELP = (
    "Minutes that people spent. A pause counts as one minute at most; a simulated answer as "
    "none, and so does one whose time is not known, from a file or for a whole selection."
)


def minutes(spent: AnnotationCost) -> str:
    """The minutes of people; a dash where no answer has a time."""
    return NOT_KNOWN if spent.minutes != spent.minutes else rounded(spent.minutes)


def metric(place: DeltaGenerator, campaign: Campaign, progress: Mapping[str, Any]) -> None:
    """How many images are answered: by as many annotators as the campaign asks for, while it is open."""
    about = None
    if campaign.overlap > 1:
        about = f"{progress['done']:,} by {campaign.overlap} annotators each, {progress['answered']:,} by at least one."
    of = f"{n_answered(campaign, progress):,} of {progress['total']:,}"
    place.metric("Answered", of, border=True, help=about)


def note(progress: Mapping[str, Any]) -> None:
    """One line where answers are simulated; nothing where people gave all of them."""
    if progress["simulated"]:
        of = "All" if progress["simulated"] == progress["answers"] else f"{progress['simulated']:,} of"
        text = (
            f"{of} {progress['answers']:,} answers come from the simulated annotator, which reads them off the masks."
        )
        st.caption(text)


def took(spent: AnnotationCost) -> str:
    """At the end of a sentence about images: in how many minutes, or that no person worked on it."""
    if spent.simulated and not spent.people:
        return "by the simulated annotator"
    shown = minutes(spent)
    return "in a time that is not known" if shown == NOT_KNOWN else f"in {shown} minutes of work"
