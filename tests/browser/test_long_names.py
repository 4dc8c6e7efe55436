"""A class, a run or a data set with a name of a whole line: what stands beside it stays in sight."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

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
Drawn = Callable[..., list[dict[str, float]]]


@pytest.fixture(scope="module")
def drawn(browser: Browser) -> Iterator[Drawn]:
    """drawn(css, html, element): each such element, in a column as the page has one."""
    page = browser.new_page()

    def draw(css: str, html: str, element: str, width: int = WIDTH) -> list[dict[str, float]]:
        page.set_content(f"<style>{static(css).read_text()}</style><div style='width: {width}px'>{html}</div>")
        return page.locator(element).evaluate_all(
            "all => all.map((one) => ({ x: one.getBoundingClientRect().x, width: one.getBoundingClientRect().width,"
            " room: one.clientWidth, held: one.scrollWidth }))"
        )

    yield draw
    page.close()


def test_a_seed_that_was_drawn_is_read_to_its_last_digit_where_a_subset_is_retrained(page: Page, address: str) -> None:
    visit(page, address, "curate")
    seed = page.locator('[class*="st-key-seed-retrain-"] input')
    seed.fill(str(2**31 - 1))
    assert seed.evaluate("field => field.scrollWidth <= field.clientWidth")


def counts(n_selected: int, n: int) -> str:
    row = {"name": LONG, "n": n, "of_selection": 1.0, "of_all": 1.0, "of_name": 1.0, "accuracy": 1.0}
    return as_html(pd.DataFrame([row]), "group", n_selected, n)


def effect(*cells: CellNow) -> str:
    nothing = np.empty(0)
    return live_effect._cells(Effect(nothing, nothing, nothing, 0.0, sum(one.budget for one in cells), cells))


def picture() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures.session, "token", lambda **_: "")
        below = pictures.View(name=pictures.bold(LONG))
        tile = pictures.Tile(1, [below, below], [pictures.quiet(LONG)])
        return pictures._grid(pictures._Drawn("d-1", 96).tiles([tile]), WIDTH, most=WIDTH)


@pytest.mark.parametrize(
    ("css", "html", "elements"),
    [
        ("space/counts.css", lambda: counts(9, 9), [".slim-scroll"]),
        ("annotate/effect.css", lambda: effect(CellNow(f"{LONG}, environment 2", 22, 4, 4, 3, False)), [".slim-cells"]),
        ("ui/pictures.css", picture, [".slim-tile", ".names span"]),
    ],
)
def test_what_is_beside_or_below_a_long_name_stays_in_its_column(
    drawn: Drawn, css: str, html: Callable[[], str], elements: list[str]
) -> None:
    for element in elements:
        first, *_ = drawn(css, html(), element)
        assert first["held"] <= first["room"], element


@pytest.mark.parametrize("n_selected", [0, 9])
def test_a_long_name_has_a_quarter_of_the_table_of_counts_at_least(drawn: Drawn, n_selected: int) -> None:
    (name,) = drawn("space/counts.css", counts(n_selected, 1234), "tbody th")
    assert name["room"] >= WIDTH / 4


@pytest.mark.parametrize("key", ["J", "W"])
def test_in_the_grid_a_long_class_leaves_the_key_of_its_image_in_sight(drawn: Drawn, key: str) -> None:
    caption = f"<span class='caption'><kbd>{key}</kbd><span class='asked'>{LONG}</span></span>"
    html = f"<button class='tile' style='width: 140px'>{caption}</button>"
    pressed, name = drawn("annotate/annotator.css", html, "kbd, .asked")
    assert pressed["x"] + pressed["width"] <= name["x"]


def test_the_bars_of_all_classes_on_the_draw_page_are_equally_long(drawn: Drawn) -> None:
    """A longer bar would look like more images that are drawn."""
    lines = "".join(
        f"<li><span>{name}</span><progress max=9 value=1></progress><span>{count}</span></li>"
        for name, count in ((LONG, "1,200 of 4,000"), ("cat", "0 of 4"))
    )
    bars = drawn("draw/draw.css", f"<div class='coverage'><ul>{lines}</ul></div>", "progress", 300)
    assert len({(bar["x"], bar["width"]) for bar in bars}) == 1


def test_beside_long_names_of_cells_a_bar_is_still_as_long_as_its_number(drawn: Drawn) -> None:
    """In a narrow column all bars were two pixels: twelve images looked like two."""
    name = "Beetles, with all that a museum writes below them, environment 0"
    cells = [CellNow(name, size=106, budget=n, distinct=n - 6, kept=80, is_alone=False) for n in (18, 9)]
    long, short = drawn("annotate/effect.css", effect(*cells), ".bar", 350)
    assert long["width"] >= 50 and short["width"] == pytest.approx(long["width"] / 2, abs=1)


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
