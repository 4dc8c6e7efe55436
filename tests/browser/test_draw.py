"""Drawing where the object is, in a browser: by mouse and by keys, kept across a reload, and then in the scores."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from slim_core.data.images.codec import image_size
from slim_core.settings import Settings
from slim_core.store import Dataset, Store
from tests.browser.steps import settle, visit
from tests.built_once import built_once

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

PATIENCE_S = 180


@pytest.fixture(scope="module")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model, its attention and its evaluation, on images without masks."""
    built = built_once(tmp_path_factory, "unmasked", _evaluate_without_masks)
    return Path(shutil.copytree(built / "home", tmp_path_factory.mktemp("unmasked") / "home"))


def _evaluate_without_masks(folder: Path) -> None:
    from slim_core.data.importing import import_data
    from slim_core.data.sets.digits import DemoConfig, write_demo
    from slim_core.runs.executor import InProcess, Workbench
    from slim_core.runs.loop_runs import LoopConfig
    from slim_core.runs.methods import Loop

    write_demo(folder / "demo", DemoConfig(train=80, val=40, test=40))
    shutil.rmtree(folder / "demo" / "masks")
    store = Store.open(Settings(home=folder / "home"))
    dataset = store.datasets.register(import_data(folder / "demo"), by="tests")
    loop = Loop(Workbench(store, InProcess(store, device="cpu")), LoopConfig(dataset=dataset.id, train={"epochs": 2}))
    assert loop.evaluation(loop.reference).metrics["n_masks"] == 0 and loop.attention.metrics["n_masks"] == 0
    store.close()


@pytest.fixture
def address(own_address: str) -> str:
    return own_address


@pytest.fixture
def store(own_store: Store) -> Store:
    return own_store


@pytest.fixture
def dataset(store: Store) -> Dataset:
    return store.datasets.all()[0]


def open_image(page: Page, address: str, row: int) -> None:
    visit(page, address, "draw", f"?row={row}")
    expect(page.locator(f'.slim-draw[data-row="{row}"]')).to_be_visible(timeout=60_000)
    expect(page.get_by_text(f"Image {row}", exact=True)).to_be_visible()


def drawing(page: Page, n: int) -> None:
    """So many shapes are on the image."""
    expect(page.locator(f'.slim-draw[data-shapes="{n}"]')).to_be_visible()


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the image on the screen; x, y: shares of its sides."""
    box = page.locator('[data-part="surface"]').bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()


def kept(store: Store, dataset: Dataset, row: int, n: int) -> list:
    """The polygons of an image, once there are so many."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        shape = store.shapes.find(dataset.id, row)
        polygons = [] if shape is None or shape.drawing is None else list(shape.drawing.polygons)
        if len(polygons) == n:
            return polygons
        time.sleep(0.1)
    raise AssertionError(f"image {row} has {polygons}, not {n} shapes")


def test_shapes_are_drawn_by_mouse_undone_and_still_there_after_a_reload(
    page: Page, address: str, store: Store, dataset: Dataset
) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[0])
    open_image(page, address, row)
    drag(page, (0.25, 0.25), (0.75, 0.5))
    drawing(page, 1)
    page.keyboard.press("p")
    for corner in ((0.1, 0.6), (0.4, 0.6), (0.4, 0.9)):
        page.mouse.click(*at(page, *corner))
    page.mouse.click(*at(page, 0.1, 0.6))  # the first corner closes it
    drawing(page, 2)
    page.keyboard.press("r")
    drag(page, (0.8, 0.8), (0.9, 0.9))
    drawing(page, 3)
    page.keyboard.press("Control+z")
    drawing(page, 2)
    page.keyboard.press("Enter")
    rectangle, triangle = kept(store, dataset, row, 2)
    side = store.shapes.find(dataset.id, row).drawing.width
    assert [round(x / side, 2) for x, _ in rectangle] == pytest.approx([0.25, 0.75, 0.75, 0.25], abs=0.02)
    assert [round(y / side, 2) for _, y in triangle] == pytest.approx([0.6, 0.6, 0.9], abs=0.02)
    expect(page.locator(f'.slim-draw[data-row="{row}"]')).to_have_count(0)  # the next one is shown
    expect(page.get_by_text(re.compile(r"1 drawn\. .* on 1 of 40 test images: 2\.5"))).to_be_visible()
    open_image(page, address, row)
    drawing(page, 2)
    expect(page.get_by_text("drawn by ann")).to_be_visible()


