"""Tags on the selected images: put on, taken off, and selected by."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from app.ui import reruns
from app.ui.choosing import selection
from app.ui.escape import verbatim
from slim_core.formatting import counted


def show(data: SpaceData, selected: np.ndarray) -> None:
    """A tag by name, old or new, and what to do with it: to put it on and take it off is for annotators.

    The box has the names alone: the browser sends back the words that it shows, and words with a number that has
    changed since, as by the last press, would be a new tag.
    """
    counts, may = session.store().tags.counts(data.dataset), session.viewer().may("annotator")
    tag = st.selectbox(
        "Tag",
        list(counts),
        index=None,
        accept_new_options=may,
        key="space-tag",
        placeholder="Choose a tag, or type a new one" if may else "Choose a tag",
    )
    with st.container(horizontal=True):
        none = not len(selected)
        add = may and reruns.button_once(  # a second press would say that it has tagged none
            f"Tag {counted(len(selected), 'image')}", key="space-tag-add", type="primary", disabled=none or not tag
        )
        off = may and reruns.button_once("Remove tag", key="space-tag-remove", disabled=none or tag not in counts)
        its = f"its {counted(counts[tag], 'image')}" if tag in counts else "its images"
        pick = st.button(f"Select {its}", key="space-tag-select", disabled=tag not in counts)
    if add:
        change(data, selected, str(tag), on=True)
    elif off:
        change(data, selected, str(tag), on=False)
    elif pick:
        at = space_data.positions_of(data, session.store().tags.rows(data.dataset, str(tag)))
        selection.keep(data, at[at >= 0])
        st.rerun()


def change(data: SpaceData, selected: np.ndarray, tag: str, *, on: bool) -> None:
    """Put a tag on the selected images, or take it off (needs annotator).

    Raises:
        ForbiddenError: the viewer is no annotator.
        SpecRefusedError: as ``clean_tag`` of slim_core.store.tags.
    """
    who, tags = session.acting_as("annotator"), session.store().tags
    changed = (tags.add if on else tags.remove)(data.dataset, data.rows[selected], tag, who)
    done = "tagged" if on else "untagged"
    st.session_state["space-said"] = f"{counted(changed, 'image')} {done} “{verbatim(tag)}”."
    st.rerun()
