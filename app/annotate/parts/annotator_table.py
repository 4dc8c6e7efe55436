"""One row an annotator: how much, how fast, and how well it fits what is known."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import session
from slim_core.annotation.agreement import annotators_of

if TYPE_CHECKING:
    from slim_core.store import Campaign

_PERCENT = {"gold_agree": "With gold", "others_agree": "With others"}
_NUMBERS = {
    "answers": "Answers",
    "right": "Right",
    "wrong": "Wrong",
    "unsure": "Unsure",
    "surplus": "Not counted",
    "changed": "Changed",
    "undone": "Undone",
    "skipped": "Skipped",
}


def show(campaign: Campaign) -> pd.DataFrame:
    """The table of everybody who answered; returned as it is in slim_core.annotation.agreement.annotators."""
    frame = table(campaign.id, session.store().campaigns.last_seq(campaign.id))
    if not len(frame):
        st.caption("Nobody has answered yet.")
        return frame
    shown = frame.drop(columns=["gold_n", "others_n", *([] if frame["surplus"].any() else ["surplus"])])
    shown = shown.assign(**{name: shown[name] * 100 for name in _PERCENT})
    st.dataframe(shown, hide_index=True, placeholder="–", column_config=_columns(), alt="Everybody who answered")
    return frame


@lru_cache(maxsize=16)
def table(campaign_id: str, seq: int) -> pd.DataFrame:  # noqa: ARG001  # a new answer is a new entry
    """slim_core.annotation.agreement.annotators of a campaign."""
    return annotators_of(session.store(), campaign_id)


def _columns() -> dict[str, object]:
    number = st.column_config.NumberColumn
    told = {
        "answers": "Images whose answer counts.",
        "surplus": "Images answered when as many others as are asked had answered already: kept, and not counted.",
        "gold_agree": "Share of the gold images answered as is known.",
        "others_agree": "Share of the images on which the majority of the others says the same.",
    }
    return {
        "annotator": st.column_config.TextColumn("Annotator"),
        **{name: number(title, help=told.get(name)) for name, title in _NUMBERS.items()},
        "minutes": number("Minutes", format="%.1f"),
        "per_minute": number("A minute", format="%.1f", help="Answers given a minute of work, counted or not."),
        **{name: number(title, format="%.0f %%", help=told[name]) for name, title in _PERCENT.items()},
    }
