"""Where the parts of the page are. A part that comes while somebody watches comes below those that are there, which
stay where they are; their next visit begins with the usual order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from app.ui import reruns

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

USUAL = ("story", "tries", "figures", "steps")
_ORDER = "overview-order"  # of the session: (visit, data set), and the order that holds for them


def make(dataset: str, present: Collection[str]) -> Mapping[str, DeltaGenerator]:
    """A container for each part of USUAL; ``present``: those that have something to show now."""
    about = (reruns.visit_number(), dataset)
    if st.session_state.get(_ORDER, (None, ()))[0] != about:
        st.session_state[_ORDER] = about, sorted(USUAL, key=lambda part: part not in present)
    return {part: st.container() for part in st.session_state[_ORDER][1]}
