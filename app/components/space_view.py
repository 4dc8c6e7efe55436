"""A space on the page: which space, which colours, the plot, and what is selected in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.components import gallery, space_colours, space_data, space_plot, space_selection
from app.components.space_colours import Seen
from app.components.space_plot import Panel

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

SPACES = {
    "attention space": ("attention_space",),
    "environment space": ("environment_space",),
    "both": ("attention_space", "environment_space"),
}
TITLES = {
    "attention_space": "Attention space: what the model looks at",
    "environment_space": "Environment space: what it sees elsewhere",
}


def show(run: Run, campaigns: Sequence[Campaign], subsets: Sequence[Run]) -> None:
    """The plot of a finished space run; campaigns and curate runs are those made from it."""
    seen = _seen(run.id, campaigns, subsets)
    with st.container(horizontal=True):
        spaces = st.segmented_control("Space", list(SPACES), default="both", key="space-panels", width="content")
        by = st.selectbox("Colour by", seen.names(), key="space-colour", width=260)
    token = session.token(dataset=seen.data.dataset)
    where = "/api/points/{run}/{name}.bin?token={token}"
    panels = [
        Panel(TITLES[name], where.format(run=run.id, name=name, token=token)) for name in SPACES[spaces or "both"]
    ]
    drawn = {"kind": "overlay", "run": seen.data.attention} if seen.data.has_maps else {"kind": "image"}
    selected = space_plot.show(
        f"space-{run.id}",
        panels,
        space_colours.colouring(seen, by),
        n=len(seen.data),
        rows_url=where.format(run=run.id, name="rows", token=token),
        image_url=gallery.address(seen.data.dataset, size=192, **drawn),
    )
    space_selection.show(seen.data, selected)


def _seen(run_id: str, campaigns: Sequence[Campaign], subsets: Sequence[Run]) -> Seen:
    """With the newest campaign and curate run of the space."""
    campaign = campaigns[0].id if campaigns else None
    return Seen(space_data.load(run_id), campaign, subsets[0].id if subsets else None)
