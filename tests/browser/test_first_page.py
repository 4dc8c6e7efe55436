"""The first page of a visit: what is drawn stays where it is while the rest comes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from slim_core.store import AnswerIn, Store
from tests.browser.annotator import ask_about
from tests.browser.steps import MOVED, settle, slowed, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

# every height of each chart's room, and every place of the page and of its first element, at each frame
WATCH = """(() => {
  window.seen = {rooms: {}, tops: [], lefts: []};
  const note = (list, value) => { if (value && list.at(-1) !== value) list.push(value); };
  const look = () => {
    for (const room of document.querySelectorAll("[class*='st-key-chart-']"))
      note(window.seen.rooms[room.className] ??= [], Math.round(room.getBoundingClientRect().height));
    const page = document.querySelector(".stMainBlockContainer");
    if (page) note(window.seen.tops, getComputedStyle(page).paddingTop);
    const main = document.querySelector("[data-testid=stMain]");
    if (main) note(window.seen.lefts, Math.round(main.getBoundingClientRect().left));
    requestAnimationFrame(look);
  };
  look();
})()"""


# how far each legend reaches into its plot, in pixels
LEGENDS = """[...document.querySelectorAll(".js-plotly-plot .legend")].map((legend) => {
  const plot = legend.closest(".js-plotly-plot");
  return legend.getBoundingClientRect().bottom - plot.getBoundingClientRect().top - plot._fullLayout._size.t;
})"""


@pytest.fixture(autouse=True)
def _moving(page: Page) -> None:
    """As most people see it."""
    page.emulate_media(reduced_motion="no-preference")


@pytest.mark.parametrize("name", ["overview", "data", "train", "compare"])
def test_charts_come_into_room_that_was_there_and_no_style_moves_the_page(
    page: Page, address: str, store: Store, name: str
) -> None:
    page.add_init_script(WATCH)
    visit(page, address, name, f"?dataset={store.datasets.all()[0].id}")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)
    seen = page.evaluate("window.seen")
    assert seen["rooms"] and all(len(heights) == 1 for heights in seen["rooms"].values()), seen["rooms"]
    assert seen["tops"] == ["45px"]
    assert len(seen["lefts"]) == 1, "the page makes no room for the navigation, it has it from the first"
    heights = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map((plot) => [plot.getBoundingClientRect().height,"
        " plot.closest(\"[class*='st-key-chart-']\").getBoundingClientRect().height])"
    )
    assert all(plot == room for plot, room in heights), "no empty room stays"
    assert all(below <= 0 for below in page.evaluate(LEGENDS)), "a legend covers no bar"


def test_neither_a_navigation_that_is_folded_away_nor_a_queue_that_works_takes_room(page: Page, address: str) -> None:
    visit(page, address, "jobs")
    place = page.locator(".st-key-queue-state")
    expect(place).to_be_attached(timeout=30_000)
    expect(place).to_be_hidden()
    assert place.locator("xpath=..").evaluate("(one) => getComputedStyle(one).display") == "none", "a gap would remain"
    page.get_by_test_id("stSidebar").hover()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.wait_for_function("document.querySelector('[data-testid=stMain]').getBoundingClientRect().left === 0")


def test_a_finished_campaign_opens_in_the_room_that_it_needs(page: Page, address: str, store: Store) -> None:
    campaign = ask_about(store, 4, "Answered")
    given = [AnswerIn(f"first-{one.id}", one.id, 1) for one in store.campaigns.items(campaign.id)]
    store.answers.save(campaign.id, "ann", given)
    page.add_init_script(f"({MOVED})()")
    slowed(page, 4)  # on a fast machine all of it comes at once, and nothing can move
    visit(page, address, "annotate", f"?campaign={campaign.id}&section=campaign")
    expect(page.locator(".slim-effect img")).to_be_visible(timeout=30_000)
    settle(page)
    page.wait_for_timeout(1000)
    assert page.evaluate("window.moved") < 0.05


def test_plots_come_into_room_that_was_there(page: Page, address: str, store: Store) -> None:
    room = "[class*='st-key-space-plot-']"
    page.goto(f"{address}/space?dataset={store.datasets.all()[0].id}")
    page.wait_for_selector(room, timeout=60_000)
    first = page.locator(room).bounding_box()
    expect(page.locator(room).locator(".slim-space-panel").first).to_be_visible(timeout=30_000)
    assert first is not None and first["height"] >= 60, "before anything is drawn in it"


def test_no_number_stands_alone_in_its_row_on_a_tablet(page: Page, address: str, store: Store) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    campaign = store.campaigns.all()[0]
    for name, query, n in (
        ("annotate", f"?campaign={campaign.id}&section=campaign", 5),
        ("curate", f"?campaign={campaign.id}", 4),
    ):
        visit(page, address, name, query)
        expect(page.get_by_test_id("stMetric")).to_have_count(n, timeout=30_000)
        tops = page.evaluate(
            "[...document.querySelectorAll('.stMetric')].map((one) => one.getBoundingClientRect().top)"
        )
        assert all(tops.count(top) > 1 for top in tops), (name, tops)
