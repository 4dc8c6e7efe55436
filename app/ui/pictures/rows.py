"""Images in rows of a few views each (image, overlay before, overlay after), fetched by the browser by address."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from app import session
from app.routes.images import image_url
from slim_core.evaluation.charts.palette import RIGHT, WRONG
from slim_core.percent import percent

_STYLE = """<style>
.slim-pairs {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--wide)), 1fr));
  gap: 0.9rem 1.1rem;}
.slim-pairs figure {margin: 0; max-width: calc(1.3 * var(--wide));}
.slim-pairs .views {display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 3px; border-radius: 0.4rem;
  overflow: hidden;}
.slim-pairs img {width: 100%; aspect-ratio: 1; display: block; background: rgba(128,128,128,.12);}
.slim-pairs .names {display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 3px; font-size: 0.78rem;
  line-height: 1.35; padding-top: 0.2rem;}
.slim-pairs figcaption {font-size: 0.82rem; line-height: 1.4; font-variant-numeric: tabular-nums;}
.slim-pairs .muted {opacity: 0.72;}
</style>"""
LARGE = 768  # px of the image that a click opens


@dataclass(frozen=True)
class View:
    """One picture of an image: as it is (no ``run``), or under the attention of a run that kept its maps."""

    name: str  # below the picture; may hold markup made by ``verdict``
    run: str | None = None


@dataclass(frozen=True)
class Shown:
    """An image, its views from left to right, and what is said below them."""

    row: int
    views: Sequence[View]
    caption: str = ""
    lines: Sequence[str] = field(default=())


def verdict(correct: bool, predicted: str, confidence: float | None = None) -> str:
    """A tick or a cross in its colour and the class that was predicted, as markup."""
    colour, mark = (RIGHT, "✓") if correct else (WRONG, "✗")
    sure = "" if confidence is None else f", {percent(confidence, 0)} sure"
    return f'<b style="color:{colour}">{mark}</b> {html.escape(predicted)}{sure}'


def show(dataset: str, images: Sequence[Shown], *, side: int = 150) -> None:
    """A grid; ``side``: px of each view at least."""
    if not images:
        return
    token = session.token(dataset=dataset)
    wide = side * max(len(one.views) for one in images)
    cells = "".join(_figure(dataset, one, token, 2 * side) for one in images)
    st.html(f'{_STYLE}<div class="slim-pairs" style="--wide: {wide}px">{cells}</div>')


def _figure(dataset: str, shown: Shown, token: str, size: int) -> str:
    pictures = "".join(_picture(dataset, shown.row, view, token, size) for view in shown.views)
    names = "".join(f"<span>{view.name}</span>" for view in shown.views)
    below = f'<div class="names">{names}</div>' if any(view.name for view in shown.views) else ""
    lines = "<br>".join([shown.caption] * bool(shown.caption) + [_muted(line) for line in shown.lines])
    return f'<figure><div class="views">{pictures}</div>{below}<figcaption>{lines}</figcaption></figure>'


def _muted(line: str) -> str:
    return f'<span class="muted">{html.escape(line)}</span>'


def _picture(dataset: str, row: int, view: View, token: str, size: int) -> str:
    drawn = {"kind": "image"} if view.run is None else {"kind": "overlay", "run": view.run}
    small, large = (html.escape(image_url(dataset, row, token, size=px, **drawn)) for px in (min(size, LARGE), LARGE))
    alt = f"Image {row}" if view.run is None else f"Image {row} under the attention of run {view.run}"
    return f'<a href="{large}" target="_blank"><img src="{small}" loading="lazy" alt="{alt}"></a>'
