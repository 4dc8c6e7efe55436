"""Images of a data set, fetched by the browser by address: tiles of one or more views, in a grid, a strip or a gallery;
and one opened large, in every view of it, under one model's attention or two, with all its numbers.

Python writes the markup, ``pictures.css`` (part of every document: app/routes/assets.py) says how it looks, and in a
gallery ``pictures.js`` listens: a click or Enter on a tile opens it.

Of a wrong prediction often nothing in the image is evidence for its label: that map is empty and says nothing about
why the model is wrong, so that the map of the class that was predicted is shown.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NewType

import pandas as pd
import streamlit as st

from app import session
from app.routes.assets import static
from app.routes.images import ROW, image_url, open_maps
from app.ui import next_step, pick, reruns
from app.ui.messages import explain, verbatim
from app.ui.reruns import dialog
from slim_core.attention.thumbnails import SIDE
from slim_core.data.groups import NO_GROUP
from slim_core.data.images import heat
from slim_core.errors import NotFoundError
from slim_core.formatting import percent
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.results import LABEL, PREDICTED

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

Markup = NewType("Markup", str)  # HTML in which every name is escaped: made by the functions below

KINDS = {"image": "image", "overlay": "overlay", "heat": "heat map", "contour": "contour", "mask": "mask"}
ALTS = {
    "image": "Image {}",
    "overlay": "Image {} under its heat map",
    "heat": "Heat map of image {}",
    "contour": "Image {} with the outline of its attention",
    "mask": "Image {} with all but its object dimmed",
}
SMALL_PX, SMALL_MOST_PX = 88, 128  # of an image in a strip
LARGE_PX = 768  # of the image that a link opens

_gallery = st.components.v2.component(
    "slim_gallery",
    html='<div class="slim-gallery"></div>',
    js=static("ui/pictures.js").read_text(),
    isolate_styles=False,
)


@dataclass(frozen=True)
class View:
    """One picture of an image: of a kind of KINDS, under the attention of a ``run`` that kept its maps.

    ``whose``: the name by which readers know the model, where there are several; ``name``: what is said below it.
    """

    kind: str = "image"
    run: str | None = None
    map_of: str = "label"
    whose: str = ""
    name: Markup = Markup("")


@dataclass(frozen=True)
class Tile:
    """An image, its views from left to right, and the lines below them. ``name``: its group, to screen readers."""

    row: int
    views: Sequence[View] = (View(),)
    lines: Sequence[Markup] = ()
    name: str = ""


def under(run: str | None, *, map_of: str = "label", whose: str = "", name: Markup = Markup("")) -> View:
    """The image under the attention of a run; as it is, where there is none."""
    return View("image" if run is None else "overlay", run, map_of, whose, name)


def show(
    dataset: str,
    tiles: Sequence[Tile],
    *,
    wide: int,
    most: int | None = None,
    size: int = SIDE,
    small: bool = False,
    opens: bool = False,
) -> None:
    """A grid of tiles of ``wide`` px or more (and ``most`` px at most); nothing where there are none.

    ``size``: pixels a side that are asked of the server; ``small``: in small type; ``opens``: a click opens one large.
    """
    if tiles:
        st.html(_grid(_Drawn(dataset, size, is_linked=opens).tiles(tiles), wide, most, small))


def linked(dataset: str, tiles: Sequence[Tile], *, side: int) -> None:
    """A grid of tiles whose views have ``side`` px or more each; a click on a view opens it large in a new tab."""
    if tiles:
        wide = side * max(len(one.views) for one in tiles)
        drawn = _Drawn(dataset, min(2 * side, LARGE_PX), is_linked=True)
        st.html(_grid(drawn.tiles(tiles), wide, most=round(1.3 * wide)))


def strip(dataset: str, rows: Sequence[int], captions: Sequence[str], run: str | None) -> None:
    """Small images in a row, under their heat maps where a gradcam run is named; a click opens one large."""
    tiles = [Tile(int(row), [under(run)], [quiet(caption)]) for row, caption in zip(rows, captions, strict=True)]
    show(dataset, tiles, wide=SMALL_PX, most=SMALL_MOST_PX, small=True, opens=True)


def gallery(
    dataset: str, tiles: Sequence[Tile], *, key: str, wide: int, most: int | None = None, small: bool = False
) -> int | None:
    """A grid of which every tile opens; returns the row that was opened just now. The others as of ``show``."""
    drawn = _grid(_Drawn(dataset, SIDE, is_button=True).tiles(tiles), wide, most, small)
    opened = _gallery(key=key, data={"html": drawn}, on_open_change=_nothing).get("open")
    return None if opened is None else int(opened)


def address(dataset: str, view: View, size: int, row: int | str = ROW) -> str:
    """Address of a view of an image; without a row, it holds ROW for the browser to replace."""
    return _Drawn(dataset, size).address(view, row)


def scale() -> None:
    """What the colours of overlays and heat maps mean: to stand once beside those that are shown large."""
    ends = ("no attention", "strongest attention in the image")
    ramp = f'<i style="background: {heat.heat_gradient()}"></i>'
    st.html(f'<div class="slim-scale" title="Scaled for each image separately.">{ends[0]} {ramp} {ends[1]}</div>')


def bold(text: object) -> Markup:
    """Text in bold."""
    return Markup(f"<b>{html.escape(str(text))}</b>")


def quiet(text: object, *, whole: str | None = None) -> Markup:
    """Text that steps back; ``whole``: what it is short for, under the pointer."""
    title = f' title="{html.escape(whole)}"' if whole else ""
    return Markup(f'<span class="quiet"{title}>{html.escape(str(text))}</span>')


def joined(*parts: Markup) -> Markup:
    """Parts of one line."""
    return Markup(" ".join(part for part in parts if part))


def called(record: Mapping[Any, Any], group: str = "group") -> str:
    """What a caption calls an image: its group, or its class alone where that is of no known group.

    ``group``: the column of the group's name.
    """
    name = str(record[group])
    return str(record["label_name"]) if name == NO_GROUP else name


def verdict(correct: bool, predicted: object, confidence: float | None = None) -> Markup:
    """A tick or a cross in its colour, and the class that was predicted."""
    name, mark = ("right", "✓") if correct else ("wrong", "✗")
    confident = "" if confidence is None else f", confidence {percent(confidence, 0)}"
    return Markup(f'<b class="{name}">{mark}</b> {html.escape(str(predicted))}{confident}')


def _grid(tiles: str, wide: int, most: int | None = None, small: bool = False) -> str:
    size = f"--wide: {wide}px; --most: {f'{most}px' if most else 'none'}"
    return f'<ul class="slim-pictures{" small" if small else ""}" style="{size}" aria-label="Images">{tiles}</ul>'


class _Drawn:
    """The markup of tiles of a data set, ``size`` pixels a picture."""

    def __init__(self, dataset: str, size: int, *, is_button: bool = False, is_linked: bool = False) -> None:
        self.dataset, self.size, self.is_button, self.is_linked = dataset, size, is_button, is_linked
        self.token = session.token(dataset=dataset)

    def tiles(self, tiles: Sequence[Tile]) -> str:
        return "".join(self._tile(one) for one in tiles)

    def address(self, view: View, row: int | str, size: int | None = None) -> str:
        drawn = {"kind": view.kind, "run": view.run, "map_of": view.map_of, "size": size or self.size}
        return image_url(self.dataset, row, self.token, **drawn)  # type: ignore[arg-type]

    def _tile(self, tile: Tile) -> str:
        views = "".join(self._view(tile.row, view) for view in tile.views)
        names = "".join(f"<span>{view.name}</span>" for view in tile.views)
        below = f'<div class="names">{names}</div>' if any(view.name for view in tile.views) else ""
        below += "".join(f"<div>{line}</div>" for line in tile.lines)
        tag, options = "div", ""
        if self.is_button:
            label = html.escape(f"Open image {tile.row}, {tile.name}")
            tag, options = "button", f' type="button" aria-label="{label}"'
        return f'<li class="slim-tile" data-row="{tile.row}"><{tag} class="views"{options}>{views}</{tag}>{below}</li>'

    def _view(self, row: int, view: View) -> str:
        alt = html.escape(ALTS[view.kind].format(row) + (f", {view.whose}" if view.whose else ""))
        source = html.escape(self.address(view, row))
        picture = f'<img src="{source}" loading="lazy" decoding="async" alt="{alt}">'
        if not self.is_linked:
            return picture
        return f'<a href="{html.escape(self.address(view, row, LARGE_PX))}" target="_blank">{picture}</a>'


def _nothing() -> None:
    """A callback that only makes Streamlit listen."""


_awaited = st.components.v2.component(
    "slim_awaited",
    html='<span class="slim-awaited" role="status" hidden>Loading images ...</span>',
    js=static("ui/awaited.js").read_text(),
    isolate_styles=False,
)


@contextmanager
def awaited(key: str, buttons: Iterable[str], shortcuts: Iterable[str] = ()) -> Iterator[None]:
    """Around images of app/ui/pictures.py and the buttons about them, which come later in the run.

    ``buttons``: what their keys begin with, a hyphen and more behind it; ``shortcuts``: the keys that press them.
    """
    with st.container(key=f"awaits-{key}"):
        pressed = ", ".join(f'[class*="st-key-{each}-"]' for each in buttons)
        _awaited(key=f"awaited-{key}", data={"buttons": pressed, "shortcuts": list(shortcuts)})
        yield


def shown_class(record: Mapping[Any, Any], run: str | None, of: str = "") -> str:
    """LABEL; PREDICTED where the prediction is wrong, the label has no evidence, and the run kept both maps.

    ``record``: of slim_core.evaluation.predictions; ``of``: "_after" for the second model of a pair.
    """
    is_empty = record.get(f"no_evidence{of}") in (True,)  # absent or NaN where it is not known
    return PREDICTED if is_empty and not record[f"correct{of}"] and _has_predicted(run) else LABEL


def shown_words(record: Mapping[Any, Any], shown: str, of: str = "") -> Markup:
    """What the picture shows, where it is not the map of the label."""
    return quiet(shown_text(record, of)) if shown == PREDICTED else Markup("")


def shown_text(record: Mapping[Any, Any], of: str = "") -> str:
    """As words, with nothing about them."""
    return f"where it looks for {record[f'prediction_name{of}']}"


def _has_predicted(run: str | None) -> bool:
    try:
        return run is not None and PREDICTED in open_maps(run).classes
    except NotFoundError:  # its files were removed
        return False


PARAM = "image"
SIZE, WIDE_PX = 448, 195  # pixels a side that are drawn; of a view at least, so that three stand in a row
# column -> (name, its format, term of the glossary)
NUMBERS = {
    "confidence": ("Confidence", percent, "confidence"),
    "loss": ("Loss", "{:.3f}".format, "loss"),
    "entropy": ("Entropy, bits", "{:.3f}".format, "entropy"),
    ATTENTION_PRECISION: ("Attention precision", percent, "attention precision"),
    AIOU: ("AIoU", percent, "AIoU"),
}


@dataclass(frozen=True)
class ModelMaps:
    """How one model's attention is drawn: its run, the class its maps are of, and the name readers know it by."""

    run: str
    map_of: str
    name: str


