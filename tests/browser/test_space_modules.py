"""The plot of the spaces by itself, in a real Chromium: what is asked for while points load, and without WebGL."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from app.routes.assets import PLOTLY, static
from app.space.colours import Colouring, categories, continuous
from app.space.view import FIGURES, HTML, Selection
from tests.browser import modules

pytestmark = pytest.mark.browser

N = 4  # points
FOUR = np.linspace(0, 1, 2 * N).reshape(2, N)
MOUNT = """async ([html, data]) => {
  const { mount } = await import("/space/plot.js");
  document.body.innerHTML ||= `<div>${html}</div>`;
  mount({ data, parentElement: document.body.firstElementChild, setStateValue: () => {} });
}"""
PAINTER = "document.body.firstElementChild.__slimSpace.panels[0].layer.painter.constructor.name"
# Where the second point lies on the screen.
PLACE = """() => {
  const [{ host, x, y, view }] = document.body.firstElementChild.__slimSpace.panels;
  const box = host.getBoundingClientRect();
  return [box.left + (x[1] - view.x[0]) / (view.x[1] - view.x[0]) * box.width,
          box.bottom - (y[1] - view.y[0]) / (view.y[1] - view.y[0]) * box.height];
}"""
NEXT_FRAME = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
NO_WEBGL = """
const context = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...how) {
  return kind.startsWith("webgl") ? null : context.call(this, kind, ...how);
};
"""


class Plot:
    """A page that serves the modules; points whose name is in ``held`` come when the test lets them go."""

    def __init__(self, page: Page, points: np.ndarray = FOUR) -> None:
        self.page, self.points = page, points
        self.held: dict[str, Route | None] = {}
        self.n_plotly = 0  # times that Plotly was asked for
        self.bundle: str | None = static(PLOTLY).read_text()  # None: it does not come
        modules.serve(page, "space", points=self._points, plotly=self._plotly)

    def asks_for(
        self,
        *names: str,
        selected: Sequence[int] = (),
        classes: Sequence[str] = ("cat", "dog"),
        plotly: str = "",
        coloured: Colouring | None = None,
    ) -> None:
        """A run of the page's script: these spaces, side by side."""
        n = self.points.shape[1]
        panels = [{"key": name, "title": f"The {name} space", "points": f"/points/{name}"} for name in names]
        colours = (coloured or categories("class", np.arange(n) % 2, classes)).wire()
        selection = Selection(n, np.asarray(selected, int), "one").wire()
        of_all = {"n": n, "above": 200_000, "card": "/card/AT", "image": "/image/ROW", "selection": selection}
        drawn = {"figures": FIGURES, "plotly": plotly}
        data: dict[str, Any] = {"panels": panels, "colouring": colours, **of_all, **drawn}
        self.page.evaluate(MOUNT, [HTML, data])

    def titles(self, *names: str) -> None:
        """Of the spaces that are there."""
        expect(self.page.locator("figcaption")).to_have_text([f"The {name} space" for name in names])

    def let_go(self, name: str) -> None:
        for _ in range(3_000):
            if (route := self.held.get(name)) is not None:
                del self.held[name]
                return self._send(route)
            self.page.wait_for_timeout(10)
        raise AssertionError(f"nobody asked for {name}")

    def _points(self, route: Route, name: str) -> None:
        if name in self.held:
            self.held[name] = route
        else:
            self._send(route)

    def _plotly(self, route: Route, _name: str) -> None:
        self.n_plotly += 1
        if self.bundle is None:
            route.abort()
        else:
            route.fulfill(content_type="text/javascript", body=self.bundle)

    def _send(self, route: Route) -> None:
        route.fulfill(content_type="application/octet-stream", body=self.points.astype("<f4").tobytes())


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context() as context:
        yield context.new_page()


def test_a_space_that_is_asked_for_while_another_loads_is_drawn_once(page: Page) -> None:
    plot = Plot(page)
    plot.held["attention"] = None
    plot.asks_for("attention")
    plot.asks_for("attention", "environment")
    plot.let_go("attention")
    plot.titles("attention", "environment")
    expect(page.locator(".slim-space")).to_have_attribute("data-ready", "true")
    expect(page.get_by_role("status")).to_contain_text(f"{N} images.")


