"""Who may do what, where people sign in: roles by e-mail, set by admins."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import session
from app.bind_address import signs_in
from app.services import campaign_actions
from app.ui.messages import errors_told
from slim_core.store.members import ROLES, Role

MEANS: dict[Role, str] = {
    "viewer": "looks on",
    "annotator": "answers images",
    "lead": "opens campaigns, decides, queues runs",
    "admin": "gives roles",
}


def show() -> None:
    """An expander for admins; nothing where nobody signs in, since then everybody may do all."""
    if not signs_in() or not session.viewer().may("admin"):
        return
    with st.expander("Members", icon=":material/group:"):
        known = session.store().members.all()
        frame = pd.DataFrame([(one.email, one.role, one.added_by, one.added_at) for one in known])
        if len(frame):
            titles = ["E-mail", "Role", "Added by", "On"]
            st.dataframe(frame.set_axis(titles, axis=1), hide_index=True, alt="Members and their roles")
        _set()
        _remove([one.email for one in known])


def _set() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.text_input("E-mail this person signs in with", key="member-email", width=320)
        role = st.selectbox(
            "Role", ROLES, 1, format_func=lambda one: f"{one}: {MEANS[one]}", key="member-role", width=320
        )
        if st.button("Set the role", key="member-set", disabled=not email.strip()):
            with errors_told():
                campaign_actions.set_member(email, role)
                st.rerun()


def _remove(emails: list[str]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        email = st.selectbox("Take out", emails, None, key="member-out", width=320)
        if st.button("Take out; their answers stay", key="member-remove", disabled=email is None):
            with errors_told():
                campaign_actions.remove_member(str(email))
                st.rerun()
