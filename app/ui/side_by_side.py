"""Two parts beside each other; below each other where names of groups or classes are too long for half a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LONGEST = 18  # characters of a name beside which half a page has room for the numbers


def halves(names: Iterable[str], widths: Sequence[float] = (1, 1), **options: Any) -> list[DeltaGenerator]:
    """Left and right, or above and below; ``names``: what the parts list, ``options`` as of st.columns."""
    if all(len(name) <= LONGEST for name in names):
        return st.columns(widths, **options)
    return [st.container(), st.container()]
