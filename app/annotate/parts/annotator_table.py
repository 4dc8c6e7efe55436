"""One row per annotator: how many answers, how fast, and how well they agree with gold images and others."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import session
from app.ui import tables
from slim_core.annotation.agreement import annotators_of
from slim_core.store.campaigns.values import EMPTY, WORDS

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

    from slim_core.store import Campaign

_PERCENT = {"gold_agree": "Gold accuracy", "others_agree": "Agreement"}
_RARE = ("changed", "undone", "skipped", "gold_n", "others_n")
_NUMBERS = {
    "answers": "Answers",
    **{word: word.capitalize() for word in WORDS.values()},
    "surplus": "Not counted",
    "changed": "Changed",
    "undone": "Undone",
    "skipped": "Skipped",
    "gold_n": "Gold answers",
    "others_n": "Compared",
}


def show(campaign: Campaign, seq: int | None = None) -> pd.DataFrame:
    """The table of annotators; returned as it is in slim_core.annotation.agreement.annotators.

    ``seq``: the answer up to which it was made; None: the newest.
    """
    frame = table(campaign.id, session.store().answers.last_seq(campaign.id) if seq is None else seq)
    if not len(frame):
        st.caption("No answers yet.")
        return frame
    shown = frame.drop(columns=[] if frame["surplus"].any() else ["surplus"])
    shown = shown.assign(**{name: shown[name] * 100 for name in _PERCENT})
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        column_config=_columns(),
        column_order=[name for name in shown.columns if _has_news(shown, name)],
        height=tables.height(len(shown)),
        alt="Annotators",
    )
    return frame


def _has_news(shown: pd.DataFrame, name: str) -> bool:
    """Whether a column is there from the start: the table's own menu, an eye, has those that say nothing of anybody."""
    if name in _PERCENT:
        return bool(shown[name].notna().any())
    return name not in _RARE or bool(shown[name].any())


def table(campaign_id: str, seq: int) -> pd.DataFrame:
    """slim_core.annotation.agreement.annotators of a campaign; ``seq``: the newest answer."""
    newest = session.store().events.recent(1, subject=campaign_id)
    return _table(campaign_id, seq, newest[0].id if newest else 0)


@lru_cache(maxsize=16)
def _table(campaign_id: str, seq: int, event: int) -> pd.DataFrame:  # noqa: ARG001
    """A new answer is a new entry, and so is an event: a known answer that a lead has set is no answer."""
    return annotators_of(session.store(), campaign_id)


def _columns() -> dict[str, ColumnConfig]:
    number = st.column_config.NumberColumn
    helps = {
        "answers": "Images whose answer counts.",
        WORDS[EMPTY]: "No attention for the class. Counted as wrong wherever answers are used.",
        "surplus": "Answers given after the image already had enough annotators: stored, not counted.",
        "minutes": "Of work on images, without environments.",
        "gold_n": "Gold images answered: the gold accuracy is of these.",
        "gold_agree": "Share of the gold images answered correctly.",
        "others_n": "Images that others answered too, most of them alike: the agreement is of these.",
        "others_agree": "Share of the images answered like the majority of the others.",
    }
    return {
        "annotator": st.column_config.TextColumn("Annotator"),
        **{name: number(title, help=helps.get(name), format="localized") for name, title in _NUMBERS.items()},
        "minutes": number("Minutes", format="%.1f", help=helps["minutes"]),
        "per_minute": number("Per minute", format="%.1f", help="Answers per minute of work, counted or not."),
        **{name: number(title, format="%.0f %%", help=helps[name]) for name, title in _PERCENT.items()},
    }
