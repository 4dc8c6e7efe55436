"""A class with a name of a whole line: the numbers beside it stay in sight."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator

from app.annotate.parts import live_effect
from app.routes.assets import static
from app.space.parts import counts
from slim_core.annotation.live_effect import CellNow, Effect

pytestmark = pytest.mark.browser

LONG = "long" * 35
WIDTH = 440


def drawn(browser: Browser, css: str, html: str, element: str) -> tuple[int, int]:
    """How wide an element is, and what it holds, in a column as the page has one."""
    page = browser.new_page()
    try:
        page.set_content(f"<style>{static(css).read_text()}</style><div style='width: {WIDTH}px'>{html}</div>")
        found: Locator = page.locator(element)
        return found.evaluate("element => element.clientWidth"), found.evaluate("element => element.scrollWidth")
    finally:
        page.close()


def test_counts_of_a_long_name_are_beside_it(browser: Browser) -> None:
    row = {"name": LONG, "n": 9, "of_selection": 0.5, "of_all": 0.5, "of_name": 1.0, "accuracy": 0.9}
    html = counts.as_html(pd.DataFrame([row]), "group", 9, 18)
    width, held = drawn(browser, "space/counts.css", html, ".slim-scroll")
    assert held <= width


def test_what_a_subset_takes_of_a_long_cell_is_beside_it(browser: Browser) -> None:
    cell = CellNow(name=f"{LONG}, environment 2", size=22, budget=4, kept=3, is_alone=False)
    nothing = np.empty(0)
    found = Effect(1, nothing, nothing, nothing, nothing, 4, (cell,), ())
    width, held = drawn(browser, "annotate/effect.css", live_effect._cells(found), ".slim-cells")
    assert held <= width
