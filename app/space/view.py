"""A space on the page: which space, which colours, the plot, and what is selected in it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from app import session
from app.routes.assets import PLOTLY, asset_url, below, static
from app.routes.images import open_maps
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.space import colours
from app.space.colours import LIVE, Colouring, ShownSpace
from app.space.selected import open_campaign, show_selection, tile
from app.ui import next_step, pick, pictures, reruns, selection
from app.ui.messages import verbatim
from app.ui.pictures import SMALL_MOST_PX, SMALL_PX, ModelMaps, address, under
from app.ui.reruns import fragment, number_of
from slim_core import result_files
from slim_core.space import selections
from slim_core.store.campaigns.campaigns import n_answered
from slim_core.store.results import AttentionResult

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Campaign, Run, Store


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


@fragment()
def show_space(run: Run, campaigns: Sequence[Campaign], subsets: Sequence[Run]) -> None:
    """The plot of a finished space run; campaigns and curate runs are those made from it."""
    data = space_data.load(run.id)
    selection.follow_filter(data)
    with st.container(horizontal=True):
        spaces = st.segmented_control("Spaces shown", list(SPACES), default="both", key="space-panels", width=250)
        colour_at = st.container()
        campaign = pick.campaign("Campaign", campaigns, width="stretch")
        subset = pick.run("Subset", subsets, param="subset", width="stretch")
    shown = ShownSpace(data, campaign.id if campaign else None, subset.id if subset else None)
    by = _colour(colour_at, shown)
    with st.container():  # made in any case: what comes and goes in it moves nothing that follows
        if campaign is not None and campaign.status == "open" and by in LIVE:
            # before the answers are read: one that comes while they are drawn is news
            _watch(campaign.id, session.store().answers.last_seq(campaign.id))
    _plot(data, {name: TITLES[name] for name in SPACES[spaces or "both"]}, colours.colouring(shown, by))
    opened = show_similar(data)
    clicked = show_selection(data, selection.positions(data), campaign)
    models = [ModelMaps(data.maps, open_maps(data.maps).classes[0], "")] if data.maps else []
    pictures.open_large(data.dataset, models, data.scores, clicked if opened is None else opened, below=button)


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
    show_plot(
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


FIGURES = 20_000  # points that Plotly draws: above, it takes seconds to paint, and lags behind the pointer
DENSITY_ABOVE = 200_000  # points in view from which their density is drawn
OF_PLOT = ("panel", "figure", "pointer", "points", "geometry", "controls", "card")
SHARED = ("image_address", "random_id", "keyboard")
MODULES = (*(f"space/{name}" for name in OF_PLOT), *(f"ui/{name}" for name in SHARED))  # what plot.js imports
PRELOADED = "".join(f'<link rel="modulepreload" href="{below(f"/assets/{name}.js")}">' for name in MODULES)
HTML = f"""{PRELOADED}
<div class="slim-space" role="group" aria-label="Attention spaces">
  <div class="slim-space-bar">
    <span class="slim-space-tools" role="toolbar" aria-label="Tools of the spaces"></span>
    <span class="slim-space-status" data-part="status" role="status" aria-live="polite">Loading the points ...</span>
    <button type="button" class="slim-space-clear" title="Esc" hidden>Clear selection</button>
  </div>
  <div class="slim-space-panels"></div>
  <div class="slim-space-legend" role="group" aria-label="Colours"></div>
