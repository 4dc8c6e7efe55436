"""Images of a data set under a model's attention, fetched by the browser by address: a gallery, and a strip."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.routes.assets import static
from app.routes.images import image_url
from slim_core.attention.thumbnails import SIDE
from slim_core.metrics import AIOU, ATTENTION_PRECISION
from slim_core.percent import percent

KINDS = {"image": "image", "overlay": "overlay", "heat": "heat map", "contour": "contour", "mask": "mask"}
ALTS = {
    "image": "Image ROW",
    "overlay": "Image ROW under its heat map",
    "heat": "Heat map of image ROW",
    "contour": "Image ROW with the outline of its attention",
    "mask": "Image ROW with all but its object dimmed",
}
_TILE_REM = {1: 9, 2: 14, 3: 19, 4: 24, 5: 28}  # width of a tile by the pictures in a row of it
_STYLE = """<style>
.slim-strip {display: grid; grid-template-columns: repeat(auto-fill, minmax(88px, 1fr)); gap: 0.5rem;}
.slim-strip figure {margin: 0; max-width: 128px;}
.slim-strip img {width: 100%; aspect-ratio: 1; border-radius: 0.3rem; display: block; background: rgba(128,128,128,.12);
  font-size: 0.7rem; overflow: hidden;}
.slim-strip figcaption {font-size: 0.72rem; line-height: 1.25; padding-top: 0.15rem; opacity: 0.85;}
</style>"""

_mount = st.components.v2.component(
    "slim_gallery",
    html='<ul class="slim-tiles" aria-label="Images"></ul>',
    css=static("ui/gallery.css").read_text(),
    js=static("ui/gallery.js").read_text(),
)


@dataclass(frozen=True)
class Look:
    """How one model's attention is drawn: its run, the class its maps are of, and the name readers know it by."""

    run: str
    map_of: str
    name: str


def address(dataset: str, **drawn: Any) -> str:
    """Address of an image of the data set with ROW where its row goes; ``drawn`` as in ``image_url``."""
    return image_url(dataset, 0, session.token(dataset=dataset), **drawn).replace("/0?", "/ROW?", 1)


def pictures(dataset: str, looks: Sequence[Look], kinds: Sequence[str], size: int = SIDE) -> list[dict[str, str]]:
    """Address and alt text of each picture of a tile: all kinds of the first look, then what differs in the others."""
    drawn = []
    for position, look in enumerate(looks):
        of = f", {look.name}" if len(looks) > 1 else ""
        for kind in kinds:
            if position and kind in ("image", "mask") and len(kinds) > 1:
                continue  # the same picture, whatever the model
            where = address(dataset, size=size, kind=kind, run=look.run, map_of=look.map_of)
            drawn.append({"address": where, "alt": ALTS[kind] + of})
    return drawn


def show(dataset: str, looks: Sequence[Look], kinds: Sequence[str], frame: pd.DataFrame, key: str) -> int | None:
    """A tile for each row of ``frame`` (attention_scores.frame; columns ending in _after tell of the second look).

    Returns the row that was clicked just now.
    """
    drawn = pictures(dataset, looks, kinds)
    across = len(drawn)
    data = {
        "pictures": drawn,
        "across": across,
        "tile": _TILE_REM.get(across, 6 * across),
        "tiles": [_tile(record, len(looks) > 1) for record in frame.to_dict("records")],
    }
    clicked = _mount(key=key, data=data, on_open_change=_nothing).get("open")
    return None if clicked is None else int(clicked)


def strip(dataset: str, rows: Sequence[int], captions: Sequence[str], run: str | None) -> None:
    """Small images in a row, under their heat maps where a gradcam run is named."""
    drawn = {"kind": "image"} if run is None else {"kind": "overlay", "run": run}
    where = address(dataset, size=SIDE, **drawn)
    cells = "".join(
        f"<figure>{image(where, int(row), ALTS[drawn['kind']])}{_caption(caption)}</figure>"
        for row, caption in zip(rows, captions, strict=True)
    )
    st.html(f'{_STYLE}<div class="slim-strip">{cells}</div>')


def image(where: str, row: int, alt: str) -> str:
    """An <img> of an address and an alt text with ROW in them."""
    source, told = html.escape(where.replace("ROW", str(row), 1)), html.escape(alt.replace("ROW", str(row), 1))
    return f'<img src="{source}" loading="lazy" alt="{told}">'


def _caption(text: str) -> str:
    return f"<figcaption>{html.escape(text)}</figcaption>"


def _tile(record: dict[str, Any], compared: bool) -> dict[str, Any]:
    lines = [_line(record, "", "before: " if compared else "")]
    if compared:
        lines.append(_line(record, "_after", "after: "))
    return {"row": int(record["row"]), "group": record["group"], "split": record["split"], "lines": lines}


def _line(record: dict[str, Any], of: str, told: str) -> dict[str, Any]:
    return {
        "right": bool(record[f"correct{of}"]),
        "text": f"{told}{record[f'prediction_name{of}']}, {percent(record[f'confidence{of}'], 0)} sure",
        "more": _attention(record, of),
    }


def _attention(record: dict[str, Any], of: str) -> str:
    if record.get(f"no_evidence{of}") is True:
        return " · no evidence"
    parts = [("precision", record.get(ATTENTION_PRECISION + of)), ("AIoU", record.get(AIOU + of))]
    return "".join(
        f" · {name} {percent(value, 0)}" for name, value in parts if value is not None and not pd.isna(value)
    )


def _nothing() -> None:
    """A callback that only makes Streamlit listen."""
