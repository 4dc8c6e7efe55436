"""Who sees a data set, for its owner and admins to change; where nobody signs in there is nothing to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import access, session
from app.services import actions
from app.ui import reruns
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.reruns import sync
from slim_core.store.people.visibility import SHARED_ROLES

if TYPE_CHECKING:
    from slim_core.store import Dataset, Privacy


def button(dataset: Dataset) -> None:
    """A popover whose label says who sees it now; a badge for those who may not change it."""
    if not access.signs_in():
        return
    sharing = session.store().sharing
    if not (session.viewer().may("lead") and sharing.may_change(dataset.id)):
        if dataset.private:
            owner = f"Data set of {verbatim(dataset.created_by)}, shared with you."
            st.badge("Private", icon=":material/lock:", color="gray", help=owner)
        return
    label, icon = ("Private", "lock") if dataset.private else ("Visible to all", "group")
    with st.popover(label, icon=f":material/{icon}:", key=f"privacy-{dataset.id}"):
        _form(dataset, sharing.of(dataset.id))


def _form(dataset: Dataset, privacy: Privacy) -> None:
    members = [one.email for one in session.store().members.all() if one.email != privacy.owner.lower()]
    known = list(dict.fromkeys([*SHARED_ROLES, *members, *privacy.shared_with]))
    with st.form(f"privacy-form-{dataset.id}", border=False):
        private = st.toggle(
            "Private", key=sync(f"private-{dataset.id}", privacy.private),
            help="Hides it, its images, runs and campaigns from all but you, admins and the people below.",
        )  # fmt: skip
        people = st.multiselect(
            "Shared with", known, format_func=_described, accept_new_options=True,
            placeholder="E-mails or roles", key=sync(f"shared-{dataset.id}", list(privacy.shared_with)),
            help="Applies while the data set is private. Each person can do what their role allows.",
        )  # fmt: skip
        pressed = st.form_submit_button("Save", type="primary")
    if pressed:
        with errors_shown():
            actions.set_privacy(dataset.id, private=private, shared_with=people)
            reruns.saved(f"shared-{dataset.id}")
            st.rerun()


def _described(person: str) -> str:
    return f"Every {person}" if person in SHARED_ROLES else person