def test_without_a_connection_the_points_are_said_to_be_missing_and_the_next_run_of_the_page_brings_them(
    page: Page,
) -> None:
    plot = Plot(page)
    page.route("**/points/attention", lambda route: route.abort(), times=1)
    plot.asks_for("attention")
    expect(page.get_by_role("status")).to_have_text("The points could not be loaded (no connection): reload the page.")
    plot.asks_for("attention")
    plot.titles("attention")
    expect(page.get_by_role("status")).to_contain_text(f"{N} images.")


def test_other_names_of_the_same_points_are_in_the_legend(page: Page) -> None:
    plot = Plot(page)
    plot.asks_for("attention")
    expect(page.get_by_role("button", name="cat 2")).to_be_visible()
    plot.asks_for("attention", classes=("on water", "on land"))
    expect(page.get_by_role("button", name="on water 2")).to_be_visible()


def test_without_webgl_the_points_look_as_with_it(browser: Browser) -> None:
    points, painters, pictures = np.random.default_rng(0).random((2, 300)), [], []
    for script in ("", NO_WEBGL):
        with browser.new_context(viewport={"width": 800, "height": 600}) as context:
            page = context.new_page()
            page.add_init_script(script)
            plot = Plot(page, points)
            page.add_style_tag(content=static("space/plot.css").read_text())
            plot.asks_for("attention", "environment", selected=range(100))
            expect(page.get_by_role("status")).to_contain_text("100 of 300 images selected")
            page.evaluate(NEXT_FRAME)
            shot = page.locator(".slim-space-plot").first.screenshot()
            pictures.append(np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float))
            painters.append(page.evaluate(PAINTER))
    assert painters == ["WebGLPoints", "CanvasPoints"]
    with_it, without = pictures
    assert (with_it < 250).any(axis=2).mean() > 0.05, "a tenth is drawn"
    assert np.abs(with_it - without).mean() < 2, "five times that where none lies on another"


def test_a_finger_that_rolls_while_it_taps_means_the_point(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True})  # first: its tools are larger
    plot = Plot(page)
    page.add_style_tag(content=static("space/plot.css").read_text())
    plot.asks_for("attention")
    expect(page.locator(".slim-space")).to_have_attribute("data-ready", "true")
    x, y = page.evaluate(PLACE)
    for kind, *points in (("touchStart", {"x": x - 6, "y": y}), ("touchMove", {"x": x + 2, "y": y}), ("touchEnd",)):
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.get_by_role("status")).to_contain_text(f"1 of {N} images selected")


def test_in_forced_colours_the_legend_keeps_its_own_and_the_tool_in_use_is_seen(browser: Browser) -> None:
    with browser.new_context(forced_colors="active") as context:
        page = context.new_page()
        plot = Plot(page)
        page.add_style_tag(content=static("space/plot.css").read_text())
        plot.asks_for("attention")
        expect(page.locator(".slim-space")).to_have_attribute("data-ready", "true")
        meant, shown = page.locator(".slim-space-dot").first.evaluate(
            "(dot) => [dot.style.backgroundColor, getComputedStyle(dot).backgroundColor]"
        )
        frames = page.locator(".slim-space-tool").evaluate_all(
            "(tools) => tools.map((tool) => getComputedStyle(tool).borderTopColor)"
        )
    assert shown == meant
    assert frames[0] not in frames[1:], "the lasso is in use"


def test_the_points_are_drawn_anew_where_the_window_comes_to_a_finer_screen(page: Page) -> None:
    plot = Plot(page)
    page.add_style_tag(content=static("space/plot.css").read_text())
    plot.asks_for("attention")
    canvas = page.locator("canvas").first
    coarse = canvas.evaluate("(canvas) => canvas.clientWidth")
    expect(canvas).to_have_js_property("width", coarse)
    devtools, size = page.context.new_cdp_session(page), page.viewport_size
    for ratio in (2, 3):
        finer = {**(size or {}), "deviceScaleFactor": ratio, "mobile": False}
        devtools.send("Emulation.setDeviceMetricsOverride", finer)
        devtools.send("Page.captureScreenshot")  # only then does an emulated screen say so to the page
        expect(canvas).to_have_js_property("width", ratio * coarse)


