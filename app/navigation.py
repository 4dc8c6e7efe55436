"""Page set-up and navigation: the loop's pages in the loop's order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.access import Viewer
from app.routes.assets import static
from app.routes.monitoring import PAGE_SECONDS
from app.ui import queue_pause, reruns, sign_in
from app.ui.messages import errors_shown
from app.ui.next_step import file_of
from app.ui.runs import progress
from slim_core.errors import SlimError
from slim_core.runs import log_lines

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
    log_lines.bind(person=viewer.name)
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
    return [st.Page(sign_in.page, title="Sign in", url_path=name, default=name == "overview") for name in names]


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
    sign_in.corner()
    with (
        PAGE_SECONDS.labels(page.url_path or "overview").time(),
        errors_shown(),
    ):  # the last net: no page answers what a user can mend with a traceback
        with st.container():  # made in any case: what appears above the annotator would make it begin anew
            if page.url_path not in SUBMIT_NOTHING:
                queue_pause.show()
        with progress.changes_noticed():
            page.run()