def test_all_of_it_goes_by_keys(page: Page, address: str, store: Store, dataset: Dataset) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[1])
    open_image(page, address, row)
    page.keyboard.press("Space")  # the cross appears in the middle
    page.keyboard.press("Space")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    drawing(page, 1)
    page.keyboard.press("p")
    for key in ("Shift+ArrowUp", "Shift+ArrowLeft", "Shift+ArrowDown"):
        page.keyboard.press("Space")
        for _ in range(6):
            page.keyboard.press(key)
    page.keyboard.press("ArrowRight")  # nothing is lost by going on in the middle of a polygon
    expect(page.get_by_text("Close the shape with Enter, or cancel it with Esc.")).to_be_visible()
    page.keyboard.press("Enter")
    drawing(page, 2)
    page.keyboard.press("Delete")
    drawing(page, 1)
    page.keyboard.press("ArrowRight")
    assert len(kept(store, dataset, row, 1)[0]) == 4
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f'.slim-draw[data-row="{row}"]')).to_be_visible()
    drawing(page, 1)
    page.get_by_role("heading", level=1).click()  # the focus is beside what is drawn on
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    kept(store, dataset, row, 0)
    assert store.shapes.find(dataset.id, row).seq  # it was removed, not forgotten


def test_a_page_that_is_left_keeps_what_was_drawn(page: Page, address: str, store: Store, dataset: Dataset) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[2])
    open_image(page, address, row)
    drag(page, (0.2, 0.2), (0.6, 0.6))
    drawing(page, 1)
    page.get_by_role("link", name="Jobs").first.click()
    kept(store, dataset, row, 1)


def test_of_two_people_the_later_is_told(page: Page, address: str, store: Store, dataset: Dataset) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[3])
    open_image(page, address, row)
    store.shapes.keep(dataset.id, row, [[[1, 1], [9, 1], [9, 9]]], (28, 28), id="of-lea", by="lea")
    drag(page, (0.2, 0.2), (0.6, 0.6))
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"lea drew on image {row} meanwhile: yours counts, theirs is kept.")).to_be_visible()
    assert len(kept(store, dataset, row, 1)[0]) == 4


def test_what_was_drawn_gives_scores_by_one_button(page: Page, address: str, store: Store, dataset: Dataset) -> None:
    rows = store.datasets.table(dataset.id).rows("test").tolist()
    for row in rows[4:12]:
        store.shapes.keep(dataset.id, row, [[[4, 4], [24, 4], [24, 24], [4, 24]]], (28, 28), id=f"for-scores-{row}")
    visit(page, address, "draw")
    page.get_by_role("button", name="Score again").click()
    settle(page)
    seq, ends = store.shapes.newest(dataset.id), time.monotonic() + PATIENCE_S
    while True:
        done = [run for run in store.runs.all(status="done") if run.spec.get("shapes_seq") == seq]
        if {run.kind for run in done} == {"gradcam", "evaluate"}:
            break
        assert time.monotonic() < ends, store.runs.counts()
        time.sleep(0.5)
    assert all(run.metrics["aiou"] is not None and run.metrics["reused"] for run in done)
    visit(page, address, "attention", "?attention-tab=Scores per group")
    expect(page.get_by_text(re.compile(r"Over \d+ of 40 test images"))).to_be_visible(timeout=60_000)


def corners(page: Page) -> list[tuple[float, float]]:
    """Of the selected shape, in pixels of the file."""
    grips = page.locator("circle.grip")
    return [
        (float(grips.nth(n).get_attribute("cx")), float(grips.nth(n).get_attribute("cy"))) for n in range(grips.count())
    ]


def side_of(store: Store, dataset: Dataset, row: int) -> int:
    return image_size(store.datasets.table(dataset.id).image_path(row))[0]


