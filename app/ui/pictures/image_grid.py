"""Images of a data set in rows, fetched by the browser from their addresses; none passes through the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from app import session
from app.routes.images import image_url

_STYLE = """<style>
.slim-grid {display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--side), 1fr)); gap: 0.75rem;}
.slim-grid figure {margin: 0;}
.slim-grid img {width: 100%; aspect-ratio: 1; display: block; border-radius: 0.3rem; background: rgba(128,128,128,.12);}
.slim-grid figcaption {font-size: 0.78rem; line-height: 1.25; padding-top: 0.2rem; opacity: 0.85;}
</style>"""


def show(
    dataset: str,
    rows: Sequence[int],
    captions: Sequence[str],
    *,
    side: int = 112,
    kind: str = "image",
    run: str | None = None,
) -> None:
    """A grid of images of ``side`` px or more; ``kind`` and ``run`` as in the image route."""
    token = session.token(dataset=dataset)
    cells = "".join(
        _cell(image_url(dataset, int(row), token, size=2 * side, kind=kind, run=run), int(row), caption)
        for row, caption in zip(rows, captions, strict=True)
    )
    st.html(f'{_STYLE}<div class="slim-grid" style="--side: {side}px">{cells}</div>')


def _cell(url: str, row: int, caption: str) -> str:
    text = html.escape(caption)
    return (
        f'<figure><img src="{html.escape(url)}" loading="lazy" alt="Image {row}: {text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )
