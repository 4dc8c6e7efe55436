"""Who is here: signing in and out where ``[auth]`` is set up, else the name this browser was given."""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitAuthError

from app import access, session
from app.signing import OUTCOME
from slim_core.errors import SlimError

WIDTH = 440  # pixels
OUTCOMES = {
    "refused": "You are not signed in: the identity provider refused, or you cancelled.",
    "failed": "You are not signed in: the provider's answer was not valid, or it came too late. Try again, or see "
    "the log of the dashboard.",
}


def page() -> None:
    """What is shown instead of every page until somebody has signed in."""
    st.space("large")
    centred = st.container(horizontal_alignment="center", key="sign-in")  # page.css keeps no room for a navigation here
    with centred, st.container(border=True, width=WIDTH, gap="medium"):
        st.title("Sign in", anchor=False)
        st.write("Answers, runs and campaigns are saved under your e-mail. An admin assigns your role.")
        if outcome := OUTCOMES.get("failed" if session.is_of_another_client() else st.query_params.pop(OUTCOME, "")):
            st.warning(outcome, icon=":material/error:")
        if not access.has_auth():
            st.error("The proxy in front of this dashboard sent no user. Open the dashboard at the proxy's address.")
            return
        _elsewhere()
        providers = _providers()
        if not providers:
            st.error("Sign-in is not configured: [auth] names no provider. See docs/operations.md.")
        for provider in providers:
            _button(provider)


def _button(provider: str | None) -> None:
    label = "Sign in" if provider is None else f"Sign in with {provider.capitalize()}"
    key = f"sign-in-{provider or 'default'}"
    if st.button(label, type="primary", icon=":material/login:", key=key, width="stretch"):
        _login(provider)


def _providers() -> list[str | None]:
    """The names of the providers in ``[auth]``; None is the one without a name."""
    auth = st.secrets["auth"]
    named: list[str | None] = [
        name for name, value in auth.items() if isinstance(value, Mapping) and "client_id" in value
    ]
    return named if "client_id" not in auth else [None, *named]


def _elsewhere() -> None:
    """The provider sends people to one address alone, where a cookie of another one does not count."""
    asked = str(st.secrets["auth"].get("redirect_uri", "")).replace("{port}", str(st.get_option("server.port")))
    here, there = urlsplit(st.context.url or asked), urlsplit(asked)
    if there.netloc and (here.scheme, here.netloc) != (there.scheme, there.netloc):
        address = f"{there.scheme}://{there.netloc}"
        st.warning(f"Sign-in works at another address of this dashboard. Open {address}.", icon=":material/link:")


def _login(provider: str | None) -> None:
    try:
        st.login(provider)
    except StreamlitAuthError as error:
        st.error(f"Sign-in is not configured: {error}", icon=":material/error:")


def corner() -> None:
    """The person and their role, at the end of the navigation."""
    if not access.signs_in() and session.given_name() is None:
        return
    with st.sidebar.container(key="signed-in"):
        with suppress(SlimError):  # the database is away: the page says so, and signing out needs none
            _role()
        if access.has_auth() and st.button("Sign out", icon=":material/logout:", key="sign-out", type="tertiary"):
            st.logout()


def _role() -> None:
    who = session.viewer()
    _small(f"{who.name} · {who.role}")
    if access.signs_in() and not who.may("annotator"):
        _small(_whom_to_ask())


def _whom_to_ask() -> str:
    """What a viewer without a further role reads."""
    if session.is_unverified():
        return "Your e-mail is not verified, so no role applies. Verify it at your provider, then sign in again."
    if session.signed_in_as() is None:
        return "You signed in without an e-mail, so no role applies. Ask whoever set up the sign-in."
    admins = [one.email for one in session.store().members.all() if one.role == "admin"]
    if not admins:
        return "You are a viewer. There is no admin yet. On the server, run: slim members set E-MAIL admin"
    return f"You are a viewer. For another role, ask {' or '.join(admins[:3])}."


def _small(text: str) -> None:
    """A line as it is: Markdown would make a link of every e-mail."""
    st.html(f'<small style="overflow-wrap: anywhere">{html.escape(text)}</small>')
