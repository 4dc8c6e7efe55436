"""Roles of the people who sign in, by e-mail, set by admins."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import access, session
from app.services import campaign_actions
from app.ui.messages import errors_shown
from slim_core.store.people.members import ROLES, Role

PERMISSIONS: dict[Role, str] = {
    "viewer": "views all pages",
    "annotator": "answers images",
    "lead": "opens campaigns, decides disagreements, queues runs",
    "admin": "assigns roles",
}


def show() -> None:
    """An expander for admins; nothing without sign-in, where everyone may do everything."""
    if not access.signs_in() or not session.viewer().may("admin"):
        return
    with st.expander("Members", icon=":material/group:"):
        known = session.store().members.all()
        frame = pd.DataFrame([(one.email, one.role, one.added_by, session.day(one.added_at)) for one in known])
        if len(frame):
            titles = ["E-mail", "Role", "Added by", "On"]
            st.dataframe(frame.set_axis(titles, axis=1), hide_index=True, alt="Members and their roles")
        _set()
        _remove([one.email for one in known])


def _set() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.text_input("Sign-in e-mail", key="member-email", width=320)
        role = st.selectbox(
            "Role", ROLES, 1, format_func=lambda one: f"{one}: {PERMISSIONS[one]}", key="member-role", width=320
        )
        if st.button("Set the role", key="member-set"):  # never off: the first click has to count
            with errors_shown():
                campaign_actions.set_member(email, role)
                st.rerun()


def _remove(emails: list[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.selectbox("Remove", emails, None, key="member-out", width=320)
        if st.button("Remove (answers are kept)", key="member-remove", disabled=email is None):
            with errors_shown():
                campaign_actions.remove_member(str(email))
                st.rerun()