def large_views(models: Sequence[ModelMaps], kinds: Sequence[str]) -> list[View]:
    """All kinds under the first model's attention, then what differs under the second's."""
    return [
        View(kind, model.run, model.map_of, model.name if len(models) > 1 else "")
        for model in models
        for kind in kinds
        if model is models[0] or len(kinds) == 1 or kind not in ("image", "mask")  # the same, whatever the model
    ]


def open_large(
    dataset: str,
    models: Sequence[ModelMaps],
    scores: pd.DataFrame,
    clicked: int | None,
    *,
    below: Callable[[int], None] = lambda _row: None,
) -> None:
    """Open the image that was clicked, or the one the address names (?image=5); closing it takes it out again.

    ``models``: none where no maps were kept; ``below``: draws what can be done with the opened row.
    """
    if clicked is not None:
        reruns.put_in_address(PARAM, str(clicked))
    named = reruns.chosen_in_address(PARAM)
    if not named:
        return
    found = scores[scores["row"].astype(str) == named]
    if found.empty:
        close_large()
        pick.toast_missing(f"Image {verbatim(named)} is not among these. Choose another run, or another image.")
        return
    record = found.iloc[0].to_dict()
    title = f"Image {record['row']}: {verbatim(called(record))}"
    dialog(title, close_large)(_content)(dataset, models, record, below)


