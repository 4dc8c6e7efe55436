"""The one next thing to do, at the end of a page."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.links import pages
from app.ui.reruns import visit

WAIT_FOR_DATA = "wait until a lead registers data."  # for those who may not


def show(sentence: str, page: str, label: str, **params: str) -> None:
    """A box with one sentence and a link to a page (by its name, such as "train"), with query parameters."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Next:** {sentence}", width="stretch")
        link(page, label, **params)


def here(sentence: str) -> None:
    """A box with one sentence and no link: the next thing is done on this very page."""
    with st.container(border=True):
        st.markdown(f"**Next:** {sentence}")


def needs_data(sentence: str) -> None:
    """What a page is for, where no data is registered yet, and the way to where that is done."""
    st.info(sentence)
    register_data()


def register_data() -> None:
    """The next step where no data is registered yet."""
    if session.viewer().may("lead"):
        show("register a folder of images, or try the demo data.", "data", "Register data")
    else:
        here(WAIT_FOR_DATA)


def link(page: str, label: str, *, icon: str = "arrow_forward", **params: str) -> None:
    """A link to a page by its name. To the page one is on it is a button: that page's address would lose the rest."""
    if params and page == (visit.page() or "overview"):
        key = "-".join(["link", page, label, *params.values()])
        if st.button(label, key=key, icon=f":material/{icon}:" if icon else None, type="tertiary"):
            pages.go_to(page, **params)
        return
    st.page_link(
        pages.file_of(page),
        label=label,
        icon=f":material/{icon}:" if icon else None,
        query_params=params or None,
        width="content",
    )
