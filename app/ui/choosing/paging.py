"""Long lists, a page at a time. A page number belongs to what is paged: other rows, or another filter, begin at 1."""

from __future__ import annotations

import hashlib

import numpy as np
import streamlit as st

from app.ui.choosing import url_state
from app.ui.choosing.url_state import number_of


def shown(n: int, per_page: int, name: str, of: str | np.ndarray, param: str | None = None) -> slice:
    """Draw the numbers of the pages, where there are several; the places of the rows on the one that is chosen.

    Args:
        n: rows there are.
        per_page: rows of a page.
        name: of the list, which no other one on the site has.
        of: what is paged: a filter in words, or what the rows are, in their order. It may grow and shrink.
        param: of the address, where a link can name a page.
    """
    pages, subject = max(1, -(-n // per_page)), _digest(of)
    key, paged = f"page-{name}-{subject}", f"paged-{name}"
    number = st.session_state.get(key, 1)
    if param and (
        url_state.read_link(param) or (key not in st.session_state and st.session_state.get(paged) == subject)
    ):
        number = _number(url_state.read(param))  # not that of what was paged before
    number = min(number, pages)
    if pages > 1:
        if st.session_state.get(key, number) != number:  # a link was followed, or there are fewer pages
            st.session_state[key] = number
        number = st.pagination(pages, default=number, key=key)
    st.session_state[paged] = subject
    if param:
        url_state.keep(param, str(number) if number > 1 else "")
    return slice((number - 1) * per_page, number * per_page)


def _number(linked: str) -> int:
    """The page that an address names, or the first."""
    return number_of(linked) or 1


def _digest(of: str | np.ndarray) -> str:
    content = of.encode() if isinstance(of, str) else np.ascontiguousarray(of).tobytes()
    return hashlib.blake2b(content, digest_size=6).hexdigest()
