"""A file that is made when its button is pressed, by a thread of the server that knows no session."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import session


def button(
    label: str,
    make: Callable[[], bytes],
    name: str,
    mime: str,
    *,
    icon: str,
    key: str | None = None,
    help: str | None = None,
) -> None:
    """``make`` reads the store as whoever sees this page: in its thread nobody is signed in."""
    viewer = session.viewer()

    def made() -> bytes:
        with session.reading_as(viewer):
            return make()

    st.download_button(label, made, name, mime, icon=f":material/{icon}:", key=key, help=help, on_click="ignore")