def test_a_view_that_moves_says_nothing_anew_and_leaves_no_card_of_another_point(page: Page) -> None:
    plot = Plot(page)
    page.route("**/card/*", lambda route: card_of(route, "cat"))
    page.add_style_tag(content=static("space/plot.css").read_text())
    plot.asks_for("attention")
    expect(page.locator(".slim-space")).to_have_attribute("data-ready", "true")
    page.mouse.move(*page.evaluate(PLACE))
    expect(page.get_by_text("cat", exact=True)).to_be_visible()
    page.evaluate("""() => {
      window.said = 0;
      const heard = { childList: true, characterData: true, subtree: true };
      new MutationObserver(() => { said += 1; }).observe(document.querySelector("[role=status]"), heard);
    }""")
    page.locator(".slim-space-plot").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("cat", exact=True)).to_be_hidden()
    page.evaluate(NEXT_FRAME)
    assert page.evaluate("said") == 0


MASKS = """document.body.firstElementChild.__slimSpace.panels.map(
  ({ layer }) => layer.mask ? [...layer.mask.keys()].filter((id) => layer.mask[id]) : [])"""
LEFT = ((0.1, 0.1), (0.55, 0.05), (0.4, 0.6), (0.6, 0.9), (0.05, 0.95))  # corners of a lasso, as shares of a space
RIGHT = ((0.45, 0.2), (0.9, 0.1), (0.95, 0.9))
DRAWN = ".slim-space[data-drawn=%s]"


def with_plotly(page: Page, n: int, *spaces: str, **asked: Any) -> Plot:
    """``n`` points drawn by Plotly, or by whatever is drawn where it cannot."""
    plot = Plot(page, np.random.default_rng(0).random((2, n)))
    plot.bundle = asked.pop("bundle", plot.bundle)
    page.add_style_tag(content=static("space/plot.css").read_text())
    plot.asks_for(*(spaces or ("attention", "environment")), plotly=f"/{PLOTLY}", **asked)
    page.wait_for_selector(DRAWN.partition("=")[0] + "]")
    return plot


def lasso(page: Page, corners: Sequence[tuple[float, float]], key: str = "") -> list[list[int]]:
    """Draw round a part of the first space, over whole pixels as a mouse does; the ids selected then in each."""
    box = page.locator(".slim-space-plot").first.bounding_box()
    assert box is not None
    places = [(round(box["x"] + box["width"] * x), round(box["y"] + box["height"] * y)) for x, y in corners]
    if key:
        page.keyboard.down(key)
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    if key:
        page.keyboard.up(key)
    page.wait_for_timeout(100)
    return page.evaluate(MASKS)


@pytest.mark.parametrize("n", [300, 1_500])  # in SVG, and in WebGL
def test_a_lasso_of_plotly_selects_what_one_of_our_own_drawing_does(browser: Browser, n: int) -> None:
    found = []
    for address in ("", f"/{PLOTLY}"):
        with browser.new_context(viewport={"width": 1000, "height": 600}) as context:
            page = context.new_page()
            plot = Plot(page, np.random.default_rng(0).random((2, n)))
            page.add_style_tag(content=static("space/plot.css").read_text())
            plot.asks_for("attention", "environment", plotly=address)
            page.wait_for_selector(DRAWN % ("plotly" if address else "own"))
            found.append([lasso(page, LEFT), lasso(page, RIGHT, "Shift"), lasso(page, LEFT[:3], "Alt")])
            page.get_by_role("button", name="Box: drag").click()
            found[-1].append(lasso(page, ((0.2, 0.2), (0.7, 0.8))))
    ours, plotlys = found
    assert all(one and one == other for one, other in ours), "both spaces are linked"
    assert len({len(one) for one, _ in ours}) == 4, "each gesture changes the selection"
    assert plotlys == ours


