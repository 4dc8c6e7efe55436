"""The effect of the answers so far: the map of propagated scores as one small picture, so that a map of 100,000 images
follows every answer; and the subset that they would give."""

from __future__ import annotations

import base64
import html
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from app import session
from app.services import actions, campaign_actions, subset
from app.services.results import space_data
from app.ui import pictures, submit
from app.ui.messages import errors_shown
from app.ui.reruns import fragment
from slim_core.annotation.live_effect import CellNow, Effect, SecondBalance, effect
from slim_core.curation.data import SLIM
from slim_core.data.images import codec
from slim_core.evaluation.charts.layout import ANSWERS, BLUE, CIVIDIS, INK, UNKNOWN, ramp, rgb
from slim_core.formatting import counted, percent
from slim_core.runs.trainings import usual_curation_of
from slim_core.store.campaigns.consensus import COUNTED, RIGHT, WORDS, WRONG

if TYPE_CHECKING:
    from slim_core.store import Campaign

EVERY_S = 4  # polling for new answers, while the campaign is open
SHARE = 0.1  # of the time, that the effect is computed at most, whoever polls: the same process takes the answers
KEPT = 8  # campaigns
N_IMAGES = 24  # shown of those that would be chosen
RAMP = f"linear-gradient(90deg, {', '.join(colour for _, colour in CIVIDIS)})"


def show(campaign: Campaign) -> None:
    """The effect of the answers so far, which follows new ones; and the button that curates by it."""
    if not session.store().campaigns.has_space(campaign):
        return
    st.subheader("Effect of the answers", anchor=False)
    n = len(space_data.load(str(campaign.space_run_id)))
    is_quick = subset.is_quick(n, _usual(campaign.id)[1].get("environments", "space"))
    if is_quick or st.toggle(f"Show it for {n:,} images", key=f"effect-shown-{campaign.id}"):
        (_following if campaign.status == "open" else _follow)(campaign)
    _images(campaign)
    if session.viewer().may("lead") and campaign.split == "train":
        _button(campaign)


@fragment(run_every=EVERY_S)
def _following(campaign: Campaign) -> None:
    _follow(campaign)


def _follow(campaign: Campaign) -> None:
    with st.container(key=f"effect-map-{campaign.id}"):  # effect.css keeps its room
        st.html(shown_now(campaign.id).html)


@dataclass(frozen=True)
class Shown:
    """The effect of some answers, and from when on that of newer ones may be computed."""

    seq: int  # of the newest answer
    html: str
    again_at: float  # monotonic seconds


_shown: dict[str, Shown] = {}
_lock = threading.Lock()


def shown_now(campaign_id: str) -> Shown:
    """The effect of the newest answers; or of those before them, so that it is computed SHARE of the time at most."""
    with _lock:
        newest, found = session.store().answers.last_seq(campaign_id), _shown.get(campaign_id)
        if found is None or (found.seq != newest and time.monotonic() >= found.again_at):
            since = time.monotonic()
            html, now = _drawn(campaign_id), time.monotonic()
            found = _shown[campaign_id] = Shown(newest, html, now + (now - since) * (1 / SHARE - 1))
            while len(_shown) > KEPT:
                _shown.pop(next(iter(_shown)))
        return found


@lru_cache(maxsize=64)
def _usual(campaign_id: str) -> tuple[int, dict[str, Any]]:
    """Size and options of the subset that a press on this page curates."""
    store = session.store()
    return usual_curation_of(store, store.runs.fetch(str(store.campaigns.fetch(campaign_id).space_run_id)))


def _drawn(campaign_id: str) -> str:
    """Map and cells as HTML."""
    size, options = _usual(campaign_id)
    found = effect(session.store(), campaign_id, size, options.get("environments", "space"))
    campaign = session.store().campaigns.fetch(campaign_id)
    data = space_data.load(str(campaign.space_run_id))
    asked = np.isin(data.rows, list(session.store().answers.current(campaign_id)))
    picture = live_map(found.points, found.scores, found.answers, asked)
    source = base64.b64encode(codec.encode(picture, "webp")).decode("ascii")
    is_answered = bool((found.answers >= 0).any())
    likely = "trusted" if found.second_balance is None else "attention is probably right"
    trusted = f"{likely} on {percent(found.trusted, 0)} of the images" if is_answered else "no answers yet"
    answers = _key(found.answers[asked])
    height, width = picture.shape[:2]  # a page leaves an image no room that is not decoded yet and tells no size
    left = (
        f'<div><img src="data:image/webp;base64,{source}" width="{width}" height="{height}"'
        f' alt="Map of the propagated scores: {trusted}">'
        f'<div class="key">score 0<span class="ramp" style="background:{RAMP}"></span>1 {answers}</div>'
        f'<div class="key"><b>{trusted}</b></div>{_none_right(found)}</div>'
    )
    second = _second(found.second_balance, len(data))
    return f'<div class="slim-effect">{left}{_cells(found, second)}</div>'