</div>
"""
_mount = st.components.v2.component(
    "slim_space_plot",
    html=HTML,
    css=static("space/plot.css").read_text(),
    js=static("ui/loader.js").read_text(),
    isolate_styles=False,  # the card beside the pointer may lie over the whole page
)


@dataclass(frozen=True)
class Panel:
    """One space: a key that names its points for good, its title, and the address of its points."""

    key: str
    title: str
    points: str


@dataclass(frozen=True)
class Selection:
    """What is selected of n points: positions, ascending, and what distinguishes one selection from the next."""

    n: int
    positions: np.ndarray
    version: str

    def wire(self) -> dict[str, str]:
        """Version, and one bit a point in base64; empty where nothing is selected."""
        mask = np.zeros(self.n, bool)
        mask[self.positions] = True
        bits = np.packbits(mask, bitorder="little").tobytes() if len(self.positions) else b""
        return {"version": self.version, "bits": base64.b64encode(bits).decode("ascii")}


def show_plot(
    key: str,
    panels: Sequence[Panel],
    colouring: Colouring,
    selection: Selection,
    *,
    card_url: str,
    image_url: str,
    on_select: Callable[[Selection], None],
) -> None:
    """Draw the panels.

    Args:
        key: of the component.
        panels: of the same n points.
        colouring: of the points.
        selection: what the page holds selected; the browser takes it over where it is not its own.
        card_url: address of what is known of a point, with AT where its position goes.
        image_url: address of a thumbnail, with ROW where the row goes.
        on_select: called before the next run with what a person has selected in the browser.
    """
    data = {
        "module": asset_url("space/plot.js"),
        "panels": [asdict(panel) for panel in panels],
        "colouring": colouring.wire(),
        "n": selection.n,
        "above": DENSITY_ABOVE,
        "figures": FIGURES,
        "plotly": asset_url(PLOTLY) if selection.n <= FIGURES else "",
        "card": card_url,
        "image": image_url,
        "selection": selection.wire(),
    }
    with st.container(key=f"space-plot-{key}"):  # its room is kept: app/ui/static/page.css
        _mount(key=key, data=data, on_selection_change=lambda: _take(key, selection.n, on_select))


def _take(key: str, n: int, on_select: Callable[[Selection], None]) -> None:
    sent = st.session_state[key].get("selection")
    if sent and sent.get("n") == n:
        on_select(Selection(n, positions(sent, n), str(sent.get("version"))))


def positions(selection: Mapping[str, Any] | None, n: int) -> np.ndarray:
    """The positions (ascending, int64) in a bitset from the browser; none where it is of another number of points."""
    if not selection or selection.get("n") != n or not selection.get("bits"):
        return np.empty(0, np.int64)
    bits = np.frombuffer(base64.b64decode(selection["bits"]), np.uint8)
    return np.flatnonzero(np.unpackbits(bits, bitorder="little")[:n])


PARAM, FEATURES, NUMBER = "like", "features", "nearest"  # in the address
ABOUT = {  # features, the proposed ones first -> what is alike
    "attention": "what the model looks at",
    "environment": "the surroundings",
    "pooled": "the whole image, as the model sees it",
}
NUMBERS = (24, 48, 96)
OF_DISTANCE = "Distances are Euclidean, between the features of the images of this space.\n\n" + "\n".join(
    f"- **{name}:** {what}" for name, what in ABOUT.items()
)


def show_similar(data: SpaceData) -> int | None:
    """The images like the one that the address names; returns the row whose image was opened just now."""
    named = reruns.chosen_in_address(PARAM, data.dataset)  # of another one, the image of that number is another one
    if not named:
        return None
    row = number_of(named)
    at = -1 if row is None else int(space_data.positions_of(data, np.array([row]))[0])
    known = kept(data)
    if at < 0 or not known:
        _close()
        why = f"the features of {data.attention} were removed" if at >= 0 else "it is not in this space"
        st.info(f"No images like image {verbatim(named)} can be shown: {why}.")
        return None
    with st.container(border=True, key="similar"):
        return _nearest(data, at, known)


def button(row: int) -> None:
    """Shows the images like an opened one."""
    if st.button("More like this", key="more-like-this", icon=":material/image_search:"):
        reruns.put_in_address(PARAM, str(row))
        pictures.close_large()
        st.rerun()


def _nearest(data: SpaceData, at: int, known: list[str]) -> int | None:
    row = int(data.rows[at])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader(f"More like image {row}", anchor=False, width="stretch")
        by = st.segmented_control("By", known, default=known[0], required=True, key=FEATURES, bind="query-params",
                                  help=OF_DISTANCE, width="content")  # fmt: skip
        n = st.segmented_control("Images", NUMBERS, default=NUMBERS[0], required=True, key=NUMBER, bind="query-params",
                                 width="content")  # fmt: skip
        with st.spinner("Comparing the features ...", show_time=True):
            found, distances = nearest(data, at, by, n)
        _actions(data, np.append(found, at))
    records = data.scores.iloc[found].to_dict("records")
    lines = [pictures.bold(f"{rank} · {distance:.2f}") for rank, distance in enumerate(distances.tolist(), 1)]
    tiles = [tile(data, record, line) for record, line in zip(records, lines, strict=True)]
    first = tile(data, data.scores.iloc[at].to_dict(), pictures.bold("this image"))
    opened = pictures.gallery(
        data.dataset, [first, *tiles], key=f"similar-{data.run}", wide=SMALL_PX, most=SMALL_MOST_PX, small=True
    )
    st.caption(f"Rank and distance by {by} features: {ABOUT[by]}. Label → prediction.")
    return opened


def _actions(data: SpaceData, positions: np.ndarray) -> None:
    if st.button(f"Select these {len(positions)}", key="similar-select", icon=":material/select_all:"):
        selection.keep(data, positions)
        st.rerun()
    may = session.viewer().may("lead")
    if may and st.button("Ask about these", key="similar-ask", icon=":material/campaign:"):
        selection.keep(data, positions)
        open_campaign(data)
    if st.button("Close", key="similar-close", icon=":material/close:", type="tertiary"):
        _close()
        st.rerun()


def _close() -> None:
    """Streamlit takes the two that are bound to choices here out of the address itself."""
    reruns.put_in_address(PARAM, "")


def kept(data: SpaceData) -> list[str]:
    """The features there are, the proposed ones first; none where their files were removed."""
    has = session.store().artifacts.has
    return [name for name in ABOUT if has(data.attention, result_files.FEATURES[name])]


def nearest(data: SpaceData, position: int, features: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) positions of the images most like one, and how far away their features are, nearest first."""
    return _nearest_to(session.store(), data.run, data.attention, features, position, n)


