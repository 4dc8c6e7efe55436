"""The drawing page's modules by themselves, in a real Chromium: requests that are late, fail or are cut off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.draw.canvas import URLS
from app.routes.assets import static
from tests.browser import modules

pytestmark = pytest.mark.browser

ROWS = [11, 12, 13]
DATA = {
    "urls": URLS, "token": "t", "dataset": "d", "split": "test", "image": "/picture/ROW", "rows": ROWS,
    "open": len(ROWS), "drawn": [], "last": 99, "row": ROWS[0],
    "progress": {"n": 3, "scored": 0, "drawn": 0, "classes": []},
}  # fmt: skip
MOUNT = """async ([html, data]) => {
  const { mount } = await import("/draw/draw.js");
  if (html) document.body.innerHTML = `<div>${html}</div>`; // else as another run of the page's script
  mount({ data, parentElement: document.body.firstElementChild, setTriggerValue: () => {} });
}"""


class Drawing:
    """The page of three images; ``held``: requests by what they are about, which the test answers when it likes."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.held: dict[object, Route | None] = {}  # row of an image, or "shapes" -> its request, None until it comes
        self.sent: list[dict[str, Any]] = []  # drawings
        modules.serve(page, "draw", api=self._reply)
        page.evaluate(MOUNT, [static("draw/draw.html").read_text(), DATA])
        self.shows(ROWS[0], 0)

    def shows(self, row: int, n: int) -> None:
        """An image with so many shapes is on the screen."""
        expect(self.page.locator(f'.slim-draw[data-row="{row}"][data-shapes="{n}"]')).to_be_visible()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def rectangle(self, direction: str) -> None:
        """By keys, from the cross, which begins in the middle."""
        self.press("Space", *[f"Shift+{direction}", "Shift+ArrowDown"] * 3, "Space")

    def asked_for(self, what: object) -> Route:
        """The request that is held, once it is there."""
        self.until(lambda: self.held[what] is not None)
        route = self.held[what]
        assert route is not None
        return route

    def until(self, happened: Callable[[], bool]) -> None:
        for _ in range(3_000):
            if happened():
                return
            self.page.wait_for_timeout(10)
        raise AssertionError("it did not happen")

    def closes(self) -> None:
        """The browser says so to the page, which sends one more drawing."""
        known = len(self.sent)
        self.page.evaluate("() => dispatchEvent(new Event('pagehide'))")
        self.until(lambda: len(self.sent) > known)

    def _reply(self, route: Route, name: str) -> None:
        body = json.loads(route.request.post_data or "{}")
        what = body["row"] if name == "shapes/image" else name
        if name == "shapes":
            self.sent.append(body)
        if what in self.held:
            self.held[what] = route
        elif name == "shapes":
            route.fulfill(json={"seq": len(self.sent), "overtaken": None, "progress": DATA["progress"]})
        else:
            size = {"width": 100, "height": 100}
            about = {"label": "cat", "group": "", "masked": False, "polygons": [], "seq": 0, "by": ""}
            route.fulfill(json={"row": body["row"], **size, **about})


@pytest.fixture
def drawing(browser: Browser) -> Iterator[Drawing]:
    with browser.new_context() as context:
        yield Drawing(context.new_page())


def test_an_image_that_fails_late_takes_nothing_from_the_one_opened_since(drawing: Drawing) -> None:
    drawing.held[ROWS[1]] = None
    drawing.press("ArrowRight")
    late = drawing.asked_for(ROWS[1])
    drawing.press("ArrowRight")
    drawing.shows(ROWS[2], 0)
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.shows(ROWS[2], 1)
    with drawing.page.expect_event("requestfailed"):
        late.abort()
    drawing.press("Enter")
    drawing.until(lambda: bool(drawing.sent))
    assert [(one["row"], len(one["polygons"])) for one in drawing.sent] == [(ROWS[2], 1)]


