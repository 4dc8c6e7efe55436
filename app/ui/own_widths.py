"""A place for a table whose columns are as wide as what they hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def place(key: str, names: Iterable[str]) -> DeltaGenerator:
    """A container for the table of these names, another one for the table of others.

    A table that takes the place of one with the same columns keeps their widths, so that after a data set of short
    names the groups of the next one are cut after a few letters.
    """
    return st.container(key=f"{key}-{zlib.crc32(chr(10).join(names).encode()):08x}")
