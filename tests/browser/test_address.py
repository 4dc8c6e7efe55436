"""The address of a page, and what the browser keeps of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.settings import Settings
from slim_core.store import Dataset, Store
from slim_core.store.results import SpaceResult
from tests.browser.conftest import look_at_demo
from tests.browser.server import dashboard
from tests.browser.steps import Line, settle, visit
from tests.built_once import built_once

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


def test_back_takes_one_press_a_page(page: Page, address: str) -> None:
    visit(page, address, "overview")
    for name in ("Attention", "Space", "Compare", "Train", "Curate"):
        page.get_by_role("link", name=name, exact=True).first.click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible(timeout=30_000)
        settle(page)
        assert "dataset=" in page.url, f"{name} has written into its address"
        page.go_back()
        expect(page.get_by_role("heading", level=1, name="Overview"), name).to_be_visible(timeout=30_000)
        settle(page)


@pytest.fixture(scope="module")
def below_slim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard of its own, below a path."""
    built = built_once(tmp_path_factory, "studio", look_at_demo)
    own_home = Path(shutil.copytree(built / "home", tmp_path_factory.mktemp("below") / "home"))
    with dashboard(own_home, "--server.baseUrlPath", "slim") as address:
        yield f"{address}/slim"


def test_below_a_path_nothing_beside_it_is_asked_for(page: Page, below_slim: str) -> None:
    """As behind a proxy that hands on this path alone."""
    beside: list[str] = []
    page.on("request", lambda asked: beside.append(asked.url) if "/slim/" not in asked.url else None)
    visit(page, below_slim, "draw")
    expect(page.get_by_role("button", name="Rectangle")).to_be_visible()
    visit(page, below_slim, "space")
    expect(page.locator(".slim-space")).to_have_attribute("data-ready", "true")
    visit(page, below_slim, "annotate")
    page.keyboard.press("1")
    expect(page.get_by_text("All answers saved")).to_be_visible()
    visit(page, below_slim, "attention")
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    page.get_by_role("link", name="Overview", exact=True).first.click()
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    assert not [url for url in beside if not url.startswith(("data:", "blob:"))]


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[Dataset]]]:
    """A dashboard of its own, and its two data sets, the newest first."""
    folder = tmp_path_factory.mktemp("two-sets")
    store = Store.open(Settings(home=folder / "home"))
    for seed, name in enumerate(("older", "newer")):
        write_demo(folder / name, DemoConfig(train=20, val=10, test=10, seed=seed))
        store.datasets.register(import_data(folder / name, name=name), by="tests")
    known = store.datasets.all()
    store.close()
    with dashboard(folder / "home") as address:
        yield address, known


def test_the_browser_remembers_the_data_set_and_its_console_stays_clean(
    page: Page, two_sets: tuple[str, list[Dataset]]
) -> None:
    """``page`` fails for every error in the console: Streamlit's probing for its root was two to four a page."""
    address, (newer, older) = two_sets
    assert (newer.name, older.name) == ("newer", "older"), "a visit without a past begins with the newest"
    visit(page, address, "train", f"?dataset={older.id}")
    kept = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert kept["slim-dataset"] == older.id
    shown = page.get_by_role("combobox", name="Data set")
    for name in ("Attention", "Space", "Data"):  # by the sidebar
        page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible(timeout=30_000)
        settle(page)
        expect(shown).to_have_value(re.compile("^older "))
        assert f"dataset={older.id}" in page.url
    visit(page, address, "curate")  # a new visit
    expect(shown).to_have_value(re.compile("^older "))


def test_what_is_chosen_stays_so_when_something_is_pressed_before_the_address_says_it(
    page: Page, two_sets: tuple[str, list[Dataset]]
) -> None:
    """The second press brings the older address with it: it is no link to the older data set."""
    address, (newer, older) = two_sets
    line = Line(page)
    visit(page, address, "train", f"?dataset={newer.id}")
    shown = page.get_by_role("combobox", name="Data set")
    expect(shown).to_have_value(re.compile("^newer "))
    shown.click()
    with line.slow():
        page.get_by_role("option", name=re.compile("^older ")).click()
        page.wait_for_timeout(1000)  # the dashboard has drawn the page of the other data set
        assert f"dataset={newer.id}" in page.url
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("r")
        page.wait_for_timeout(500)
    settle(page)
    expect(page).to_have_url(re.compile(f"dataset={older.id}"))
    expect(shown).to_have_value(re.compile("^older "))


def test_images_like_one_stay_closed_when_something_is_pressed_before_the_address_says_it(
    page: Page, address: str, store: Store
) -> None:
    space = store.runs.all(kind="space", status="done")[0]
    row = int(SpaceResult(store.artifacts.folder(space.id)).rows[0])
    line = Line(page)
    visit(page, address, "space", f"?run={space.id}&like={row}")
    found = page.get_by_role("heading", name=f"More like image {row}")
    expect(found).to_be_visible()
    with line.slow():
        page.get_by_role("button", name="Close", exact=True).click()
        page.wait_for_timeout(1000)  # the dashboard has drawn the page without them
        assert f"like={row}" in page.url
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("r")
        page.wait_for_timeout(500)
    settle(page)
    expect(found).to_be_hidden()
    expect(page).not_to_have_url(re.compile("like="))