def test_an_image_that_is_opened_twice_shows_what_is_kept_and_not_what_a_late_reply_says(drawing: Drawing) -> None:
    about = {"row": ROWS[1], "width": 100, "height": 100, "label": "cat", "group": "", "masked": False, "by": ""}
    drawing.held[ROWS[1]] = None
    drawing.press("ArrowRight")
    late = drawing.asked_for(ROWS[1])
    drawing.press("ArrowLeft")
    drawing.shows(ROWS[0], 0)
    drawing.held[ROWS[1]] = None
    drawing.press("ArrowRight")
    kept = [[[10, 10], [20, 10], [20, 20]]]
    drawing.asked_for(ROWS[1]).fulfill(json={**about, "polygons": kept, "seq": 1})
    drawing.shows(ROWS[1], 1)
    with drawing.page.expect_event("requestfinished"):
        late.fulfill(json={**about, "polygons": [], "seq": 0})
    drawing.page.wait_for_timeout(100)
    drawing.shows(ROWS[1], 1)


def test_what_is_drawn_while_the_next_image_is_on_its_way_outlives_its_failure(drawing: Drawing) -> None:
    drawing.held[ROWS[1]] = None
    drawing.press("ArrowRight")
    late = drawing.asked_for(ROWS[1])
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    late.abort()
    expect(drawing.page.get_by_text("No connection. What you drew is still here")).to_be_visible()
    drawing.shows(ROWS[0], 1)
    del drawing.held[ROWS[1]]
    drawing.press("Enter")
    drawing.shows(ROWS[1], 0)
    assert [(one["row"], len(one["polygons"])) for one in drawing.sent] == [(ROWS[0], 1)]


def test_an_image_without_a_connection_says_so_aloud_and_claims_nothing_was_drawn(drawing: Drawing) -> None:
    drawing.held[ROWS[1]] = None
    drawing.press("ArrowRight")
    drawing.asked_for(ROWS[1]).abort()
    said = drawing.page.get_by_role("alert")
    expect(said).to_contain_text("No connection")
    drawing.held[ROWS[2]] = None
    drawing.press("ArrowRight")
    drawing.asked_for(ROWS[2]).fulfill(status=400, json={"error": "Not to be read."})
    expect(said).to_contain_text("Not to be read.")


def test_nothing_is_drawn_on_an_image_that_is_not_on_screen(drawing: Drawing) -> None:
    """Its size and shapes are known before its picture is there: until then the one before stays, and is drawn on."""
    held: list[Route] = []
    drawing.page.route("**/picture/13", lambda route: held.append(route))
    drawing.press("ArrowLeft")
    drawing.until(lambda: bool(held))
    expect(drawing.page.get_by_text("Loading image 13 ...")).to_be_visible()
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.shows(ROWS[0], 1)
    drawing.page.unroute("**/picture/13")
    held[0].fulfill(content_type="image/svg+xml", body=modules.PIXEL)
    drawing.shows(ROWS[2], 0)
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.press("Enter")
    drawing.shows(ROWS[1], 0)
    assert [(one["row"], len(one["polygons"])) for one in drawing.sent] == [(ROWS[0], 1), (ROWS[2], 1)]
    alts = drawing.page.locator(".slim-draw img").evaluate_all("(images) => images.map((image) => image.alt)")
    assert alts == ["Image 12, cat"]


def test_an_image_whose_picture_does_not_come_says_so_and_takes_no_shape(drawing: Drawing) -> None:
    drawing.page.route("**/picture/13", lambda route: route.fulfill(status=500))
    drawing.press("ArrowLeft")
    expect(drawing.page.get_by_text("The image could not be loaded: continue with the next")).to_be_visible()
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.press("Enter")
    drawing.shows(ROWS[0], 0)
    assert drawing.sent == []


def test_a_page_that_closes_while_it_saves_sends_what_it_holds_by_then(drawing: Drawing) -> None:
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.held["shapes"] = None
    drawing.press("ArrowRight")
    drawing.asked_for("shapes")
    drawing.closes()
    drawing.rectangle("ArrowLeft")
    drawing.shows(ROWS[0], 2)
    drawing.closes()
    first, again, more = drawing.sent
    assert first["id"] == again["id"] != more["id"], "the same drawing is kept once"
    assert [len(one["polygons"]) for one in drawing.sent] == [1, 1, 2]


