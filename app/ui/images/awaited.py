"""Buttons that wait for the images they are about: nobody answers what is not on screen yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import streamlit as st

from app.routes.assets import static

_mount = st.components.v2.component(
    "slim_awaited",
    html='<span class="slim-awaited" role="status" hidden>Loading images ...</span>',
    js=static("ui/awaited.js").read_text(),
    isolate_styles=False,
)


@contextmanager
def images(key: str, buttons: Iterable[str], shortcuts: Iterable[str] = ()) -> Iterator[None]:
    """Around images of app/ui/images/pictures.py and the buttons about them, which come later in the run.

    ``buttons``: what their keys begin with, a hyphen and more behind it; ``shortcuts``: the keys that press them.
    """
    with st.container(key=f"awaits-{key}"):
        pressed = ", ".join(f'[class*="st-key-{each}-"]' for each in buttons)
        _mount(key=f"awaited-{key}", data={"buttons": pressed, "shortcuts": list(shortcuts)})
        yield
