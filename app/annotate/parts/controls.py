"""What a lead does with a running campaign: close or reopen it, move the deadline, name its annotators."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import streamlit as st

from app.annotate import forms
from app.services import campaign_actions
from app.ui import reruns
from app.ui.messages import errors_shown
from app.ui.reruns import sync
from slim_core.errors import ConflictError

if TYPE_CHECKING:
    from slim_core.store import Campaign


def show(campaign: Campaign) -> None:
    """One expander."""
    with st.expander("Manage this campaign", icon=":material/settings:"):
        _status(campaign)
        _deadline(campaign)
        _members(campaign)


def _status(campaign: Campaign) -> None:
    is_open = campaign.status == "open"
    label, icon = ("Close the campaign", "lock") if is_open else ("Reopen the campaign", "lock_open")
    if st.button(label, icon=f":material/{icon}:", key=f"campaign-status-{campaign.status}"):
        with errors_shown():
            (campaign_actions.close if is_open else campaign_actions.reopen)(campaign)
            st.rerun()


def _deadline(campaign: Campaign) -> None:
    last_day = None if campaign.deadline is None else (campaign.deadline - timedelta(seconds=1)).date()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = sync(f"deadline-{campaign.id}", last_day)
        day = st.date_input("Deadline (UTC, end of the day)", None, key=key, width=240)
        # never off: the first click has to count, which is what takes the text out of the field; so below
        if st.button("Set the deadline", key="campaign-deadline-set") and day != last_day:
            with errors_shown():
                _require_not_overtaken(key, last_day, f"The deadline is now {last_day or 'none'}")
                campaign_actions.set_deadline(campaign, forms.end_of_day(day))
                st.rerun()


def _members(campaign: Campaign) -> None:
    named = ", ".join(campaign.options.get("members") or ())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        key = sync(f"may-answer-{campaign.id}", named)
        text = st.text_input("Allowed annotators", placeholder="everyone", key=key)
        if st.button("Set the annotators", key="campaign-members-set") and text.strip() != named:
            with errors_shown():
                _require_not_overtaken(key, named, f"Allowed annotators are now: {named or 'everyone'}")
                campaign_actions.set_members(campaign, forms.names(text))
                reruns.saved(key)
                st.rerun()


def _require_not_overtaken(key: str, stored: object, news: str) -> None:
    """``stored``: what the field of this key is about, as it is stored; ``news``: says it.

    Raises:
        ConflictError: somebody else has changed it since; not where the button is pressed again.
    """
    if reruns.overtaken(key, stored):
        raise ConflictError(f"{news}, set elsewhere meanwhile. To replace that, press again.")