def test_a_corner_of_a_rectangle_is_dragged_moved_by_keys_and_taken_back(
    page: Page, address: str, store: Store, dataset: Dataset
) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[31])
    side = side_of(store, dataset, row)
    open_image(page, address, row)
    drag(page, (0.25, 0.25), (0.5, 0.5))
    drawing(page, 1)
    drag(page, (0.5, 0.5), (0.75, 0.625))
    drawing(page, 1)  # no second one
    dragged = corners(page)
    assert dragged[0] == pytest.approx((side / 4, side / 4), abs=0.5), "the corner opposite stays"
    assert dragged[2] == pytest.approx((side * 0.75, side * 0.625), abs=0.5)
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowDown", "ArrowUp"):  # the corner has the focus
        page.keyboard.press(key)
    (x0, y0), _, (x, y), (_, y3) = corners(page)
    assert (x, y) == pytest.approx((dragged[2][0] - 2, dragged[2][1] + 9)) and y3 == y, "it is a rectangle still"
    page.keyboard.press("Control+z")
    assert corners(page) == dragged, "steps of one corner are taken back together"
    page.keyboard.press("Control+z")
    assert corners(page)[2] == pytest.approx((side / 2, side / 2), abs=0.5)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    polygon = kept(store, dataset, row, 1)[0]
    assert polygon[2] == pytest.approx((side / 2 + 10, side / 2), abs=0.5) and polygon[0] == (x0, y0)


def test_a_point_of_a_polygon_is_moved_alone_also_without_a_mouse(
    page: Page, address: str, store: Store, dataset: Dataset
) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[32])
    side = side_of(store, dataset, row)
    open_image(page, address, row)
    page.keyboard.press("p")
    for corner in ((0.2, 0.2), (0.6, 0.2), (0.6, 0.6)):
        page.mouse.click(*at(page, *corner))
    page.keyboard.press("Enter")
    drawing(page, 1)
    drag(page, (0.6, 0.6), (0.3, 0.9))
    assert [round(x / side, 1) for x, _ in corners(page)] == [0.2, 0.6, 0.3]
    page.keyboard.press("Escape")
    expect(page.locator("circle.grip")).to_have_count(0)
    page.keyboard.press("s")
    page.keyboard.press("Tab")
    expect(page.locator("circle.grip:focus")).to_have_attribute("aria-label", re.compile(r"Corner 2 of 3 at .*"))
    before = corners(page)
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowRight")
    moved = [before[0], (before[1][0] + 1, before[1][1] + 10), before[2]]
    assert np.allclose(corners(page), moved)
    page.keyboard.press("Delete")  # the shape, not the corner
    drawing(page, 0)
    page.keyboard.press("Control+z")
    page.keyboard.press("Enter")
    assert np.allclose(kept(store, dataset, row, 1)[0], moved)


def touched(page: Page, finger: CDPSession, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A finger goes from one place of the image to another."""
    for kind, *places in (("touchStart", start), ("touchMove", end), ("touchEnd",)):
        points = [dict(zip("xy", at(page, *place), strict=True)) for place in places]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_finger_draws_a_polygon_and_a_rectangle(
    browser: Browser, address: str, store: Store, dataset: Dataset
) -> None:
    row = int(store.datasets.table(dataset.id).rows("test")[30])
    context = browser.new_context(viewport={"width": 820, "height": 1180}, has_touch=True)
    try:
        page = context.new_page()
        open_image(page, address, row)
        page.get_by_role("button", name="Polygon").tap()
        for corner in ((0.2, 0.2), (0.7, 0.25), (0.6, 0.8), (0.2, 0.2)):
            page.touchscreen.tap(*at(page, *corner))
        drawing(page, 1)
        page.get_by_role("button", name="Rectangle").tap()
        finger = context.new_cdp_session(page)
        touched(page, finger, (0.1, 0.5), (0.3, 0.9))
        drawing(page, 2)
        touched(page, finger, (0.3, 0.9), (0.5, 0.95))  # a corner of it
        drawing(page, 2)
        page.get_by_role("button", name="Save and next").tap()  # quick strokes before it swallow no tap
        assert len(kept(store, dataset, row, 2)[1]) == 4
    finally:
        context.close()
