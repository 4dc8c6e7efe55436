"""Filters of the images of a space: combined, selected, named, and opened on other pages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.services.results.space_data import SpaceData
from app.ui import next_step
from app.ui.choosing import selection
from app.ui.escape import verbatim
from slim_core.data.groups import in_order
from slim_core.data.image_filter import COLUMNS, ImageFilter
from slim_core.formatting import counted
from slim_core.metrics import AIOU, ATTENTION_PRECISION

SCORES = {"confidence": "confidence", "loss": "loss", ATTENTION_PRECISION: "attention precision", AIOU: "AIoU"}
TITLES = {"labels": "Label", "predictions": "Prediction", "groups": "Group", "tags": "Tag"}


def show(data: SpaceData) -> None:
    """What is combined, how many images pass, and the filters that have a name; annotators save and remove these."""
    parts = _parts(data)
    passing = selection.passing(data.dataset, parts, data.scores)
    none = parts.is_empty or not len(passing)
    pass_ = "passes" if len(passing) == 1 else "pass"
    st.caption("All images." if parts.is_empty else f"{counted(len(passing), 'image')} {pass_}.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if st.button(f"Select the {len(passing):,}", key="filter-select", type="primary", disabled=none):
            selection.keep(data, passing)
            st.rerun()
        if session.viewer().may("annotator"):
            _save(data, parts)
    _saved(data)


def _save(data: SpaceData, parts: ImageFilter) -> None:
    name = st.text_input("Name", key="filter-name", placeholder="to save it for everyone", width=220)
    if st.button("Save", key="filter-save", disabled=parts.is_empty):
        kept = session.store().filters.save(data.dataset, name or "", parts, session.acting_as("annotator"))
        st.session_state["space-said"] = f"Filter “{verbatim(kept.name)}” saved."
        st.rerun()


def _parts(data: SpaceData) -> ImageFilter:
    """As the widgets say."""
    images, places = data.scores, [place for _ in range(2) for place in st.columns(2)]
    offered = {part: in_order(images[column]) for part, column in COLUMNS.items()}
    offered["tags"] = list(session.store().tags.counts(data.dataset))
    chosen = {
        part: place.multiselect(TITLES[part], names, key=f"filter-{part}", placeholder="all", disabled=not names)
        for (part, names), place in zip(offered.items(), places, strict=True)
    }
    return ImageFilter(**chosen, ranges=_ranges(images))


def _ranges(images: pd.DataFrame) -> dict[str, tuple[float, float]]:
    known = [name for name in SCORES if name in images and images[name].notna().any()]
    named = st.multiselect("Score", known, format_func=SCORES.__getitem__, key="filter-scores", placeholder="any")
    found = {}
    for name in named:
        lowest, highest = 0.0, max(1.0, float(np.nanmax(images[name])))
        low, high = st.slider(SCORES[name], lowest, highest, (lowest, highest), 0.01, key=f"filter-range-{name}")
        found[name] = (low, high)
    return found


def _saved(data: SpaceData) -> None:
    """The filters that have a name, each with its links, and how one is removed."""
    known = {one.id: one for one in session.store().filters.all(data.dataset)}
    if not known:
        return
    chosen = known[st.selectbox("Saved", list(known), format_func=lambda one: known[one].name, key="filter-saved")]
    st.caption(verbatim(f"{chosen.parts.in_words()}. By {chosen.created_by}."))
    link = {"dataset": data.dataset, selection.FILTER: chosen.id}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        next_step.link("space", "Select", icon="select_all", run=data.run, **link)
        next_step.link("attention", "Attention", icon="visibility", run=data.attention, **link)
        if session.viewer().may("lead"):
            next_step.link("annotate", "Ask", icon="campaign", space=data.run, section="new", **link)
        may = session.viewer().may("annotator")
        if may and st.button("Remove", key=f"filter-remove-{chosen.id}", icon=":material/delete:", type="tertiary"):
            session.store().filters.remove(chosen.id, session.acting_as("annotator"))
            st.session_state["space-said"] = f"Filter “{verbatim(chosen.name)}” removed."
            st.rerun()