def test_keys_are_found_on_a_keyboard_of_another_script(drawing: Drawing) -> None:
    press = """([key, code, ctrlKey]) => document.body.dispatchEvent(
      new KeyboardEvent("keydown", { key, code, ctrlKey, bubbles: true }))"""
    drawing.page.evaluate(press, ["\u0437", "KeyP", False])
    expect(drawing.page.locator('[data-act="polygon"]')).to_have_attribute("aria-pressed", "true")
    drawing.page.evaluate(press, ["\u043a", "KeyR", False])
    expect(drawing.page.locator('[data-act="rectangle"]')).to_have_attribute("aria-pressed", "true")
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.shows(ROWS[0], 1)
    drawing.page.evaluate(press, ["\u044f", "KeyZ", True])
    drawing.shows(ROWS[0], 0)


def test_a_key_that_is_held_down_acts_once_but_for_arrows_and_undo(drawing: Drawing) -> None:
    keyboard = drawing.page.keyboard
    drawing.press("Space")
    for _ in range(2):  # the second is a repeat, which would take the corner back
        keyboard.down("Space")
    keyboard.up("Space")
    drawing.page.keyboard.down("Shift")
    for _ in range(4):
        keyboard.down("ArrowRight")
    keyboard.up("ArrowRight")
    for _ in range(4):
        keyboard.down("ArrowDown")
    keyboard.up("ArrowDown")
    keyboard.up("Shift")
    drawing.press("Space")
    drawing.shows(ROWS[0], 1)
    drawing.rectangle("ArrowLeft")
    drawing.shows(ROWS[0], 2)
    for _ in range(3):
        keyboard.down("Delete")
    keyboard.up("Delete")
    drawing.press("Enter")
    drawing.shows(ROWS[1], 0)
    (sent,) = drawing.sent
    (x0, y0), _, (x1, y1), _ = sent["polygons"][0]
    assert (x1 - x0, y1 - y0) == (8, 8), "an arrow goes on while it is held"


def touch(drawing: Drawing) -> Callable[..., None]:
    """Touches of the image: ``to(kind, *places)`` puts, moves or lifts fingers; places in shares of its sides."""
    page = drawing.page
    page.add_style_tag(content=static("draw/draw.css").read_text())
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5})
    box = page.locator('[data-part="surface"]').bounding_box()
    assert box is not None

    def to(kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": n}
            for n, (x, y) in enumerate(places)
        ]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return to


def pinched(to: Callable[..., None], first: tuple[float, float]) -> None:
    to("touchStart", first)
    to("touchMove", (first[0] + 0.1, first[1] + 0.1))
    to("touchStart", (first[0] + 0.1, first[1] + 0.1), (0.9, 0.2))
    to("touchMove", (first[0] + 0.2, first[1] + 0.2), (0.8, 0.3))
    to("touchEnd")


def test_two_fingers_draw_nothing_and_one_still_does(drawing: Drawing) -> None:
    to = touch(drawing)
    pinched(to, (0.2, 0.2))
    drawing.shows(ROWS[0], 0)
    assert drawing.page.locator("svg .open").count() == 0
    to("touchStart", (0.2, 0.2))
    to("touchMove", (0.6, 0.6))
    to("touchEnd")
    drawing.shows(ROWS[0], 1)


def test_a_second_finger_puts_a_corner_back_and_loses_no_later_shape(drawing: Drawing) -> None:
    to = touch(drawing)
    for kind, *places in (("touchStart", (0.2, 0.2)), ("touchMove", (0.5, 0.5)), ("touchEnd",)):
        to(kind, *places)
    drawing.shows(ROWS[0], 1)
    corner = drawing.page.locator("circle.grip").nth(2)
    before = [corner.get_attribute("cx"), corner.get_attribute("cy")]
    pinched(to, (0.5, 0.5))  # it begins on the corner
    assert [corner.get_attribute("cx"), corner.get_attribute("cy")] == before
    for kind, *places in (("touchStart", (0.7, 0.6)), ("touchMove", (0.9, 0.9)), ("touchEnd",)):
        to(kind, *places)
    drawing.shows(ROWS[0], 2)
    for kind, *places in (("touchStart", (0.9, 0.9)), ("touchMove", (0.8, 0.8)), ("touchEnd",)):
        to(kind, *places)
    drawing.shows(ROWS[0], 2)


