"""One image opened large: every view of it, under one model's attention or two, and all its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.ui import next_step
from app.ui.choosing import pick, url_state
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.images import pictures
from app.ui.images.pictures import KINDS, Markup, Tile, View
from app.ui.reruns import dialog
from slim_core.formatting import percent
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.store.results import LABEL, PREDICTED

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

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


def views(models: Sequence[ModelMaps], kinds: Sequence[str]) -> list[View]:
    """All kinds under the first model's attention, then what differs under the second's."""
    return [
        View(kind, model.run, model.map_of, model.name if len(models) > 1 else "")
        for model in models
        for kind in kinds
        if model is models[0] or len(kinds) == 1 or kind not in ("image", "mask")  # the same, whatever the model
    ]


def show(
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
        url_state.put(PARAM, str(clicked))
    named = url_state.chosen(PARAM)
    if not named:
        return
    found = scores[scores["row"].astype(str) == named]
    if found.empty:
        close()
        pick.toast_missing(f"Image {verbatim(named)} is not among these. Choose another run, or another image.")
        return
    record = found.iloc[0].to_dict()
    title = f"Image {record['row']}: {verbatim(pictures.called(record))}"
    dialog(title, close)(_content)(dataset, models, record, below)


def close() -> None:
    """Take the opened image out of the address."""
    url_state.put(PARAM, "")


def _content(
    dataset: str, models: Sequence[ModelMaps], record: Mapping[Any, Any], below: Callable[[int], None]
) -> None:
    row, table = int(record["row"]), session.store().datasets.table(dataset)
    kinds = [kind for kind in KINDS if kind != "mask" or _has_mask(dataset, table, row)]
    drawn, said = _with_evidence(models, record)
    large = [Tile(row, [view], [_named(view, said)]) for view in views(drawn, kinds) or [View()]]
    pictures.show(dataset, large, wide=WIDE_PX, size=SIZE)
    if models:
        pictures.scale()
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
        shown = pictures.shown_class(record, model.run, of) if model.map_of == LABEL else LABEL
        if shown == PREDICTED:
            said[model.run] = pictures.shown_text(record, of)
        drawn.append(replace(model, map_of=shown) if shown == PREDICTED else model)
    return drawn, said


def _without_evidence(record: Mapping[Any, Any], of: str, said: Sequence[str]) -> str:
    """Why a map is empty, or which one stands in its place."""
    if pictures.shown_text(record, of) not in said:
        return explain("no evidence")
    label = verbatim(record["label_name"])
    return f"No evidence for its label, {label}: the maps show {verbatim(pictures.shown_text(record, of))}."


def _named(view: View, said: dict[str, str]) -> Markup:
    """What the view shows, of which model where there are two, and of which class where not of the label."""
    of = "" if view.kind in ("image", "mask") else said.get(view.run or "", "")
    return pictures.quiet(", ".join(part for part in (KINDS[view.kind], view.whose, of) if part))


def _numbers(record: Mapping[Any, Any], of: str, name: str) -> None:
    right = record[f"correct{of}"]
    outcome = ":green[✓ right]" if right else f":red[✗ wrong], label {verbatim(record['label_name'])}"
    whose = f"**{verbatim(name)}** · " if name else ""
    st.markdown(f"{whose}predicted **{verbatim(record[f'prediction_name{of}'])}** {outcome}")
    known = {key: record[key + of] for key in NUMBERS if not pd.isna(record.get(key + of))}
    for column, (key, value) in zip(st.columns(max(1, len(known))), known.items(), strict=False):
        title, form, term = NUMBERS[key]
        column.metric(title, form(value), help=explain(term))
