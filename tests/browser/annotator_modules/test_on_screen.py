"""No press answers an image that is not on screen."""

from __future__ import annotations

import json

import pytest

from app.routes.assets import static
from tests.browser.annotator_modules.annotation import MOUNT, Annotation, Held, answered, fingers

pytestmark = pytest.mark.browser


def test_an_image_that_has_not_come_is_only_called_unsure_or_skipped(annotation: Annotation) -> None:
    """Offline, the images that are not decoded yet are black: nobody says right of them."""
    annotation.items = [1, 2, 3]
    annotation.page.route("**/picture/**", lambda route: route.abort())
    annotation.run(MOUNT + "await begin({ unseen: true });")
    annotation.page.wait_for_selector("[data-part=failure]:not([hidden])")
    found = annotation.run(
        MOUNT
        + """
        for (const key of "10e") press(key);
        const buttons = [...document.querySelectorAll(".answers [aria-disabled=false]")];
        const offered = buttons.map((one) => one.dataset.act);
        return [part("failure").textContent, offered, part("stage").dataset.row];
    """
    )
    annotation.page.unroute("**/picture/**")
    annotation.page.wait_for_selector("[data-part=failure]", state="hidden")
    annotation.page.keyboard.press("1")
    annotation.page.wait_for_selector("[data-unsent='0'] [data-row='102']")
    said = "The image could not be loaded yet. It is requested again every second. Press U or S to continue."
    assert found == [said, ["unsure"], "101"]
    assert [(one["item"], one["value"]) for one in annotation.sent["answers"][0]["answers"]] == [(1, 1)]