def _key(answers: np.ndarray) -> str:
    """The dots of the map, and how many answers each stands for; ``answers``: of the images that are asked about."""
    return " ".join(
        f'<i style="background:{ANSWERS[value]}"></i>{WORDS[value]} {int((answers == value).sum()):,}'
        for value in COUNTED  # empty ones among the wrong
    )


def _none_right(found: Effect) -> str:
    """What it means where people have looked, and every answer says wrong."""
    if found.second_balance is not None or not (found.answers == WRONG).any() or (found.answers == RIGHT).any():
        return ""
    return (
        '<div class="key">Every answer says <b>wrong</b>: the model looks elsewhere in all of these images. The subset '
        "is then balanced by class and environment alone.</div>"
    )


def _cells(found: Effect, second: str = "") -> str:
    """A bar per cell: its part of the subset; under them what is said of the second balance."""
    most = max(max(cell.budget for cell in found.cells), 1)
    rows = "".join(
        f"<span>{html.escape(cell.name)}</span>"
        f'<span class="bar" style="width:{100 * cell.budget / most:.1f}%;background:{BLUE}"></span>'
        f"<span>{_given(cell)}</span>"
        for cell in found.cells
    )
    total = sum(cell.budget for cell in found.cells)
    source = "from these answers" if (found.answers >= 0).any() else "without answers"
    title = f"<p><b>Subset {source}: {counted(total, 'image')}{_spread(found.cells)}</b></p>"
    key = f'<div class="key">{second}</div>' if second else ""
    return f'<div>{title}<div class="slim-cells" tabindex="0">{rows}</div>{key}</div>'


def _spread(cells: Sequence[CellNow]) -> str:
    """In how many cells the images are, of which a dozen are seen at once; not in those that give none."""
    n, n_used = len(cells), sum(cell.budget > 0 for cell in cells)
    if n == n_used:
        return f" in {counted(n, 'cell')}" if n else ""
    return f" in {n_used:,} of {counted(n, 'cell')}"


def _second(twice: SecondBalance | None, n: int) -> str:
    """What else the classes of ``n`` images are balanced in, or why not; "": nobody has asked for it."""
    if twice is None:
        return ""
    if not twice.clusters:
        return html.escape(twice.notes or "No attention is assumed wrong: the classes are balanced once.")
    also = "balanced over what the model looks at where its attention is wrong"
    if twice.surroundings > 1:
        said = f"Above, the classes are balanced over what lies outside the attention. They are <b>also {also}</b>: "
    else:
        said = f"The classes are <b>{also}</b>: "
    said += f"{twice.n_wrong:,} of {n:,} images, in {counted(twice.clusters, 'cluster')}."
    return f"{said} {html.escape(twice.notes)}".rstrip()


def _given(cell: CellNow) -> str:
    """How much of a cell the subset takes, and how often it takes an image again.

    All images of a small cell are taken before one is repeated. Not so where classes are balanced twice: one part of a
    cell may repeat images while another has more than are taken.
    """
    repeats = cell.budget - cell.distinct
    taken = f"<b>{cell.budget:,}</b>"
    if repeats:
        images = counted(cell.size, "image") if cell.distinct == cell.size else f"{cell.distinct:,} of {cell.size:,}"
        return f"{taken} <small>from {images}, {counted(repeats, 'repeat')}{_trusted(cell)}</small>"
    if not cell.budget and cell.is_alone:
        return f"{taken} <small>of {cell.size:,}, left out: only this class occurs here</small>"
    return f"{taken} <small>of {cell.size:,}{_trusted(cell)}</small>"


