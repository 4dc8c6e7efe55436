"""The first page of a visit: what is drawn stays where it is while the rest comes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from slim_core.store import Store
from tests.browser.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

# every height of each chart's room, and every distance of the page's first element from the top, at each frame
WATCH = """(() => {
  window.seen = {rooms: {}, tops: []};
  const note = (list, value) => { if (value && list.at(-1) !== value) list.push(value); };
  const look = () => {
    for (const room of document.querySelectorAll("[class*='st-key-chart-']"))
      note(window.seen.rooms[room.className] ??= [], Math.round(room.getBoundingClientRect().height));
    const page = document.querySelector(".stMainBlockContainer");
    if (page) note(window.seen.tops, getComputedStyle(page).paddingTop);
    requestAnimationFrame(look);
  };
  look();
})()"""


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
    heights = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map((plot) => [plot.getBoundingClientRect().height,"
        " plot.closest(\"[class*='st-key-chart-']\").getBoundingClientRect().height])"
    )
    assert all(plot == room for plot, room in heights), "no empty room stays"
