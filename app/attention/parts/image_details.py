"""One image opened large: every view of it, under one model's attention or two, and all its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.pictures import gallery
from app.ui.pictures.gallery import ALTS, KINDS, Look
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.percent import percent

PARAM = "image"
SIZE = 448  # pixels a side
# column -> (name, how it is told, word of the glossary)
NUMBERS = {
    "confidence": ("Confidence", percent, "confidence"),
    "loss": ("Loss", "{:.3f}".format, "loss"),
    "entropy": ("Entropy, bits", "{:.3f}".format, "entropy"),
    ATTENTION_PRECISION: ("Attention precision", percent, "attention precision"),
    AIOU: ("AIoU", percent, "AIoU"),
}
_STYLE = """<style>
.slim-large {display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.75rem;}
.slim-large figure {margin: 0;}
.slim-large img {width: 100%; aspect-ratio: 1; display: block; border-radius: 0.4rem;
  background: rgba(128,128,128,.12);}
.slim-large figcaption {font-size: 0.82rem; padding-top: 0.2rem; opacity: 0.85;}
</style>"""


def show(dataset: str, looks: Sequence[Look], scores: pd.DataFrame, clicked: int | None) -> None:
    """Open the image that was clicked, or the one the address names (?image=5); closing it takes it out again."""
    if clicked is not None:
        st.query_params[PARAM] = str(clicked)
    named = st.query_params.get(PARAM, "")
    if not named:
        return
    found = scores[scores["row"].astype(str) == named]
    if found.empty:
        del st.query_params[PARAM]
        st.info(f"This run did not look at image {named}: choose another run, or an image below.")
        return
    record = found.iloc[0].to_dict()
    title = f"Image {record['row']}: {record['group']}"
    st.dialog(title, width="large", on_dismiss=_closed)(_content)(dataset, looks, record)


def _closed() -> None:
    st.query_params.pop(PARAM, None)


def _content(dataset: str, looks: Sequence[Look], record: dict[str, Any]) -> None:
    row, table = int(record["row"]), session.store().datasets.table(dataset)
    kinds = [kind for kind in KINDS if kind != "mask" or table.has_mask[row]]
    cells = [_cell(dataset, look, kind, row, len(looks) > 1) for look in looks for kind in _of(look, looks, kinds)]
    st.html(f'{_STYLE}<div class="slim-large">{"".join(cells)}</div>')
    for look, column in zip(looks, st.columns(len(looks)), strict=True):
        with column:
            _numbers(record, "" if look is looks[0] else "_after", look.name if len(looks) > 1 else "")
    st.caption(f"{record['split']} · {table.image_path(row)}")


def _of(look: Look, looks: Sequence[Look], kinds: Sequence[str]) -> list[str]:
    """The image and its mask are the same for every model: they are shown once."""
    return [kind for kind in kinds if look is looks[0] or kind not in ("image", "mask")]


def _cell(dataset: str, look: Look, kind: str, row: int, named: bool) -> str:
    where = gallery.address(dataset, size=SIZE, kind=kind, run=look.run, map_of=look.map_of)
    of = f", {look.name}" if named and kind not in ("image", "mask") else ""
    return f"<figure>{gallery.image(where, row, ALTS[kind] + of)}<figcaption>{KINDS[kind]}{of}</figcaption></figure>"


def _numbers(record: dict[str, Any], of: str, name: str) -> None:
    right = record[f"correct{of}"]
    told = ":green[✓ right]" if right else f":red[✗ wrong], it is {verbatim(record['label_name'])}"
    whose = f"**{verbatim(name)}** · " if name else ""
    st.markdown(f"{whose}predicted **{verbatim(record[f'prediction_name{of}'])}** {told}")
    known = {key: record[key + of] for key in NUMBERS if not pd.isna(record.get(key + of))}
    for column, (key, value) in zip(st.columns(max(1, len(known))), known.items(), strict=False):
        title, form, word = NUMBERS[key]
        column.metric(title, form(value), help=explain(word))
    if record.get(f"no_evidence{of}") is True:
        st.caption(explain("no evidence"))