@pytest.mark.parametrize("missing", ["image", "veil"])
def test_neither_key_nor_button_nor_swipe_answers_an_image_that_is_not_on_screen(
    annotation: Annotation, missing: str
) -> None:
    """On a slow network the first image is on its way: nobody has seen it, or not where the model looks."""
    annotation.items = [1, 2, 3]
    page, held = annotation.page, Held(annotation.page, f"**/picture/{missing}/101")
    page.add_style_tag(content=static("annotate/annotator.css").read_text())
    annotation.run(MOUNT + "await begin({ unseen: true });")
    page.wait_for_selector("[data-part=loading]:not([hidden])")
    for key in ("1", "0", "p", "e", "u", "s", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    buttons = page.locator(".answers button, [data-act=skip]")
    for button in buttons.all():
        button.dispatch_event("click")
    to = fingers(page)
    to("touchStart", 0.2)
    to("touchMove", 0.8)
    to("touchEnd")
    assert buttons.evaluate_all("(found) => found.map((one) => one.ariaDisabled)") == ["true"] * 6
    assert page.locator("[data-part=loading]").inner_text() == "Loading ..."
    assert answered(annotation) == []
    held.come()
    page.wait_for_selector("[data-part=stage][data-row='101']")
    assert buttons.evaluate_all("(found) => found.map((one) => one.ariaDisabled)") == ["false"] * 6
    page.keyboard.press("1")
    page.wait_for_selector("[data-unsent='0'] [data-row='102']")
    assert answered(annotation) == [(1, 1)]


def test_a_second_key_does_not_answer_the_next_image_before_it_is_there_and_an_undo_goes_back(
    annotation: Annotation,
) -> None:
    annotation.items = [1, 2, 3]
    page, held = annotation.page, Held(annotation.page, "**/picture/*/102")
    annotation.run(MOUNT + "await begin({ unseen: true });")
    page.wait_for_selector("[data-part=stage][data-row='101']")
    for key in ("1", "0"):
        page.keyboard.press(key)
    page.wait_for_selector("[data-unsent='0'] [data-part=loading]:not([hidden])")
    assert answered(annotation) == [(1, 1)]
    page.keyboard.press("z")
    page.wait_for_selector("[data-part=stage][data-row='101']")
    page.keyboard.press("0")
    held.come()
    page.wait_for_selector("[data-part=stage][data-row='102']")
    page.keyboard.press("u")
    page.wait_for_selector("[data-unsent='0'] [data-row='103']")
    assert answered(annotation) == [(1, 1), (1, None), (1, 0), (2, -1)]


def test_a_key_that_bounces_answers_no_image_that_no_frame_has_shown(annotation: Annotation) -> None:
    """Pictures are decoded ahead: the next one is there at once, before anybody can see it."""
    annotation.items = [1, 2, 3]
    annotation.run(
        MOUNT
        + """
        await begin();
        for (const key of "11s") press(key);
        for (const button of document.querySelectorAll(".answers button")) button.click();
        await shown();
        press("0");
    """
    )
    annotation.page.wait_for_selector("[data-unsent='0'] [data-row='103']")
    assert answered(annotation) == [(1, 1), (2, 0)]


def test_a_page_of_suggestions_is_not_confirmed_by_an_enter_that_bounces(annotation: Annotation) -> None:
    annotation.items, annotation.guess = list(range(1, 31)), 1
    annotation.run(
        MOUNT
        + """
        localStorage.setItem("slim-annotator-look", JSON.stringify({ grid: true, guess: true, size: 12 }));
        await begin();
        for (const key of ["Enter", "Enter"]) press(key);
    """
    )
    annotation.page.wait_for_selector("[data-unsent='0']")
    once = [item for item, _ in answered(annotation)]
    annotation.run(MOUNT + "await shown(); press('Enter');")
    annotation.page.wait_for_selector("[data-unsent='0']")
    assert once == list(range(1, 13))
    assert [item for item, _ in answered(annotation)] == list(range(1, 25))


@pytest.mark.parametrize(("grid", "keys", "n"), [(False, "11", 1), (True, ["Enter", "Enter"], 12)])
def test_a_key_that_a_busy_page_hears_late_is_not_about_what_came_on_screen_meanwhile(
    annotation: Annotation, grid: bool, keys: list[str], n: int
) -> None:
    annotation.items, annotation.guess = list(range(1, 31)), 1
    annotation.run(
        MOUNT
        + f"""
        const look = {{ grid: {json.dumps(grid)}, guess: true, size: 12 }};
        localStorage.setItem("slim-annotator-look", JSON.stringify(look));
        await begin();
        const events = {json.dumps(list(keys))}.map((key) => new KeyboardEvent("keydown", {{ key, bubbles: true }}));
        for (const event of events) {{  // both are pressed by now
          document.body.dispatchEvent(event);
          await shown();
        }}
    """
    )
    annotation.page.wait_for_selector("[data-unsent='0']")
    assert [item for item, _ in answered(annotation)] == list(range(1, n + 1))


WIDE = '<svg xmlns="http://www.w3.org/2000/svg" width="160" height="100"/>'


@pytest.mark.parametrize(
    ("key", "is_framed"), [("", True), (" ", True), ("hhh", False)], ids=["overlay", "image", "contour"]
)
def test_the_whole_of_a_wide_image_is_shown_the_attention_where_the_model_saw_it_and_the_frame_below(
    annotation: Annotation, key: str, is_framed: bool
) -> None:
    annotation.items = [1, 2]
    page = annotation.page
    page.add_style_tag(content=static("annotate/annotator.css").read_text())
    page.route("**/picture/image/**", lambda route: route.fulfill(content_type="image/svg+xml", body=WIDE))
    annotation.run(MOUNT + "await begin({ frame: 0.8 });")
    for one in key:
        page.keyboard.press(one)
    page.wait_for_selector("[data-part=stage][data-row='101']")
    [stage, over] = [
        page.locator(where).bounding_box() for where in ("[data-part=stage]", "[data-part=stage] img:last-child")
    ]
    assert stage is not None and over is not None
    share = 0.8 * 100 / 160 if is_framed else 1
    assert over["width"] == over["height"] == pytest.approx(share * stage["width"], abs=1)
    assert over["x"] - stage["x"] == pytest.approx((stage["width"] - over["width"]) / 2, abs=1)
    assert page.locator("[data-part=frame]").is_visible() == is_framed
    if is_framed:
        outline, inside = (page.locator(f"[data-part=outline]{of}").bounding_box() for of in ("", " i"))
        assert outline is not None and inside is not None
        assert outline["width"] / outline["height"] == pytest.approx(1.6, abs=0.2)
        assert outline["y"] >= stage["y"] + stage["height"], "beside the image"
        assert inside["width"] / outline["width"] == pytest.approx(share, abs=0.1)


def test_where_the_model_sees_all_of_a_wide_image_the_attention_lies_over_all_of_it(annotation: Annotation) -> None:
    annotation.items = [1, 2]
    page = annotation.page
    page.add_style_tag(content=static("annotate/annotator.css").read_text())
    for kind in ("image", "veil"):  # a map has the shape of its image then
        page.route(f"**/picture/{kind}/**", lambda route: route.fulfill(content_type="image/svg+xml", body=WIDE))
    annotation.run(MOUNT + "await begin({ frame: null });")
    page.wait_for_selector("[data-part=stage][data-row='101']")
    image, over = (page.locator(f"[data-part=stage] img:{which}-child").bounding_box() for which in ("first", "last"))
    assert image == over
    assert not page.locator("[data-part=frame]").is_visible()
