"""axe finds nothing serious in the main part of any page, in both themes; images and charts say what they show."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from slim_core.store import Store
from tests.browser.annotator import ask_about, open_campaign
from tests.browser.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

GRAVE = ("serious", "critical")
MAIN = "[data-testid='stMain']"  # the frame around it (menu, sidebar, header) is Streamlit's
PAGES = ("overview", "data", "draw", "train", "attention", "space", "curate", "compare", "studies", "jobs")
OURS = ("draw", "attention", "space", "curate")  # what the dark theme may change: our components and charts
UNTOLD = """main => [
  ...[...main.querySelectorAll("img")].filter(one => !one.alt && one.checkVisibility()).map(one => one.src),
  ...[...main.querySelectorAll("[data-testid=stPlotlyChart]")]
    .filter(one => !one.closest("[aria-label]") && !one.querySelector("[aria-label]")).map(one => one.innerText)]"""


def faults(page: Page, within: str = MAIN) -> list[str]:
    """What axe holds to be serious or critical."""
    found = Axe().run(page, context={"include": [[within]]}, options={"resultTypes": ["violations"]}).response
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


def test_no_page_has_a_serious_fault_and_all_pictures_are_told(page: Page, address: str, store: Store) -> None:
    found = {}
    for name in PAGES:
        visit(page, address, name)
        found[name] = faults(page) + page.locator(MAIN).evaluate(UNTOLD)
    open_campaign(page, address, ask_about(store, name="Accessible"))
    found["annotate"] = faults(page)
    assert not {name: told for name, told in found.items() if told}


def test_the_dark_theme_is_readable_too(page: Page, address: str) -> None:
    page.emulate_media(color_scheme="dark")
    visit(page, address, "attention")
    assert page.get_by_test_id("stApp").evaluate("one => getComputedStyle(one).backgroundColor") == "rgb(20, 25, 31)"
    found = {}
    for name in OURS:
        visit(page, address, name)
        found[name] = faults(page)
    assert not {name: told for name, told in found.items() if told}


def test_an_image_opened_large_is_reached_by_keys_and_has_no_serious_fault(page: Page, address: str) -> None:
    visit(page, address, "attention")
    page.get_by_role("button", name="Open image").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("img", name="under its heat map").wait_for()
    names = dialog.locator("img").evaluate_all("images => images.map(image => image.alt)")
    assert len(names) == 5 and all(names)
    assert not faults(page, "[role='dialog']")