def _trusted(cell: CellNow) -> str:
    return "" if cell.kept is None else f", {percent(cell.kept / max(cell.size, 1), 0)} trusted"


def _images(campaign: Campaign) -> None:
    """Some of the images that would be chosen, on request: to choose them takes longer than an answer."""
    if not st.toggle("Show images of this subset", key=f"effect-images-{campaign.id}"):
        return
    size, options = _usual(campaign.id)
    with errors_shown(), st.spinner("Choosing images ..."):
        choice = subset.SubsetChoice(str(campaign.space_run_id), campaign.id, SLIM, size, 0, tuple(options.items()))
        positions = subset.preview(choice).positions
        data = space_data.load(choice.space)
        rows = data.rows[positions[np.unique(np.linspace(0, len(positions) - 1, N_IMAGES).astype(int))]]
        names = data.table.label_names
        captions = [f"image {row}" if campaign.is_blind else names[data.table.labels[row]] for row in rows]
        st.caption(f"{len(rows)} of the {counted(len(positions), 'distinct image')} of this subset")
        pictures.strip(campaign.dataset_id, rows.tolist(), captions, data.maps)


def _button(campaign: Campaign) -> None:
    key = f"effect-run-{campaign.id}"
    if st.button("Curate from this campaign", icon=":material/filter_alt:", key="effect-curate"):
        with errors_shown():
            run = campaign_actions.curate(campaign)
            st.session_state[key] = run.id
            actions.wake(run)
    if key in st.session_state:
        submit.follow(st.session_state[key])


MARGIN = 8  # pixels
FEW = 20_000  # points above which each is a single pixel
RING = "#FFFFFF"  # around an answered image


def live_map(
    points: np.ndarray, scores: np.ndarray, answers: np.ndarray, asked: np.ndarray, width: int = 460, height: int = 320
) -> np.ndarray:
    """(height, width, 4) uint8, transparent where there is nothing; outlined, so that it shows on light and dark pages.

    Args:
        points: (n, 2); the aspect ratio is kept.
        scores: (n,) 0..1 by colour (dark low, light high), NaN grey; a pixel shows the mean of its points.
        answers: (n,) 1, 0, -1, drawn over all others as dots where asked (n,) bool.
    """
    x, y = _pixels(points, width, height)
    radius = 1 if len(points) <= FEW else 0
    picture = np.zeros((height * width, 4), np.uint8)
    for dx, dy in _disk(radius + 1):
        picture[(y + dy) * width + x + dx] = [*rgb(INK), 255]
    total, known, n = (np.zeros(height * width) for _ in range(3))
    for dx, dy in _disk(radius):
        at = (y + dy) * width + x + dx
        n += np.bincount(at, minlength=len(n))
        total += np.bincount(at, np.nan_to_num(scores), len(n))
        known += np.bincount(at, ~np.isnan(scores), len(n))
    picture[n > 0] = [*rgb(UNKNOWN), 255]
    seen = known > 0
    picture[seen, :3] = ramp(256)[np.rint(255 * np.clip(total[seen] / known[seen], 0, 1)).astype(int)]
    _mark(picture.reshape(height, width, 4), x[asked], y[asked], answers[asked])
    return picture.reshape(height, width, 4)


def _mark(picture: np.ndarray, x: np.ndarray, y: np.ndarray, answers: np.ndarray) -> None:
    for value, colour in reversed(ANSWERS.items()):  # right ones on top
        mine = answers == value
        for radius, shade in ((4, RING), (3, colour)):
            for dx, dy in _disk(radius):
                picture[y[mine] + dy, x[mine] + dx] = [*rgb(shade), 255]


def _pixels(points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    low, extent = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    scale = min((width - 2 * MARGIN) / extent[0], (height - 2 * MARGIN) / extent[1])
    offset = (np.array([width, height]) - scale * extent) / 2
    at = np.rint((points - low) * scale + offset).astype(np.int64)
    return at[:, 0].clip(5, width - 6), (height - 1 - at[:, 1]).clip(5, height - 6)


def _disk(radius: int) -> list[tuple[int, int]]:
    reach = range(-radius, radius + 1)
    return [(dx, dy) for dx in reach for dy in reach if dx * dx + dy * dy <= (radius + 0.3) ** 2]
