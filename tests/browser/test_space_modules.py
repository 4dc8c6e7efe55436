"""The plot of the spaces by itself, in a real Chromium: what is asked for while points load, and without WebGL."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from app.routes.assets import static
from app.space.colours import categories
from app.space.view import HTML, Selection
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
        modules.serve(page, "space", points=self._points)

    def asks_for(self, *names: str, selected: Sequence[int] = (), classes: Sequence[str] = ("cat", "dog")) -> None:
        """A run of the page's script: these spaces, side by side."""
        n = self.points.shape[1]
        panels = [{"key": name, "title": f"The {name} space", "points": f"/points/{name}"} for name in names]
        coloured = categories("class", np.arange(n) % 2, classes).wire()
        selection = Selection(n, np.asarray(selected, int), "one").wire()
        of_all = {"n": n, "above": 1_000, "card": "/card/AT", "image": "/image/ROW", "selection": selection}
        data: dict[str, Any] = {"panels": panels, "colouring": coloured, **of_all}
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
    plot = Plot(page)
    page.add_style_tag(content=static("space/plot.css").read_text())
    plot.asks_for("attention")
    expect(page.locator(".slim-space")).to_have_attribute("data-ready", "true")
    x, y = page.evaluate(PLACE)
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
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
