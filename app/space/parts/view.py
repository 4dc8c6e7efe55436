"""A space on the page: which space, which colours, the plot, and what is selected in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.routes.assets import below
from app.routes.images import open_maps
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.space.charts import Colouring
from app.space.parts import colours, figure, plot, similar
from app.space.parts import selection as space_selection
from app.space.parts.colours import ShownSpace
from app.space.parts.plot import Panel, Selection
from app.ui.choosing import pick, selection
from app.ui.images import details
from app.ui.images.details import ModelMaps
from app.ui.images.pictures import address, under
from app.ui.reruns import fragment
from slim_core.evaluation.charts.space import MOST

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign, Run

SPACES = {
    "both": ("attention_space", "environment_space"),
    "attention": ("attention_space",),
    "environment": ("environment_space",),
}
TITLES = {
    "attention_space": "Attention space: what the model looks at",
    "environment_space": "Environment space: the surroundings",
}
POLL_S = 3
CARD_PX = 192  # of the image on the card beside the pointer
HELP = """What the colour of a point shows.

- **Attention precision:** the share of the strongest attention that lies inside the true mask.
- **AIoU:** how much better the map of the true class fits the mask than that of another class; 0.5 means no better.
- **Propagated score:** the probability that the attention is right, propagated from the answers to neighbouring images.
- **Environment cluster:** images with similar surroundings, according to the model."""
FAST, PLOTLY = "fast", "Plotly"
DRAWN = f"""The fast plot draws every image, with its picture beside the pointer.

The Plotly figure has a toolbar (zoom, PNG) and can be downloaded as HTML; above {MOST:,} images it shows a sample."""


@fragment()
def show(run: Run, campaigns: Sequence[Campaign], subsets: Sequence[Run]) -> None:
    """The plot of a finished space run; campaigns and curate runs are those made from it."""
    data = space_data.load(run.id)
    selection.follow_filter(data)
    with st.container(horizontal=True):
        spaces = st.segmented_control("Spaces shown", list(SPACES), default="both", key="space-panels", width=250)
        drawn = st.segmented_control(
            "Plot", [FAST, PLOTLY], default=FAST, key="space-drawn", required=True, help=DRAWN, width=150
        )
        colour_at = st.container()
        campaign = pick.campaign("Campaign", campaigns, width="stretch")
        subset = pick.run("Subset", subsets, param="subset", width="stretch")
    shown = ShownSpace(data, campaign.id if campaign else None, subset.id if subset else None)
    by = _colour(colour_at, shown)
    with st.container():  # made in any case: what comes and goes in it moves nothing that follows
        if campaign is not None and campaign.status == "open" and by in colours.LIVE:
            # before the answers are read: one that comes while they are drawn is news
            _watch(campaign.id, session.store().answers.last_seq(campaign.id))
    draw = figure.show if drawn == PLOTLY else _plot
    draw(data, {name: TITLES[name] for name in SPACES[spaces or "both"]}, colours.colouring(shown, by))
    opened = similar.show(data)
    clicked = space_selection.show(data, selection.positions(data), campaign)
    models = [ModelMaps(data.maps, open_maps(data.maps).classes[0], "")] if data.maps else []
    details.show(data.dataset, models, data.scores, clicked if opened is None else opened, below=similar.button)


def _colour(at: DeltaGenerator, shown: ShownSpace) -> str:
    """What the points are coloured by: named by the address, or as it was when the page was left."""
    with at:
        return pick.choose("Colour by", {name: name for name in shown.names()}, "colour", help=HELP)


def _plot(data: SpaceData, spaces: Mapping[str, str], colouring: Colouring) -> None:
    """``spaces``: name -> title."""
    token = session.token(dataset=data.dataset)
    where = below(f"/api/points/{data.run}/{{name}}?token={token}")
    panels = [Panel(f"{data.run} {name}", title, where.format(name=f"{name}.bin")) for name, title in spaces.items()]
    selected = selection.positions(data)
    plot.show(
        f"space-{data.run}",
        panels,
        colouring,
        Selection(len(data), selected, selection.version(data)),
        card_url=f"{where.format(name='at/AT')}&scores={data.scored}",  # a browser keeps cards by it
        image_url=address(data.dataset, under(data.maps), CARD_PX),
        on_select=lambda made: selection.keep(data, made.positions, made.version),
    )
    selection.keep_in_address(data)


@fragment(run_every=POLL_S)
def _watch(campaign: str, seq: int) -> None:
    """Draw the page again when somebody has answered: the selection stays."""
    if session.store().answers.last_seq(campaign) != seq:
        st.rerun()