def close_large() -> None:
    """Take the opened image out of the address."""
    reruns.put_in_address(PARAM, "")


def _content(
    dataset: str, models: Sequence[ModelMaps], record: Mapping[Any, Any], below: Callable[[int], None]
) -> None:
    row, table = int(record["row"]), session.store().datasets.table(dataset)
    kinds = [kind for kind in KINDS if kind != "mask" or _has_mask(dataset, table, row)]
    drawn, said = _with_evidence(models, record)
    large = [Tile(row, [view], [_named(view, said)]) for view in large_views(drawn, kinds) or [View()]]
    show(dataset, large, wide=WIDE_PX, size=SIZE)
    if models:
        scale()
    names = [model.name for model in models] if len(models) > 1 else [""]
    for name, of, column in zip(names, ("", "_after"), st.columns(len(names)), strict=False):
        with column:
            _numbers(record, of, name)
            if record.get(f"no_evidence{of}") is True:
                st.caption(_without_evidence(record, of, list(said.values())))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{record['split']} · {verbatim(table.image_path(row))}", width="stretch")
        if session.viewer().may("annotator"):
            next_step.link(
                "draw", "Draw the object", icon="draw", dataset=dataset, row=str(row), **{"draw-split": record["split"]}
            )
        below(row)


def _has_mask(dataset: str, table: ImageTable, row: int) -> bool:
    shape = session.store().shapes.find(dataset, row)
    return bool(table.has_mask[row]) or (shape is not None and shape.drawing is not None)


