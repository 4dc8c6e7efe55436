"""A class, a run or a data set with a name of a whole line: what stands beside it stays in sight."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.annotate import live_effect
from app.routes.assets import static
from app.space.selected import as_html
from app.ui import pictures
from slim_core.annotation.live_effect import CellNow, Effect
from slim_core.store import Store
from tests.browser.steps import visit

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


def test_a_seed_that_was_drawn_is_read_to_its_last_digit_where_a_subset_is_retrained(page: Page, address: str) -> None:
    visit(page, address, "curate")
    seed = page.locator('[class*="st-key-seed-retrain-"] input')
    seed.fill(str(2**31 - 1))
    assert seed.evaluate("field => field.scrollWidth <= field.clientWidth")


def test_counts_of_a_long_name_are_beside_it(browser: Browser) -> None:
    row = {"name": LONG, "n": 9, "of_selection": 0.5, "of_all": 0.5, "of_name": 1.0, "accuracy": 0.9}
    html = as_html(pd.DataFrame([row]), "group", 9, 18)
    width, held = drawn(browser, "space/counts.css", html, ".slim-scroll")
    assert held <= width


@pytest.mark.parametrize("n_selected", [0, 9])
def test_a_long_name_has_a_quarter_of_the_table_of_counts_at_least(browser: Browser, n_selected: int) -> None:
    row = {"name": LONG, "n": 1234, "of_selection": 1.0, "of_all": 1.0, "of_name": 1.0, "accuracy": 1.0}
    html = as_html(pd.DataFrame([row]), "group", n_selected, 1234)
    width, _ = drawn(browser, "space/counts.css", html, "tbody th")
    assert width >= WIDTH / 4


def test_what_a_subset_takes_of_a_long_cell_is_beside_it(browser: Browser) -> None:
    cell = CellNow(name=f"{LONG}, environment 2", size=22, budget=4, distinct=4, kept=3, is_alone=False)
    nothing = np.empty(0)
    found = Effect(nothing, nothing, nothing, 0.0, 4, (cell,))
    width, held = drawn(browser, "annotate/effect.css", live_effect._cells(found), ".slim-cells")
    assert held <= width


@pytest.mark.parametrize("key", ["J", "W"])
def test_in_the_grid_a_long_class_leaves_the_key_of_its_image_in_sight(browser: Browser, key: str) -> None:
    html = f"<button class='tile' style='width: 140px'><kbd>{key}</kbd><span class='asked'>{LONG}</span></button>"
    page = browser.new_page()
    try:
        page.set_content(f"<style>{static('annotate/annotator.css').read_text()}</style>{html}")
        pressed, name = (page.locator(one).bounding_box() for one in ("kbd", ".asked"))
        assert pressed and name and pressed["x"] + pressed["width"] <= name["x"]
    finally:
        page.close()


def test_the_bars_of_all_classes_on_the_draw_page_are_equally_long(browser: Browser) -> None:
    """A longer bar would look like more images that are drawn."""
    lines = "".join(
        f"<li><span>{name}</span><progress max=9 value=1></progress><span>{count}</span></li>"
        for name, count in ((LONG, "1,200 of 4,000"), ("cat", "0 of 4"))
    )
    page = browser.new_page()
    try:
        html = f"<div class='coverage' style='width: 300px'><ul>{lines}</ul></div>"
        page.set_content(f"<style>{static('draw/draw.css').read_text()}</style>{html}")
        boxes = [one.bounding_box() for one in page.locator("progress").all()]
        assert len({(box["x"], box["width"]) for box in boxes if box}) == 1
    finally:
        page.close()


def test_beside_long_names_of_cells_a_bar_is_still_as_long_as_its_number(browser: Browser) -> None:
    """In a narrow column all bars were two pixels: twelve images looked like two."""
    name, nothing = "Beetles, with all that a museum writes below them, environment 0", np.empty(0)
    cells = [CellNow(name, size=106, budget=n, distinct=n - 6, kept=80, is_alone=False) for n in (18, 9)]
    html = live_effect._cells(Effect(nothing, nothing, nothing, 0.0, 24, tuple(cells)))
    page = browser.new_page()
    try:
        css = static("annotate/effect.css").read_text()
        page.set_content(f"<style>{css}</style><div style='width: 350px'>{html}</div>")
        long, short = (one.bounding_box() for one in page.locator(".bar").all())
        assert long and short and long["width"] >= 50 and short["width"] == pytest.approx(long["width"] / 2, abs=1)
    finally:
        page.close()


@pytest.mark.redis
@pytest.mark.slow
def test_in_a_list_to_choose_from_a_long_name_has_two_lines(page: Page, address: str, store: Store) -> None:
    """Data sets that differ in the end of their names could not be told apart."""
    (dataset,) = store.datasets.all()
    name = "Pictures of the campaign at the second site, camera on the north wall, cleaned"
    store.notes.write(dataset.id, name=name, text="", tags=(), by="ann")
    try:
        visit(page, address, "data")
        page.get_by_role("combobox", name="Data set").click()
        option = page.get_by_role("option", name="cleaned").locator("div").first
        expect(option).to_be_visible()
        cut = "one => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1"
        assert not option.evaluate(cut) and option.evaluate("one => one.clientHeight") > 25
    finally:
        store.notes.write(dataset.id, name=dataset.name, text="", tags=(), by="ann")


def test_the_line_below_a_picture_stays_below_it(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures.session, "token", lambda **_: "")
    below = pictures.View(name=pictures.bold(LONG))
    tile = pictures.Tile(1, [below, below], [pictures.quiet(LONG)])
    html = pictures._grid(pictures._Drawn("d-1", 96).tiles([tile]), WIDTH, most=WIDTH)
    for part in (".slim-tile", ".names span >> nth=0"):
        width, held = drawn(browser, "ui/pictures.css", html, part)
        assert held <= width, part
