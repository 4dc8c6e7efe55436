"""On how many images attention is scored, and the way to where the object is outlined on more of them."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.glossary import explain
from app.ui.links import next_step


def show(sentence: str, share: float, *, dataset: str, split: str | None = None) -> None:
    """``sentence``: in words; ``share``: of the images that are scored, 0..1: at 1 nothing is left to draw."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(sentence, help=explain("coverage"), width="content")
        if share < 1 and session.viewer().may("annotator"):
            which = {"draw-split": split} if split else {}
            next_step.link("draw", "Draw the object", icon="draw", dataset=dataset, **which)
