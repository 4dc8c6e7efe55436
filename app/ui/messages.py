"""Errors as the one sentence they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.ui.escape import prose
from slim_core.errors import SlimError


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show a SlimError raised inside as its sentence; what follows on the page still runs."""
    try:
        yield
    except SlimError as error:
        st.error(prose(error), icon=":material/error:")