def test_a_stroke_that_the_browser_takes_away_leaves_nothing_open(drawing: Drawing) -> None:
    to = touch(drawing)
    to("touchStart", (0.2, 0.2))
    to("touchMove", (0.6, 0.6))
    expect(drawing.page.locator("svg .open")).to_be_visible()
    to("touchCancel")
    drawing.press("ArrowRight")
    drawing.shows(ROWS[1], 0)


def mouse_to(drawing: Drawing, share: float, steps: int = 1) -> None:
    """A place on the diagonal of the image."""
    box = drawing.page.locator('[data-part="surface"]').bounding_box()
    assert box is not None
    drawing.page.mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"], steps=steps)


def drag(drawing: Drawing, start: float, end: float) -> None:
    mouse_to(drawing, start)
    drawing.page.mouse.down()
    mouse_to(drawing, end, steps=3)
    drawing.page.mouse.up()


def test_a_corner_that_leaves_no_area_goes_back_and_undo_in_the_middle_of_a_drag_takes_back_the_shape(
    drawing: Drawing,
) -> None:
    drag(drawing, 0.2, 0.5)
    drawing.shows(ROWS[0], 1)
    drag(drawing, 0.5, 0.2)
    expect(drawing.page.get_by_text("A shape needs an area")).to_be_visible()  # that is no step to be undone
    mouse_to(drawing, 0.5)
    drawing.page.mouse.down()
    mouse_to(drawing, 0.7, steps=3)
    drawing.press("Control+z")
    mouse_to(drawing, 0.8, steps=3)
    drawing.page.mouse.up()
    drawing.shows(ROWS[0], 0)


def test_a_corner_that_is_dragged_while_its_image_is_saved_stays_in_hand_and_counts_where_it_is_dropped(
    drawing: Drawing,
) -> None:
    drag(drawing, 0.2, 0.5)
    drawing.shows(ROWS[0], 1)
    drawing.held["shapes"] = None
    drawing.press("ArrowRight")
    late = drawing.asked_for("shapes")
    mouse_to(drawing, 0.5)
    drawing.page.mouse.down()
    mouse_to(drawing, 0.2, steps=3)  # where the shape has no area: nothing that counts
    del drawing.held["shapes"]
    late.fulfill(json={"seq": 1, "overtaken": None, "progress": DATA["progress"]})
    expect(drawing.page.get_by_text("Let go of the corner, then continue.")).to_be_visible()
    drawing.shows(ROWS[0], 1)
    mouse_to(drawing, 0.8, steps=3)
    drawing.page.mouse.up()
    drawing.press("Enter")
    drawing.shows(ROWS[1], 0)
    assert [one["polygons"][0][2] for one in drawing.sent] == [[50, 50], [80, 80]]


def test_a_finger_that_rolls_while_it_taps_selects_and_closes(drawing: Drawing) -> None:
    """In pixels of the screen: 8 is no drag of a finger, and 18 is at the first corner."""
    to = touch(drawing)
    box = drawing.page.locator('[data-part="surface"]').bounding_box()
    assert box is not None
    roll, beside = 8 / box["width"], 18 / box["width"]
    for kind, *places in (("touchStart", (0.2, 0.2)), ("touchMove", (0.6, 0.6)), ("touchEnd",)):
        to(kind, *places)
    drawing.press("Escape")
    for kind, *places in (("touchStart", (0.4, 0.4)), ("touchMove", (0.4 + roll, 0.4)), ("touchEnd",)):
        to(kind, *places)
    drawing.shows(ROWS[0], 1)
    expect(drawing.page.locator(".shape.selected")).to_have_count(1)
    drawing.press("p")
    for place in ((0.7, 0.7), (0.95, 0.7), (0.95, 0.95), (0.7 + beside, 0.7)):
        to("touchStart", place)
        to("touchEnd")
    drawing.shows(ROWS[0], 2)