def _with_evidence(models: Sequence[ModelMaps], record: Mapping[Any, Any]) -> tuple[list[ModelMaps], dict[str, str]]:
    """The models, whose maps of a label without evidence are those of the wrong prediction; run -> that this is so."""
    drawn, said = [], {}
    for model, of in zip(models, ("", "_after"), strict=False):
        shown = shown_class(record, model.run, of) if model.map_of == LABEL else LABEL
        if shown == PREDICTED:
            said[model.run] = shown_text(record, of)
        drawn.append(replace(model, map_of=shown) if shown == PREDICTED else model)
    return drawn, said


def _without_evidence(record: Mapping[Any, Any], of: str, said: Sequence[str]) -> str:
    """Why a map is empty, or which one stands in its place."""
    if shown_text(record, of) not in said:
        return explain("no evidence")
    label = verbatim(record["label_name"])
    return f"No evidence for its label, {label}: the maps show {verbatim(shown_text(record, of))}."


def _named(view: View, said: dict[str, str]) -> Markup:
    """What the view shows, of which model where there are two, and of which class where not of the label."""
    of = "" if view.kind in ("image", "mask") else said.get(view.run or "", "")
    return quiet(", ".join(part for part in (KINDS[view.kind], view.whose, of) if part))


def _numbers(record: Mapping[Any, Any], of: str, name: str) -> None:
    right = record[f"correct{of}"]
    outcome = ":green[✓ right]" if right else f":red[✗ wrong], label {verbatim(record['label_name'])}"
    whose = f"**{verbatim(name)}** · " if name else ""
    st.markdown(f"{whose}predicted **{verbatim(record[f'prediction_name{of}'])}** {outcome}")
    known = {key: record[key + of] for key in NUMBERS if not pd.isna(record.get(key + of))}
    for column, (key, value) in zip(st.columns(max(1, len(known))), known.items(), strict=False):
        title, form, term = NUMBERS[key]
        column.metric(title, form(value), help=explain(term))
