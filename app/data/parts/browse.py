"""Choosing a folder, or a table in it, by going through the allowed folders."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.services import actions
from app.ui import reruns
from app.ui.escape import prose, verbatim
from app.ui.reruns import dialog
from slim_core.data.incoming.browse import MOST_READ, Entry, Listing
from slim_core.errors import PathRefusedError, SlimError
from slim_core.formatting import counted, is_or_are

# Of the session: the visit in which a folder is shown, and which; what its names are narrowed to.
_AT, _WORDS = "browse-at", "browse-words"
_HEIGHT = 340  # pixels of the list


def button(field: str) -> None:
    """Opens the dialog, whose choice becomes the text of the field of this key."""
    st.button("Browse", icon=":material/folder_open:", on_click=_open, args=(field,))
    if _here() is not None:
        dialog("Choose a folder", _close)(_show)(field)


def _open(field: str) -> None:
    """Begin at the folder that is typed in the field, where there is one."""
    typed = str(st.session_state.get(field, "")).strip()
    try:
        _go(str(actions.browse(typed).path) if typed else "")
    except SlimError:
        _go("")


def _here() -> str | None:
    """The folder that is shown; "" shows the allowed ones. None where the dialog is closed, as by leaving the page."""
    visited, path = st.session_state.get(_AT, (None, ""))
    return path if visited == reruns.visit_number() else None


def _close() -> None:
    st.session_state.pop(_AT, None)


def _show(field: str) -> None:
    here = _here()
    if not here:
        _roots()
        return
    try:
        found = actions.browse(here, str(st.session_state.get(_WORDS, "")))
    except PathRefusedError as error:  # gone since, or not to be read
        st.warning(prose(error), icon=":material/folder_off:")
        st.button("Allowed folders", icon=":material/arrow_back:", on_click=_go, args=("",), key="browse-back")
        return
    _way(found)
    st.text_input(
        "Find", key=_WORDS, placeholder="part of a name", icon=":material/search:", label_visibility="collapsed"
    )
    with st.container(height=_HEIGHT, gap=None):
        _list(found, field)
    _choose(found, field)


def _roots() -> None:
    st.caption("Images may be registered from these folders.")
    found = actions.browse_roots()
    if not found:
        st.warning("None of the folders in SLIM_DATA_ROOTS exists.", icon=":material/folder_off:")
    with st.container(height=_HEIGHT, gap=None):
        for number, entry in enumerate(found):
            _folder(entry, str(entry.path), number)


def _way(found: Listing) -> None:
    """The folders above, each a button."""
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        st.button("Allowed folders", type="tertiary", on_click=_go, args=("",), key="browse-way-all")
        for depth, folder in enumerate(found.way):
            st.markdown("/", width="content")
            name = str(folder) if depth == 0 else folder.name
            is_here = folder == found.path
            st.button(
                verbatim(name), type="tertiary", disabled=is_here, on_click=_go, args=(str(folder),), key=f"way-{depth}"
            )


def _list(found: Listing, field: str) -> None:
    # Keyed by place: the focus stays where it was, so that Enter, Enter goes down.
    for number, entry in enumerate(found.folders):
        _folder(entry, entry.name, number)
    for number, table in enumerate(found.tables):
        if st.button(verbatim(table.name), type="tertiary", icon=":material/table:", key=f"browse-table-{number}"):
            _take(field, table)
    if not found.folders and not found.tables:
        st.caption("No folders or tables here." if not st.session_state.get(_WORDS) else "No name here matches.")


def _folder(entry: Entry, name: str, number: int) -> None:
    st.button(
        verbatim(name),
        type="tertiary",
        icon=":material/folder:" if entry.is_readable else ":material/folder_off:",
        disabled=not entry.is_readable,
        help=None if entry.is_readable else "The user that SLIM runs as cannot read this folder.",
        on_click=_go,
        args=(str(entry.path),),
        key=f"browse-{number}",
    )


def _choose(found: Listing, field: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Use this folder", type="primary", key="browse-use"):
            _take(field, found.path)
        st.caption(_facts(found), width="stretch")


def _facts(found: Listing) -> str:
    said = f"{counted(found.n_folders, 'folder')}, {counted(found.n_images, 'image')}."
    hidden = found.n_folders - len(found.folders)
    if hidden:
        left_out = f"{counted(hidden, 'folder')} {is_or_are(hidden)} not listed"
        said = f"{said} {left_out}. Narrow the names above."
    if found.is_cut:
        said = f"The first {MOST_READ:,} entries hold {said} Type the path of anything that is missing."
    return said


def _go(path: str) -> None:
    st.session_state[_AT], st.session_state[_WORDS] = (reruns.visit_number(), path), ""


def _take(field: str, path: Path) -> None:
    """Close the dialog; the field is filled before it is drawn again."""
    st.session_state[f"{field}-chosen"] = str(path)
    _close()
    st.rerun()
