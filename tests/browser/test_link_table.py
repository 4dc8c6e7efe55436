"""The table of runs by itself, in a real Chromium: what has the focus while a poll brings newer runs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser import modules

pytestmark = pytest.mark.browser

DRAW = """async (runs) => {
  const { default: draw } = await import("/ui/link_table.js");
  document.body.innerHTML ||= '<div><div class="slim-table"></div></div>';
  const data = { label: "Runs", columns: [{ title: "Run" }], rows: runs.map((run) => [{ text: run, run }]) };
  draw({ data, parentElement: document.body.firstElementChild, setTriggerValue: (_, run) => { window.opened = run; } });
}"""


@pytest.mark.parametrize(("later", "opened"), [(["new", "first", "second"], "first"), (["second"], "second")])
def test_the_focus_follows_its_run_and_stays_in_its_place_where_the_run_is_gone(
    browser: Browser, later: list[str], opened: str
) -> None:
    with browser.new_page() as page:
        modules.serve(page, "ui")
        page.evaluate(DRAW, ["first", "second"])
        page.get_by_role("link", name="first").focus()
        page.evaluate(DRAW, later)
        page.keyboard.press("Enter")
        assert page.evaluate("opened") == opened


def test_a_row_that_is_opened_in_a_new_tab_is_its_run_also_from_another_page(browser: Browser) -> None:
    with browser.new_page() as page:
        modules.serve(page, "ui")
        page.goto("http://ui.test/slim/activity?before=9")
        page.evaluate(DRAW, ["first"])
        link = page.get_by_role("link", name="first")
        assert link.evaluate("link => link.href") == "http://ui.test/slim/jobs?run=first"
