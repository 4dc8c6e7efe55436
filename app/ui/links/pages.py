"""The pages by name, as Streamlit's own links and jumps take them."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from app.ui.choosing import url_state


def file_of(page: str) -> str:
    """The script of a page, relative to app/main.py: what st.switch_page and st.page_link take."""
    return f"{page}/page.py"


def go_to(page: str, **params: str) -> NoReturn:
    """Open a page with these parameters in its address; what follows in this run is not drawn."""
    for param, value in params.items():
        url_state.expect(param, value)
    st.switch_page(file_of(page), query_params=params or None)