def test_an_empty_field_opens_no_image(drawing: Drawing) -> None:
    drawing.held[0] = None
    drawing.page.get_by_role("button", name="Open").click()
    drawing.press("ArrowRight")  # away from the field's own word
    drawing.page.locator('[data-part="surface"]').focus()
    drawing.press("ArrowRight")
    drawing.shows(ROWS[1], 0)
    assert drawing.held[0] is None


def test_where_a_proxy_answers_the_drawing_is_still_there_and_is_sent_again(drawing: Drawing) -> None:
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.held["shapes"] = None
    drawing.press("Enter")
    drawing.asked_for("shapes").fulfill(status=502, content_type="text/html", body="<h1>502 Bad Gateway</h1>")
    said = "The server sent an unexpected reply. What you drew is still here: press Enter to try again."
    expect(drawing.page.get_by_text(said)).to_be_visible()
    drawing.shows(ROWS[0], 1)
    del drawing.held["shapes"]
    drawing.press("Enter")
    drawing.shows(ROWS[1], 0)
    first, again = drawing.sent
    assert first == again, "the same drawing is kept once"


@pytest.mark.parametrize("what", ["shapes", ROWS[1]])
def test_a_token_over_its_time_is_renewed_without_a_word_from_the_person(drawing: Drawing, what: object) -> None:
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.held[what] = None
    drawing.press("Enter")
    refused = drawing.asked_for(what)
    del drawing.held[what]
    refused.fulfill(status=401, json={"error": "It has expired."})
    drawing.page.evaluate(MOUNT, ["", DATA | {"token": "renewed"}])
    drawing.shows(ROWS[1], 0)
    assert refused.request.headers["x-slim-token"] == "t"
    assert all(sent == drawing.sent[0] for sent in drawing.sent), "the same drawing is kept once"


def test_a_rectangle_without_its_second_corner_says_how_to_set_it(drawing: Drawing) -> None:
    drawing.press("Space", "Space", "ArrowRight")
    expect(drawing.page.get_by_text("Set the other corner with Space, or cancel the shape with Esc.")).to_be_visible()


def test_undo_keeps_the_focus_where_nothing_is_left_to_undo(drawing: Drawing) -> None:
    """The next Enter would save and go on to the next image."""
    drawing.press("Space")
    drawing.rectangle("ArrowRight")
    drawing.shows(ROWS[0], 1)
    undo = drawing.page.get_by_role("button", name="Undo")
    undo.focus()
    drawing.press("Enter")
    drawing.shows(ROWS[0], 0)
    expect(undo).to_have_attribute("aria-disabled", "true")
    expect(undo).to_be_focused()


def test_a_list_of_classes_that_has_more_of_them_ends_in_the_middle_of_one(drawing: Drawing) -> None:
    """Where it ends between two, as after six of seven, nobody looks for the next."""
    page = drawing.page
    page.add_style_tag(content="body { line-height: 1.5 }" + static("draw/draw.css").read_text())  # as on the page
    classes = [[f"class {n}", 0, 9] for n in range(20)]
    page.evaluate(MOUNT, ["", DATA | {"progress": DATA["progress"] | {"classes": classes}}])
    rows = page.locator('[data-part="classes"] li')
    expect(rows).to_have_count(20)
    box = page.locator('[data-part="classes"]').bounding_box()
    boxes = [row.bounding_box() for row in rows.all()]
    assert box is not None
    shown = [min(1, (box["y"] + box["height"] - row["y"]) / row["height"]) for row in boxes if row is not None]
    cut = [share for share in shown if share < 1]
    assert len(shown) - len(cut) >= 7 and 0.25 < cut[0] < 0.75