def test_escape_gives_up_a_lasso_of_plotly_and_then_the_selection(page: Page) -> None:
    with_plotly(page, 300)
    (before, _) = lasso(page, LEFT)
    box = page.locator(".slim-space-plot").first.bounding_box()
    assert before and box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    for x, y in ((300, 5), (300, 200)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=1)
    page.keyboard.press("Escape")
    page.mouse.up()
    page.wait_for_timeout(100)
    assert page.evaluate(MASKS) == [before, before]
    expect(page.locator(".zoomlayer > *")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("status")).to_contain_text("300 images.")


def test_an_empty_lasso_of_plotly_selects_nothing_and_a_click_one_point(page: Page) -> None:
    with_plotly(page, 40, "attention")
    assert lasso(page, LEFT)[0]
    assert lasso(page, ((0.001, 0.001), (0.02, 0.001), (0.02, 0.02))) == [[]]
    for _ in range(2):  # as quickly as two clicks of one double-click
        page.mouse.click(*page.evaluate(PLACE))
        expect(page.get_by_role("status")).to_contain_text("1 of 40 images selected")
    page.wait_for_timeout(500)
    assert page.evaluate(MASKS) == [[1]]
    assert page.evaluate("document.querySelector('.js-plotly-plot').data.map((one) => one.selectedpoints.length)") == [
        0,
        1,
    ]
    page.locator(".slim-space-plot").dblclick(position={"x": 3, "y": 3})
    expect(page.get_by_role("status")).to_contain_text("40 images.")


def test_a_legend_hides_a_colour_in_both_spaces_and_a_lasso_leaves_it_out(page: Page) -> None:
    with_plotly(page, 300)
    whole = ((0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99))
    assert len(lasso(page, whole)[0]) == 300
    eyes = page.locator(".slim-space-eye")
    eyes.first.click()
    expect(eyes.first).to_have_attribute("aria-pressed", "false")
    assert lasso(page, whole) == [list(range(1, 300, 2))] * 2
    eyes.first.dblclick()  # only this one
    assert lasso(page, whole) == [list(range(0, 300, 2))] * 2
    eyes.first.dblclick()  # and all again
    assert len(lasso(page, whole)[1]) == 300


SCALE = continuous("Confidence", np.r_[np.nan, np.linspace(0, 1, 299)])
CLASSES = categories("class", np.arange(300) % 2, ["<b>cat</b>", "dog & co"])


@pytest.mark.parametrize("coloured", [SCALE, CLASSES])
def test_the_download_of_a_figure_is_a_picture_with_its_points(page: Page, coloured: Colouring) -> None:
    with_plotly(page, 300, "attention", coloured=coloured)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as PNG").click()
    assert download.value.suggested_filename == "attention.png"
    with Image.open(download.value.path()) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB"), int)
    colours = [[int(coloured.palette[code][k : k + 2], 16) for k in (1, 3, 5)] for code in coloured.codes]
    missing = [colour for colour in colours if np.abs(pixels - colour).max(axis=2).min() > 40]  # at an opacity of 0.88
    assert not missing


def test_above_a_number_of_points_our_own_drawing_says_so_and_plotly_is_not_asked_for(page: Page) -> None:
    plot = Plot(page, np.random.default_rng(0).random((2, FIGURES + 1)))
    plot.asks_for("attention")
    page.wait_for_selector(DRAWN % "own")
    expect(page.get_by_role("status")).to_contain_text("without Plotly")
    assert not plot.n_plotly
    expect(page.get_by_role("button", name="Download")).to_have_count(0)
    expect(page.locator(".slim-space-eye").first).to_be_disabled()


REFUSING = "window.Plotly = {newPlot: () => Promise.reject(new Error('no')), purge: () => {}};"


@pytest.mark.parametrize("bundle", [None, REFUSING])
def test_where_plotly_does_not_come_or_fails_our_own_drawing_stays(page: Page, bundle: str | None) -> None:
    plot = with_plotly(page, 300, bundle=bundle)
    assert plot.n_plotly == 1
    expect(page.locator(".slim-space")).to_have_attribute("data-drawn", "own")
    expect(page.locator(".slim-space-plot div")).to_have_count(0)
    assert lasso(page, LEFT)[0]


