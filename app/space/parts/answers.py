"""One answer to all selected images that an open campaign asks about, and its undoing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.ui import reruns
from app.ui.escape import verbatim
from slim_core.errors import ForbiddenError
from slim_core.formatting import counted
from slim_core.store import AnswerIn
from slim_core.store.campaigns.rows import CampaignClosedError
from slim_core.store.campaigns.values import NAMED
from slim_core.store.database import new_id

if TYPE_CHECKING:
    from slim_core.store import Campaign

SOURCE = "space"


def show(data: SpaceData, selected: np.ndarray, campaign: Campaign) -> None:
    """What would be answered, with its number, and the button that does so."""
    items = asked_about(data, selected, campaign)
    text = f"**{len(items):,}** of {len(selected):,} selected images are part of {verbatim(campaign.name)}."
    st.markdown(text if items else f"No selected image is part of {verbatim(campaign.name)}.")
    value = st.segmented_control("Their attention is", list(NAMED), key="space-answer-value", width="content")
    label = f"Answer {counted(len(items), 'image')}: {value}" if value else "Choose an answer"
    if reruns.button_once(label, key="space-answer", type="primary", disabled=not (items and value)):
        given, n_over_quota = answer(campaign.id, items, NAMED[str(value)])
        st.session_state["space-answered"] = (campaign.id, given)
        late = f", {n_over_quota:,} of them over quota (not counted)" if n_over_quota else ""
        st.session_state["space-said"] = f"{counted(len(items), 'image')} answered: {value}{late}."
        st.rerun()
    of_campaign, given = st.session_state.get("space-answered", ("", []))
    if not given or of_campaign != campaign.id:
        return
    if st.button(f"Undo the last {counted(len(given), 'answer')}", key="space-undo"):
        n = take_back(campaign.id, given)
        del st.session_state["space-answered"]
        stays = "" if n == len(given) else " What was answered since stays."
        st.session_state["space-said"] = f"{counted(n, 'answer')} undone.{stays}"
        st.rerun()


def why_not(campaign: Campaign | None) -> str | None:
    """Why this viewer cannot answer the campaign, in a sentence; None where they can."""
    if campaign is None or campaign.status != "open":
        return "Requires an open campaign of this space."
    try:
        campaign.require_open(datetime.now(UTC))
        campaign.require_annotator(session.acting_as("annotator"))
    except (CampaignClosedError, ForbiddenError) as error:
        return verbatim(str(error))
    return None


def asked_about(data: SpaceData, selected: np.ndarray, campaign: Campaign) -> list[int]:
    """Ids of the campaign's items whose image is selected."""
    items = session.store().campaigns.items(campaign.id)
    inside = np.isin([item.row for item in items], data.rows[selected])
    return [item.id for item, chosen in zip(items, inside, strict=True) if chosen]


def answer(campaign: str, items: list[int], value: int) -> tuple[list[str], int]:
    """Give every item this answer in the viewer's name (needs annotator).

    Returns the ids of those that count; and how many are kept and not counted, since others had answered as often as
    the campaign asks.

    Raises:
        ForbiddenError: the viewer may not answer, or the campaign names its annotators and they are none of them.
        AnswersRefusedError: the campaign is closed.
    """
    who = session.acting_as("annotator")
    given = [AnswerIn(new_id("a"), item, value, seen={"view": "space", "of": len(items)}) for item in items]
    kept = session.store().answers.save(campaign, who, given, source=SOURCE)
    late = set(kept.over_quota)
    return [one for one in kept.ids if one not in late], len(late)


def take_back(campaign: str, given: list[str]) -> int:
    """Take back these answers of the viewer (needs annotator), as far as they count now; returns how many."""
    return session.store().answers.take_back(campaign, session.acting_as("annotator"), given, source=SOURCE)
