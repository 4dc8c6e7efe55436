"""Page set-up and navigation: the loop's pages in the loop's order; and who is here.

Where ``[auth]`` is set up, they sign in and out; else there is the name that this browser was given.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitAuthError

from app import session
from app.admission import OUTCOME
from app.routes.assets import static
from app.routes.monitoring import PAGE_SECONDS
from app.session import Viewer
from app.ui import progress, reruns
from app.ui.messages import errors_shown
from app.ui.next_step import file_of
from slim_core.errors import SlimError

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

LOGO, ICON = static("ui/logo.svg"), static("ui/icon.svg")

# group -> (page, icon): the file is <page>/page.py and the address /<page>
PAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (("overview", "home"),),
    "Data and model": (("data", "photo_library"), ("draw", "draw"), ("train", "model_training")),
    "Attention": (("attention", "center_focus_strong"), ("space", "scatter_plot"), ("annotate", "touch_app")),
    "Subset and result": (("curate", "filter_alt"), ("compare", "leaderboard")),
    "Machine": (("jobs", "list_alt"), ("activity", "manage_search")),
}
FOR_ADMINS = ("activity",)

SUBMIT_NOTHING = ("data",)  # pages that do not say that the queue is paused


def pages(viewer: Viewer | None) -> dict[str, list[StreamlitPage]]:
    """All pages by their group in the navigation, which shows those that are for this viewer; a link opens any."""
    hidden = () if viewer is not None and viewer.may("admin") else FOR_ADMINS
    return {
        group: [_page(name, icon, is_shown=name not in hidden) for name, icon in entries]
        for group, entries in PAGES.items()
    }


def _viewer() -> Viewer | None:
    """Who runs the script, for the log too; None where the database is away: each page says so by itself."""
    try:
        viewer = session.viewer()
    except SlimError:
        return None
    return viewer


def _page(name: str, icon: str, *, is_shown: bool) -> StreamlitPage:
    return st.Page(
        file_of(name),
        title=name.capitalize(),
        icon=f":material/{icon}:",
        url_path=name,
        default=name == "overview",
        visibility="visible" if is_shown else "hidden",
    )


def _signed_out() -> list[StreamlitPage]:
    """The same addresses, each of which asks to sign in first."""
    names = [name for entries in PAGES.values() for name, _ in entries]
    return [st.Page(sign_in_page, title="Sign in", url_path=name, default=name == "overview") for name in names]


@session.cached_lookups()
def run() -> None:
    """One run of the script for one viewer."""
    st.set_page_config(page_title="SLIM Studio", page_icon=str(ICON), layout="wide", initial_sidebar_state=230)
    st.logo(str(LOGO), size="large")
    if session.must_sign_in():
        st.navigation(_signed_out(), position="hidden").run()
        return
    page = st.navigation(pages(_viewer()))
    reruns.begin_visit(page.url_path)
    corner()
    with (
        PAGE_SECONDS.labels(page.url_path or "overview").time(),
        errors_shown(),
    ):  # the last net: no page answers what a user can mend with a traceback
        with st.container():  # made in any case: what appears above the annotator would make it begin anew
            if page.url_path not in SUBMIT_NOTHING:
                progress.show_pause()
        with progress.changes_noticed():
            page.run()


WIDTH = 440  # pixels
OUTCOMES = {
    "refused": "You are not signed in: the identity provider refused, or you cancelled.",
    "failed": "You are not signed in: the provider's answer was not valid, or it came too late. Try again, or see "
    "the log of the dashboard.",
}


def sign_in_page() -> None:
    """What is shown instead of every page until somebody has signed in."""
    st.space("large")
    centred = st.container(horizontal_alignment="center", key="sign-in")  # page.css keeps no room for a navigation here
    with centred, st.container(border=True, width=WIDTH, gap="medium"):
        st.title("Sign in", anchor=False)
        st.write("Answers, runs and campaigns are saved under your e-mail. An admin assigns your role.")
        if outcome := OUTCOMES.get("failed" if session.is_of_another_client() else st.query_params.pop(OUTCOME, "")):
            st.warning(outcome, icon=":material/error:")
        if not session.has_auth():
            st.error("The proxy in front of this dashboard sent no user. Open the dashboard at the proxy's address.")
            return
        _elsewhere()
        providers = _providers()
        if not providers:
            st.error("Sign-in is not configured: [auth] names no provider. See docs/operations.md.")
        for provider in providers:
            _sign_in_button(provider)


def _sign_in_button(provider: str | None) -> None:
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
    if not session.signs_in() and session.given_name() is None:
        return
    with st.sidebar.container(key="signed-in"):
        with suppress(SlimError):  # the database is away: the page says so, and signing out needs none
            _role()
        if session.has_auth() and st.button("Sign out", icon=":material/logout:", key="sign-out", type="tertiary"):
            st.logout()


def _role() -> None:
    who = session.viewer()
    _small(f"{who.name} · {who.role}")
    if session.signs_in() and not who.may("annotator"):
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
