"""The gold images of a campaign: the lead sets the correct answers that no mask gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import campaign_actions
from app.services.results import space_data
from app.ui.images import pictures
from app.ui.images.pictures import Tile, under
from app.ui.messages import errors_shown
from slim_core.store.campaigns.values import RIGHT, WORDS, WRONG

if TYPE_CHECKING:
    from slim_core.store import Campaign, Item

NOT_SET = "not set"
BUTTONS = {RIGHT: "Right", WRONG: "Wrong", None: "Not gold"}


def show(campaign: Campaign) -> None:
    """One image at a time, those without a correct answer first; nothing where the campaign has no gold images."""
    named = set(campaign.options.get("gold") or ())
    gold = [one for one in session.store().campaigns.items(campaign.id) if one.row in named or one.gold is not None]
    if not gold:
        return
    unset = [one for one in gold if one.gold is None]
    title = f"Gold images: {len(gold)}" + (f", {len(unset)} without a correct answer" if unset else "")
    with st.expander(title, icon=":material/workspace_premium:", expanded=bool(unset)), errors_shown():
        by_id = {one.id: one for one in [*unset, *(one for one in gold if one.gold is not None)]}
        chosen = st.selectbox("Image", list(by_id), format_func=lambda one: _said(by_id[one]), width=300)
        _one(campaign, by_id[chosen])


def _said(item: Item) -> str:
    known = NOT_SET if item.gold is None else WORDS.get(item.gold, NOT_SET)
    return f"image {item.row}: {known}"


def _one(campaign: Campaign, item: Item) -> None:
    run = None
    if session.store().campaigns.has_space(campaign):
        run = space_data.load(str(campaign.space_run_id)).maps
    with pictures.awaited("gold", ["gold"]):
        _buttons(campaign, item, run)


def _buttons(campaign: Campaign, item: Item, run: str | None) -> None:
    picture, buttons = st.columns([1, 3])
    with picture:
        tile = Tile(item.row, [under(run)], [pictures.quiet(f"image {item.row}")])
        pictures.show(campaign.dataset_id, [tile], wide=180, size=360)
        if run is not None:
            pictures.scale()
    with buttons.container(horizontal=True):
        for value, word in BUTTONS.items():  # keys of its own: a second click is void
            if st.button(word, key=f"gold-{word}-{item.id}", disabled=item.gold == value and value is not None):
                campaign_actions.set_gold(campaign, {item.id: value})
                st.rerun()
