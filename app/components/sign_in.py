"""Who is here: signing in and out where ``[auth]`` is set up, else the name this browser was given."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitAuthError

from app import session
from app.listening import has_auth, signs_in


def page() -> None:
    """What is shown instead of every page until somebody has signed in."""
    st.title("Sign in")
    st.write("Answers, runs and campaigns are kept under your name.")
    for provider in _providers():
        label = "Sign in" if provider is None else f"Sign in with {provider.capitalize()}"
        if st.button(label, type="primary", icon=":material/login:", key=f"sign-in-{provider or 'default'}"):
            _login(provider)


def _providers() -> list[str | None]:
    """The names of the providers in ``[auth]``; None is the one without a name."""
    auth = st.secrets["auth"]
    named: list[str | None] = [name for name, value in auth.items() if isinstance(value, Mapping)]
    return named if "client_id" not in auth else [None, *named]


def _login(provider: str | None) -> None:
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        st.error(f"Signing in is not set up completely: {error}", icon=":material/error:")


def corner() -> None:
    """The person and their role, at the end of the navigation."""
    if not signs_in() and session.given_name() is None:
        return
    who = session.viewer()
    with st.sidebar.container(key="who"):
        st.caption(f"{who.name} · {who.role}", help="What you may do here; an admin can change it.")
        if has_auth() and st.button("Sign out", icon=":material/logout:", key="sign-out", type="tertiary"):
            st.logout()
