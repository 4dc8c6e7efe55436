"""Overview while the two halves of the loop run: what they end with comes by itself, and moves nothing.

Their steps are computed here and not by a worker, which would first compile UMAP: what a worker does for a press is in
test_campaign and test_people.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.runs.executor import InProcess
from slim_core.settings import Settings
from slim_core.store import AnswerIn, Store
from tests.browser.server import dashboard
from tests.browser.steps import MOVED, settle, visit
from tests.placed_quickly import placed_quickly

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

JOB_MS = 180_000


@pytest.fixture(scope="module")
def new_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """That of a home in which nothing has happened but that a data set was registered."""
    folder = tmp_path_factory.mktemp("in-place")
    write_demo(folder / "digits", DemoConfig(train=64, val=32, test=24))
    opened = Store.open(Settings(home=folder / "home"))
    opened.datasets.register(import_data(folder / "digits"), by="tests")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def new_address(new_store: Store) -> Iterator[str]:
    """A dashboard on that home, whose worker takes nothing."""
    new_store.queue.pause("ben")
    with dashboard(new_store.settings.home) as url:
        yield url


def test_what_the_two_halves_of_the_loop_end_with_moves_nothing(page: Page, new_address: str, new_store: Store) -> None:
    page.emulate_media(reduced_motion="no-preference")
    visit(page, new_address, "overview")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("spinbutton", name="Epochs").fill("20")
    page.get_by_role("spinbutton", name="Epochs").press("Enter")
    settle(page)
    page.keyboard.press("Escape")
    press_and_wait(page, "Train, map attention", new_store)
    assert [run.spec["epochs"] for run in new_store.runs.all(kind="train")] == [20]
    (campaign,) = new_store.campaigns.all()
    given = [AnswerIn(f"a-{one.id}", one.id, one.id % 2) for one in new_store.campaigns.items(campaign.id)]
    new_store.answers.save(campaign.id, "ann", given)
    visit(page, new_address, "overview")
    press_and_wait(page, "Curate, retrain, compare", new_store)
    assert len(new_store.runs.all(kind="evaluate", status="done")) == 2
    expect(page.locator(".st-key-verdict")).to_be_visible()


def compute(store: Store) -> None:
    """What waits, one after the other, as a page sees it that asks each second."""
    here = InProcess(store, device="cpu")
    with placed_quickly():
        for run in reversed(store.runs.all(status="queued")):
            here.wait(run)


def press_and_wait(page: Page, label: str, store: Store) -> None:
    """Press one of the two buttons of Overview, and watch until its figures are on the page by themselves."""
    page.get_by_role("button", name=label).click()
    expect(page.get_by_text(re.compile(r"^Step \d of"))).to_be_visible(timeout=JOB_MS)
    settle(page)
    page.evaluate(MOVED)
    page.wait_for_timeout(200)
    by_the_press = page.evaluate("window.moved")  # a slow machine draws it when the press is no recent input any more
    compute(store)
    expect(page.locator("[class*='st-key-outcome-']")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".st-key-verdict")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=JOB_MS)
    settle(page)
    page.wait_for_timeout(1000)
    assert page.evaluate("window.moved") - by_the_press < 0.1, label
