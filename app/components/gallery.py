"""The attention gallery: each image beside its overlay and its heat map, all fetched by the browser by address."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.charts.palette import RIGHT, WRONG
from app.routes.images import image_url

KINDS = ("image", "overlay", "heat")
ALTS = {"image": "Image {row}", "overlay": "Image {row} under its heat map", "heat": "Heat map of image {row}"}
_STYLE = """<style>
.slim-gallery {display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem 1.25rem;}
.slim-gallery figure {margin: 0;}
.slim-gallery .trio {display: grid; grid-template-columns: repeat(3, 1fr); gap: 3px; border-radius: 0.4rem;
  overflow: hidden;}
.slim-gallery img {width: 100%; aspect-ratio: 1; display: block; background: rgba(128,128,128,.12);}
.slim-gallery figcaption {font-size: 0.82rem; line-height: 1.4; padding-top: 0.3rem;
  font-variant-numeric: tabular-nums;}
.slim-gallery .muted {opacity: 0.7;}
.slim-strip {display: flex; flex-wrap: wrap; gap: 0.5rem;}
.slim-strip figure {margin: 0; width: 96px;}
.slim-strip img {width: 96px; height: 96px; border-radius: 0.3rem; display: block; background: rgba(128,128,128,.12);}
.slim-strip figcaption {font-size: 0.72rem; line-height: 1.25; padding-top: 0.15rem; opacity: 0.85;}
</style>"""


def address(dataset: str, **drawn: Any) -> str:
    """Address of an image of the data set with ROW where its row goes; ``drawn`` as in ``image_url``."""
    return image_url(dataset, 0, session.token(dataset=dataset), **drawn).replace("/0?", "/ROW?", 1)


def show(dataset: str, run: str, frame: pd.DataFrame, map_of: str = "label") -> None:
    """Image, overlay and heat map of each row of ``frame`` (as made by attention_scores.frame)."""
    addresses = {kind: address(dataset, size=256, kind=kind, run=run, map_of=map_of) for kind in KINDS}
    cells = "".join(_figure(addresses, record) for record in frame.to_dict("records"))
    st.html(f'{_STYLE}<div class="slim-gallery">{cells}</div>')


def strip(dataset: str, rows: Sequence[int], captions: Sequence[str], run: str | None) -> None:
    """Small images in a row, under their heat maps where a gradcam run is named."""
    drawn = {"kind": "image"} if run is None else {"kind": "overlay", "run": run}
    where = address(dataset, size=192, **drawn)
    cells = "".join(
        f"<figure>{_image(where, int(row), ALTS[drawn['kind']])}{_caption(caption)}</figure>"
        for row, caption in zip(rows, captions, strict=True)
    )
    st.html(f'{_STYLE}<div class="slim-strip">{cells}</div>')


def _caption(text: str) -> str:
    return f"<figcaption>{html.escape(text)}</figcaption>"


def _figure(addresses: dict[str, str], record: dict[str, Any]) -> str:
    pictures = "".join(_image(addresses[kind], record["row"], ALTS[kind]) for kind in KINDS)
    colour, mark = (RIGHT, "✓") if record["correct"] else (WRONG, "✗")
    seen = html.escape(f"predicted {record['prediction_name']}, {record['confidence']:.0%} sure")
    verdict = f'<b style="color:{colour}">{mark}</b> {seen}'
    return (
        f'<figure><div class="trio">{pictures}</div><figcaption><b>{html.escape(record["group"])}</b> '
        f'<span class="muted">image {record["row"]}, {record["split"]}</span><br>{verdict}'
        f'<span class="muted">{_attention(record)}</span></figcaption></figure>'
    )


def _attention(record: dict[str, Any]) -> str:
    if record.get("no_evidence"):
        return " · no evidence for this class"
    precision = record.get("attention_precision")
    return "" if precision is None or pd.isna(precision) else f" · attention precision {precision:.0%}"


def _image(where: str, row: int, alt: str) -> str:
    source = html.escape(where.replace("ROW", str(row), 1))
    return f'<img src="{source}" loading="lazy" alt="{alt.format(row=row)}">'
