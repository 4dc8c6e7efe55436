"""The name, the note and the tags of a data set, a run or a campaign, and the form that changes them."""

from __future__ import annotations

import streamlit as st

from app import session
from app.services import actions
from app.ui import reruns
from app.ui.messages import errors_shown, prose, verbatim
from app.ui.reruns import sync
from slim_core.errors import ConflictError
from slim_core.store.notes import MAX_NAME, MAX_TEXT, Note


def show(subject: str, name: str) -> None:
    """Tags and note in a line, and for leads the form behind a button. ``subject``: the id; ``name``: as it is."""
    note = session.store().notes.fetch(subject)
    with st.container(horizontal=True, vertical_alignment="center", key=f"notes-{subject}"):
        if session.viewer().may("lead"):
            with st.popover("Name, note, tags", icon=":material/edit:"):
                _form(subject, name, note)
        if note.tags:
            st.markdown(" ".join(f":blue-badge[{verbatim(tag)}]" for tag in note.tags), width="content")
        if note.text:
            st.caption(prose(note.text), width="stretch")


def _form(subject: str, name: str, note: Note) -> None:
    with st.form(f"describe-{subject}", border=False):
        new = st.text_input("Name", max_chars=MAX_NAME, key=sync(f"name-{subject}", name))
        text = st.text_area("Note", max_chars=MAX_TEXT, key=sync(f"note-{subject}", note.text))
        known = sorted({*session.store().notes.tags(), *note.tags})
        tags = st.multiselect(
            "Tags", known, accept_new_options=True, key=sync(f"tags-{subject}", list(note.tags)),
            help="The search on the Jobs page finds runs by name, note and tag.",
        )  # fmt: skip
        pressed = st.form_submit_button("Save", type="primary")
    if pressed:
        with errors_shown():
            _require_not_overtaken(subject, name, note)
            actions.describe(subject, name=new, text=text, tags=tags)
            reruns.saved(f"name-{subject}", f"note-{subject}", f"tags-{subject}")
            st.rerun()


def _require_not_overtaken(subject: str, name: str, note: Note) -> None:
    """``name``, ``note``: as they are stored.

    Raises:
        ConflictError: somebody else has written what was written here, too; not where it is saved again.
    """
    stored = {"name": name, "note": note.text}
    news = [
        f"The {what} is now: {text}" for what, text in stored.items() if reruns.overtaken(f"{what}-{subject}", text)
    ]
    if news:
        said = "It was changed elsewhere meanwhile. To replace that, save again."
        raise ConflictError("\n".join([said, *news]))
