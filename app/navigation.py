"""Page set-up and navigation: the loop's pages in the loop's order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.components import chart, sign_in
from app.components.telling import errors_told

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

VIEWS = Path(__file__).parent / "views"
LOGO, ICON = VIEWS.with_name("assets") / "logo.svg", VIEWS.with_name("assets") / "icon.svg"

# group -> (page, icon): the file is views/<page>_page.py and the address /<page>
PAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (("overview", "home"),),
    "Data and model": (("data", "photo_library"), ("train", "model_training")),
    "Attention": (("attention", "center_focus_strong"), ("space", "scatter_plot"), ("annotate", "touch_app")),
    "Subset and result": (("curate", "filter_alt"), ("compare", "leaderboard")),
    "Machine": (("jobs", "list_alt"),),
}

# What the theme cannot say: less air above, figures of equal width, no jump while a fragment is drawn again, white on a
# blue that is dark enough for it in both themes, titles of numbers that are never cut, a ring around the link
# that the keyboard is on; and on a tablet less margin, and columns that go below each other before they are too narrow.
STYLE = """<style>
.stMainBlockContainer {padding-top: 3rem; padding-bottom: 4rem;}
.stApp {font-variant-numeric: tabular-nums;}
[class*="st-key-loop-"] a {padding-left: 0;}
[data-stale="true"] {opacity: 1 !important; transition: none !important;}
[data-testid^="stBaseButton-primary"]:enabled {background: #0072B2; border-color: #0072B2;}
[data-testid="stImage"] img, [data-testid="stHtml"] img {color: inherit;}
.stApp a:focus-visible, .stApp div[tabindex="0"]:focus-visible {outline: 2px solid currentColor; outline-offset: -2px;}
.st-key-after-the-page {position: absolute;}
[data-testid="stMetricLabel"] p {white-space: normal; overflow: visible;}
@media (max-width: 1100px) {
  .stMainBlockContainer {padding-left: 2rem; padding-right: 2rem;}
  .stHorizontalBlock:has(> .stColumn) {flex-wrap: wrap;}
  .stColumn {min-width: min(100%, 9.5rem);}
  .stColumn:has(.stPlotlyChart, .stDataFrame, .stHtml img, [class*="st-key-chart-"], [class*="st-key-facts-"])
    {min-width: min(100%, 20rem);}
  .stColumn:has([class*="st-key-loop-"]) {min-width: calc(25% - 1rem);}
}
@media (max-width: 900px) {
  .stColumn:has(.stMetric):not(:has(.stColumn)) {min-width: calc(50% - 1rem);}
  .stColumn:has(.stNumberInput, .stSlider):not(:has(.stPlotlyChart)) {min-width: min(100%, 13rem);}
}
</style>"""


def pages() -> dict[str, list[StreamlitPage]]:
    """The pages that exist, by their group in the navigation."""
    return {
        group: [_page(name, icon) for name, icon in entries if (VIEWS / f"{name}_page.py").exists()]
        for group, entries in PAGES.items()
    }


def _page(name: str, icon: str) -> StreamlitPage:
    path = VIEWS / f"{name}_page.py"
    return st.Page(path, title=name.capitalize(), icon=f":material/{icon}:", url_path=name, default=name == "overview")


def _signed_out() -> list[StreamlitPage]:
    """The same addresses, each of which asks to sign in first."""
    names = [name for entries in PAGES.values() for name, _ in entries]
    return [st.Page(sign_in.page, title="Sign in", url_path=name, default=name == "overview") for name in names]


def run() -> None:
    """One run of the script for one viewer."""
    st.set_page_config(page_title="SLIM Studio", page_icon=str(ICON), layout="wide", initial_sidebar_state=230)
    st.html(STYLE)
    st.logo(str(LOGO), size="large")
    if session.must_sign_in():
        st.navigation(_signed_out(), position="hidden").run()
        return
    page = st.navigation(pages())
    sign_in.corner()
    with chart.last(), errors_told():  # the last net: no page answers what a user can mend with a traceback
        page.run()
