"""One short journey for each of the people the dashboard is made for; the scripter's is tests/slim_core/test_cli.py."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.store import Run, Store
from tests.browser.steps import MOVED, settle, until, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

JOB_MS = 180_000


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 120 images nobody has registered."""
    folder = tmp_path_factory.mktemp("people") / "digits"
    write_demo(folder, DemoConfig(train=64, val=32, test=24))
    return folder


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home, for those who begin."""
    return tmp_path_factory.mktemp("people-home")


def register(page: Page, address: str, images: Path) -> None:
    """By its path, where that has not been done."""
    visit(page, address, "data")
    if page.get_by_text("No data set").count():
        page.get_by_role("textbox", name="Folder or metadata").fill(str(images))
        page.keyboard.press("Enter")
        settle(page)
        page.get_by_role("button", name="Check", exact=True).click()
        page.get_by_role("button", name="Register", exact=True).click()
        page.wait_for_url("**dataset=d-**", timeout=JOB_MS)
        settle(page)


def train(page: Page, address: str, store: Store, epochs: int) -> Run:
    """A training of so many epochs, submitted by the form; its page is open then."""
    visit(page, address, "train")
    unfold(page, "New training")
    page.get_by_role("spinbutton", name="Epochs").fill(str(epochs))
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Train", exact=True).click()

    def submitted() -> list[Run]:
        return [run for run in store.runs.all(kind="train") if run.spec["epochs"] == epochs]

    until(submitted, JOB_MS / 1000)
    (run,) = submitted()
    page.wait_for_url(f"**run={run.id}**", timeout=JOB_MS)
    return run


def unfold(page: Page, title: str) -> None:
    """Open an expander, if it is not open; a page that is still being drawn may take a click and lose it."""
    expander = page.get_by_test_id("stExpander").filter(has_text=title)
    ends = time.monotonic() + JOB_MS / 1000
    while expander.locator("details").get_attribute("open") is None:
        assert time.monotonic() < ends, f"{title} does not open"
        expander.locator("summary").click()
        page.wait_for_timeout(500)


def newest(store: Store, kind: str) -> Run:
    return store.runs.all(kind=kind)[0]


def test_the_first_click_counts_and_what_it_finds_moves_nothing(page: Page, own_address: str, images: Path) -> None:
    page.emulate_media(reduced_motion="no-preference")
    visit(page, own_address, "data")
    unfold(page, "Register data")
    page.evaluate(MOVED)
    page.get_by_role("textbox", name="Folder or metadata").fill(str(images))  # and the field is not left
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_role("button", name="Register", exact=True).click()
    page.wait_for_url("**dataset=d-**", timeout=JOB_MS)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=JOB_MS)
    settle(page)
    assert page.evaluate("window.moved") < 0.1


def test_an_engineer_registers_a_folder_trains_and_sees_where_the_model_looks(
    page: Page, own_address: str, own_store: Store, images: Path
) -> None:
    register(page, own_address, images)
    expect(page.get_by_text("120 images").first).to_be_visible()
    train(page, own_address, own_store, epochs=1)
    expect(page.get_by_text("Worst group", exact=True).first).to_be_visible(timeout=JOB_MS)
    settle(page)
    page.get_by_role("link", name="See the maps").click()  # they are computed as soon as the model is trained
    expect(page.get_by_role("heading", level=1, name="Attention")).to_be_visible()
    expect(page.locator(".slim-gallery img").first).to_be_visible(timeout=JOB_MS)
    assert own_store.runs.fetch(newest(own_store, "gradcam").id).metrics["n"] == 120
    assert own_store.artifacts.has(newest(own_store, "gradcam").id, "thumbnails.bin")


def test_a_gpu_keeper_types_while_a_run_is_going_follows_it_stops_it_and_resumes_it(
    page: Page, own_address: str, own_store: Store, images: Path
) -> None:
    register(page, own_address, images)
    run = train(page, own_address, own_store, epochs=5_000)
    page.locator(LOSS).first.wait_for(timeout=JOB_MS)
    page.evaluate(DRAWN, LOSS)
    what_is_typed_stays(page)
    page.wait_for_function("window.drawn.size > 1")
    assert page.evaluate("[window.blank, window.both]") == [0, 0]
    visit(page, own_address, "jobs", f"?run={run.id}")
    under_way(page)
    stop(page)
    page.get_by_role("button", name=re.compile("Retry|Resume")).first.click()
    under_way(page)
    stop(page)
    assert own_store.runs.fetch(run.id).status == "canceled"


LOSS = '[class*="st-key-live-loss-"] .trace path.js-line'
# the curves that were seen, and in how many frames there was none, or those of both charts that share the room
DRAWN = """(curve) => {
  window.drawn = new Set(); window.blank = window.both = 0;
  const look = () => {
    const isSeen = (path) => path.checkVisibility({visibilityProperty: true});
    const seen = [...document.querySelectorAll(curve)].filter(isSeen);
    seen.forEach((path) => window.drawn.add(path.getAttribute("d")));
    window.blank += seen.length === 0;
    window.both += new Set(seen.map((path) => path.closest(".js-plotly-plot"))).size > 1;
    requestAnimationFrame(look);
  };
  look();
}"""


def what_is_typed_stays(page: Page) -> None:
    """The page's parts poll every second meanwhile, and the text is found as it was."""
    told = page.get_by_text(re.compile(r"epoch \d+ of 5,?000")).first
    expect(told).to_be_visible(timeout=JOB_MS)
    unfold(page, "New training")
    field = page.get_by_role("textbox", name="Local checkpoint")
    field.click()
    page.keyboard.type("half a pa")
    for _ in range(3):
        before = told.inner_text()
        expect(told).not_to_have_text(before, timeout=JOB_MS)
    expect(field).to_have_value("half a pa")
    expect(field).to_be_focused()
    page.keyboard.type("th.pt")
    expect(field).to_have_value("half a path.pt")


def under_way(page: Page) -> None:
    """The run that is open computes: the log also tells of epochs before it was stopped."""
    expect(page.get_by_text("has been running")).to_be_visible(timeout=JOB_MS)
    expect(page.get_by_text(re.compile(r"^(train|validate) · epoch \d+ of 5,?000"))).to_be_visible(timeout=JOB_MS)
    settle(page)


def stop(page: Page) -> None:
    """Stop the run that is open, after the question."""
    page.get_by_role("button", name="Stop").first.click()
    page.get_by_role("button", name="Yes, stop it").click()
    expect(page.get_by_role("button", name=re.compile("Retry|Resume")).first).to_be_visible(timeout=JOB_MS)
    settle(page)


def test_a_reviewer_reads_what_is_wrong_and_sends_a_link_to_it(
    page: Page, other: Page, address: str, store: Store
) -> None:
    visit(page, address, "overview")
    expect(page.locator(".st-key-verdict")).to_be_visible()
    worst = newest(store, "evaluate")
    wga = store.runs.fetch(worst.id).metrics["wga"]
    expect(page.get_by_text(f"{100 * wga:.1f} %").first).to_be_visible()
    visit(page, address, "compare")
    expect(page.get_by_test_id("stPlotlyChart").first).to_be_visible()
    other.goto(page.url)
    expect(other.get_by_test_id("stPlotlyChart").first).to_be_visible(timeout=60_000)
    assert other.url == page.url