@pytest.mark.parametrize(("n", "drawn"), [(300, "plotly"), (1_500, "own")])
def test_without_webgl_plotly_draws_as_many_points_as_it_can(page: Page, n: int, drawn: str) -> None:
    page.add_init_script(NO_WEBGL)
    with_plotly(page, n)
    expect(page.locator(".slim-space")).to_have_attribute("data-drawn", drawn)
    assert lasso(page, LEFT)[0]


def test_a_figure_that_has_lost_its_graphics_gives_way_to_our_own_drawing(page: Page) -> None:
    with_plotly(page, 1_500)
    before = lasso(page, LEFT)
    page.evaluate("document.querySelector('.js-plotly-plot .gl-canvas-focus, .js-plotly-plot canvas')"
                  ".getContext('webgl').getExtension('WEBGL_lose_context').loseContext()")  # fmt: skip
    page.wait_for_selector(DRAWN % "own")
    assert page.evaluate(MASKS) == before
    assert lasso(page, RIGHT) != before


def test_by_thumb_our_own_drawing_stays(browser: Browser) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as context:
        plot = with_plotly(context.new_page(), 300)
        expect(plot.page.locator(".slim-space")).to_have_attribute("data-drawn", "own")
        assert not plot.n_plotly


HOVER = """async () => {
  const { HoverCard } = await import("/space/card.js");
  window.card = new HoverCard(document.body.appendChild(document.createElement("div")));
  card.update("/card/AT", "/picture/ROW");
}"""


def card_of(route: Route, title: str) -> None:
    route.fulfill(json={"row": 0, "title": title, "group": "", "correct": True, "facts": []})


def test_a_card_that_does_not_come_leaves_no_other_points_card_beside_it(browser: Browser) -> None:
    """As where the token of a page that was left open is over its time: the cards in memory still come."""
    with browser.new_page() as page:
        refused = lambda route, name: card_of(route, "cat") if name == "0" else route.fulfill(status=401)  # noqa: E731
        modules.serve(page, "space", card=refused)
        page.evaluate(HOVER)
        page.evaluate("card.show(0, 10, 10)")
        expect(page.get_by_text("cat")).to_be_visible()
        with page.expect_response("**/card/1"):
            page.evaluate("card.show(1, 20, 20)")
        expect(page.get_by_text("cat")).to_be_hidden()


def test_a_card_that_was_asked_for_before_the_scores_changed_is_not_kept(browser: Browser) -> None:
    held: list[Route] = []
    with browser.new_page() as page:
        answers = {"card": lambda route, _name: held.append(route), "newer": lambda route, _name: card_of(route, "dog")}
        modules.serve(page, "space", **answers)
        page.evaluate(HOVER)
        with page.expect_request("**/card/0"):
            page.evaluate("card.show(0, 10, 10)")
        page.evaluate("card.update('/newer/AT', '/picture/ROW')")
        with page.expect_response("**/card/0"):
            card_of(held[0], "cat")
        page.evaluate("card.hide()")
        page.evaluate("card.show(0, 10, 10)")
        expect(page.get_by_text("dog")).to_be_visible()


GREEN = modules.PIXEL.replace('"1"', '"20"').replace("/>", '><rect width="20" height="20" fill="green"/></svg>')


def test_a_card_never_shows_the_picture_of_another_point(browser: Browser) -> None:
    """A browser still paints the last picture of an element whose address has changed, until the new one has come."""

    def card(route: Route, name: str) -> None:
        route.fulfill(json={"row": int(name), "title": f"point {name}", "group": "", "correct": True, "facts": []})

    def picture(route: Route, name: str) -> None:
        if name == "0":  # that of the other is on its way
            route.fulfill(content_type="image/svg+xml", body=GREEN)

    with browser.new_page() as page:
        modules.serve(page, "space", card=card, picture=picture)
        page.evaluate(HOVER)
        page.evaluate("card.show(0, 10, 10)")
        page.wait_for_function("card.box.querySelector('img').naturalWidth > 0")
        place = page.locator("img").bounding_box()
        before = page.screenshot(clip=place)
        page.evaluate("card.show(1, 10, 10)")
        expect(page.get_by_text("point 1")).to_be_visible()
        assert page.screenshot(clip=place) != before
