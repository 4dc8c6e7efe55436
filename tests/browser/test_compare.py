"""Compare in a real browser: the images behind a bar, a link that brings them back, the report without a server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from app.ui.progress import LINGER, just_ended
from slim_core.evaluation.charts import space
from slim_core.evaluation.report import collect, render
from slim_core.store import Run, Store
from tests.browser.conftest import SIZE
from tests.browser.steps import Line, calm, end_run, settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


@pytest.fixture
def evaluation(store: Store) -> Run:
    """The one of the reference model."""
    return store.runs.all(kind="evaluate", status="done")[-1]


def highest(evaluation: Run) -> int:
    """The group with the best accuracy: a model trained so briefly has bars without any length."""
    accuracies = [group["accuracy"] for group in evaluation.metrics["groups"]]
    return accuracies.index(max(accuracies))


def over_the_highest(page: Page, evaluation: Run) -> tuple[float, float]:
    """The mouse moves there and its label appears, as who clicks sees it; where that is."""
    bar = page.locator(".barlayer .point path").nth(highest(evaluation))
    expect(bar).to_be_visible(timeout=30_000)
    calm(page)  # what is still being drawn above would move it
    box = bar.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6
    page.mouse.move(x, y)
    expect(page.locator(".hoverlayer .hovertext").first).to_be_visible(timeout=30_000)
    return x, y


def test_a_click_on_a_bar_opens_its_images_and_its_address_brings_them_back(
    page: Page, address: str, store: Store, evaluation: Run
) -> None:
    # a page that follows a run is drawn each second: a click in one of these moments was lost (docs/decisions/0017)
    for run in store.runs.all():
        if just_ended([run]):
            end_run(store.database, run, ago=LINGER)
    visit(page, address, "compare", f"?dataset={evaluation.dataset_id}")
    x, y = over_the_highest(page, evaluation)
    page.evaluate("document.querySelectorAll('.js-plotly-plot').forEach((chart) => { chart.dataset.first = '' })")
    page.mouse.click(x, y)
    expect(page).to_have_url(re.compile(rf"cell={evaluation.id}\.group\.{highest(evaluation)}"), timeout=30_000)
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    settle(page)
    expect(page.locator(".js-plotly-plot[data-first]")).to_have_count(2)  # a chart made anew forgets what was pressed
    for _ in range(2):
        settle(page)
        first = page.locator(".slim-pictures img").first
        expect(first).to_be_visible(timeout=30_000)
        page.wait_for_function("document.querySelector('.slim-pictures img').naturalWidth > 0", timeout=30_000)
        expect(page.locator(".slim-pictures img").nth(1)).to_have_attribute("alt", re.compile("its heat map"))
        page.reload()


def test_a_bar_without_length_and_the_keyboard_open_images_of_a_group_too(
    page: Page, address: str, evaluation: Run
) -> None:
    accuracies = [group["accuracy"] for group in evaluation.metrics["groups"]]
    visit(page, address, "compare", f"?dataset={evaluation.dataset_id}")
    over_the_highest(page, evaluation)
    worst = accuracies.index(min(accuracies))
    drawn = page.locator(".barlayer .errorbar path").nth(worst)
    drawn.scroll_into_view_if_needed()
    page.mouse.wheel(0, 200)  # the axis below it, too
    page.wait_for_timeout(500)
    interval = drawn.bounding_box()
    page.mouse.click(interval["x"] + 6, interval["y"] + interval["height"] / 2)
    expect(page).to_have_url(re.compile(rf"cell={evaluation.id}\.group\.{worst}"), timeout=30_000)
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    other = (worst + 1) % len(accuracies)
    calm(page)
    page.get_by_role("button", name="Images of a").press("Enter")
    page.get_by_role("menuitem").nth(other).press("Enter")
    expect(page).to_have_url(re.compile(rf"cell={evaluation.id}\.group\.{other}"))
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    page.get_by_role("button", name="Close", exact=True).press("Enter")
    expect(page.locator(".slim-pictures img")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("cell="))


def test_images_behind_a_bar_stay_open_when_something_is_pressed_before_the_address_says_it(
    page: Page, address: str, evaluation: Run
) -> None:
    line = Line(page)
    visit(page, address, "compare", f"?dataset={evaluation.dataset_id}")
    calm(page)
    x, y = over_the_highest(page, evaluation)
    with line.slow():
        page.mouse.click(x, y)
        page.wait_for_timeout(1000)  # the dashboard has drawn the page with the images
        page.keyboard.press("r")
        page.wait_for_timeout(1000)
        assert "cell=" not in page.url
    expect(page).to_have_url(re.compile(rf"cell={evaluation.id}\.group\."), timeout=30_000)
    settle(page)
    expect(page.locator(".slim-pictures img").first).to_be_visible()


def test_a_bar_that_is_pressed_again_before_the_address_names_it_is_not_left_there(
    page: Page, address: str, evaluation: Run
) -> None:
    line = Line(page)
    visit(page, address, "compare", f"?dataset={evaluation.dataset_id}")
    x, y = over_the_highest(page, evaluation)
    with line.slow():
        for _ in range(2):
            page.mouse.click(x, y)
            page.wait_for_timeout(1000)  # more than a double click takes
    settle(page)
    expect(page).not_to_have_url(re.compile("cell="))
    expect(page.locator(".slim-pictures img")).to_have_count(0)


SIDEWAYS = """() => [...document.querySelectorAll('*')].filter((part) => part.clientWidth
    && ['auto', 'scroll'].includes(getComputedStyle(part).overflowX)
    && part.scrollWidth > part.clientWidth + 1).length"""


@pytest.mark.parametrize("name", ["compare", "train"])
def test_no_table_has_to_be_scrolled_sideways(
    page: Page, address: str, store: Store, evaluation: Run, name: str
) -> None:
    """Whatever the names in it are: one is that of a model without answers, which is long."""
    assert store.runs.all(kind="curate")
    visit(page, address, name, f"?dataset={evaluation.dataset_id}")
    if name == "train":
        page.get_by_role("tab", name="As a table").click()
    expect(page.locator(".dvn-scroller:visible").first).to_be_visible(timeout=30_000)
    for width, height in ((1440, 900), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        settle(page)
        page.wait_for_function(f"({SIDEWAYS})() === 0", timeout=30_000)


def test_the_usual_comparison_is_whole_on_a_page_of_1024_pixels(page: Page, address: str, evaluation: Run) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    visit(page, address, "compare", f"?dataset={evaluation.dataset_id}&find={evaluation.spec['model']}")
    expect(page.locator(".dvn-scroller").first).to_be_visible(timeout=30_000)
    page.wait_for_function(f"({SIDEWAYS})() === 0", timeout=30_000)


def test_report_and_csv_can_be_taken_along(page: Page, address: str, evaluation: Run) -> None:
    visit(page, address, "compare", f"?dataset={evaluation.dataset_id}&view=Cost")
    for name, ending, content in (("Report", ".html", "plotly.js v"), ("CSV", ".csv", "gpu_hours")):
        with page.expect_download(timeout=60_000) as taken:
            page.get_by_role("button", name=name, exact=True).click()
        assert taken.value.suggested_filename.endswith(ending)
        text = taken.value.path().read_text()
        assert evaluation.id in text and content in text
        assert ending == ".csv" or "view=Cost" in text, "the view of the report"


def test_the_report_opens_from_a_folder_without_a_request_or_an_error(
    page: Page, store: Store, evaluation: Run, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(space, "SVG_UP_TO", 0)  # as with many images: WebGL is what the file's policy could forbid
    evaluations = store.runs.all(kind="evaluate", status="done")
    report = collect(store, evaluations, evaluation.id)  # its model has a space
    (tmp_path / "report.html").write_text(render(report), encoding="utf-8")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    charts = page.locator(".chart")
    n_charts = charts.count()
    assert n_charts >= 4
    for number in range(n_charts):
        expect(charts.nth(number).locator(".main-svg").first).to_be_visible(timeout=30_000)
    expect(page.locator(".barlayer .xerror").first).to_have_css("stroke", "rgb(31, 41, 51)")  # seen on every bar
    expect(page.get_by_role("heading", name="Attention space")).to_be_visible()
    expect(page.locator(".gl-canvas").first).to_be_attached(timeout=30_000)
    expect(page.locator(".modebar-btn").first).to_be_attached()
    expect(page.get_by_label("Share chart")).to_have_count(0)  # it would upload the figure
    expect(page.get_by_text("WebGL is not supported")).to_have_count(0)
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    tables = page.locator("table")
    ends = [box["x"] + box["width"] for one in tables.all() if (box := one.bounding_box()) is not None]
    assert ends and max(ends) <= SIZE["width"], "no column is off the page, or lost in print"
    page.get_by_role("button", name="accuracy", exact=True).click()
    cells = page.locator("section", has=page.get_by_role("heading", name="Groups", exact=True)).locator("tbody tr")
    shown = [float(cells.nth(row).locator("td").nth(3).inner_text()) for row in range(cells.count())]
    assert shown == sorted(shown, reverse=True)
    groups = page.locator("table", has=page.get_by_role("button", name="accuracy", exact=True))
    page.get_by_role("button", name="accuracy", exact=True).click()
    expect(groups.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    groups.get_by_role("button").first.click()
    expect(groups.get_by_role("columnheader").first).to_have_attribute("aria-sort", "descending")
    expect(groups.locator("th[aria-sort]")).to_have_count(1)