@lru_cache(maxsize=32)  # the page asks again each time something on it is pressed
def _nearest_to(
    store: Store, space: str, attention: str, features: str, position: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    found = AttentionResult(store.artifacts.folder(attention))
    positions = found.positions(space_data.load(space).rows)
    return selections.nearest(found.stored_features(features), positions, position, n)


def show_next(space: Run) -> None:
    """``space``: a finished one."""
    store, link = session.store(), {"dataset": space.dataset_id, "space": space.id}
    if space.spec["split"] != "train":
        _to_the_training_images(space)
        return
    newest = next((one for one in store.campaigns.all(space.dataset_id) if one.space_run_id == space.id), None)
    if newest is None:
        todo = next_step.can("lead", "open a campaign on a few representative images.")
        next_step.show(todo, "annotate", "Annotate", **link)
        return
    progress, link = store.campaigns.progress(newest.id), link | {"campaign": newest.id}
    if newest.status == "open" and n_answered(newest, progress) < progress["total"]:
        todo = next_step.can("annotator", f"answer the images of {verbatim(newest.name)}.")
        next_step.show(todo, "annotate", "Annotate", **link)
    else:
        todo = next_step.can("lead", f"curate a subset from the answers of {verbatim(newest.name)}.")
        next_step.show(todo, "curate", "Curate", **link)


def _to_the_training_images(space: Run) -> None:
    """From the space of another split, such as one that an evaluation without attributes rests on."""
    spaces = session.store().runs.all(kind="space", status="done", dataset=space.dataset_id, metrics=False)
    of_train = next((one for one in spaces if one.spec["split"] == "train"), None)
    why = f"This space shows {space.spec['split']} images, and a subset is curated from answers about training images."
    if of_train is None:
        next_step.here(next_step.can("lead", f"press *Build the space* with the split train. {why}"))
    else:
        link = {"dataset": space.dataset_id, "run": of_train.id}
        next_step.show(f"open the space of the training images. {why}", "space", "Space of train", **link)
