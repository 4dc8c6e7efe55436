"""Keys, buttons and fingers: what they do, and to whom they belong."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, expect

from app.routes.assets import static
from tests.browser.annotator_modules.annotation import MOUNT, Annotation, answered, fingers

pytestmark = pytest.mark.browser


def test_a_key_is_left_to_what_is_open_in_front_of_the_images(annotation: Annotation) -> None:
    """A popover, a dialog, the options of a field: a key there answers nothing about the image behind it."""
    found = annotation.run("""
        const actions = [];
        document.addEventListener("keydown", (event) => actions.push(actionOf(event, false) ?? null));
        const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
        press("1");
        const fronts = [["data-testid", "stPopoverBody"], ["data-testid", "stDialog"], ["role", "listbox"]];
        for (const [name, value] of fronts) {
          const open = document.body.appendChild(document.createElement("div"));
          open.setAttribute(name, value);
          for (const key of ["1", "z", "Escape"]) press(key);
          open.remove();
        }
        press("0");
        return actions;
    """)
    assert found == [["right"], *[None] * 9, ["wrong"]]


OWN_KEYS = [
    ("<a href='#'></a>", ["Enter"]),
    ("<details><summary></summary></details>", ["Enter", " "]),
    ("<button role='radio'></button>", ["Enter", " ", "ArrowLeft", "ArrowRight"]),
    ("<div role='tab' tabindex='0'></div>", ["Enter", " ", "ArrowLeft", "ArrowRight"]),
    ("<div role='slider' tabindex='0'></div>", ["ArrowLeft", "ArrowRight"]),
    ("<button class='tile'></button>", []),
    ("<input>", ["Enter", " ", "ArrowLeft", "ArrowRight", "1"]),
]


def test_what_has_the_focus_keeps_the_keys_that_mean_something_to_it(annotation: Annotation) -> None:
    left = annotation.run(f"""
        let left;
        document.addEventListener("keydown", (event) => {{ if (!actionOf(event, true)) left.push(event.key); }});
        return {json.dumps([element for element, _ in OWN_KEYS])}.map((element) => {{
          document.body.innerHTML = element;
          const last = document.body.lastElementChild, focused = last.firstElementChild ?? last;
          left = [];
          for (const key of ["Enter", " ", "ArrowLeft", "ArrowRight", "1"])
            focused.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
          return left;
        }});
    """)
    assert left == [own for _, own in OWN_KEYS]


NAMED_KEYS = [
    ("1", "Digit1", False, ["right"]),
    ("&", "Digit1", False, ["right"]),  # a French keyboard
    ("\u043d", "KeyY", False, None),
    ("\u0433", "KeyU", False, ["unsure"]),  # a Russian one
    ("Enter", "Enter", False, None),
    ("Enter", "Enter", True, ["confirm"]),
    ("1", "Digit1", True, ["right"]),
    ("0", "Digit0", True, ["wrong"]),
    ("w", "KeyW", True, ["tile", 1]),
    ("a", "KeyA", True, ["rest"]),
    ("u", "KeyU", True, ["unsure"]),
]


def test_a_key_names_its_action(annotation: Annotation) -> None:
    found = annotation.run(f"""
        let found, inGrid;
        document.body.addEventListener("keydown", (event) => {{ found = actionOf(event, inGrid); }});
        return {json.dumps(NAMED_KEYS)}.map(([key, code, grid]) => {{
          inGrid = grid;
          document.body.dispatchEvent(new KeyboardEvent("keydown", {{ key, code, bubbles: true }}));
          return found ?? null;
        }});
    """)
    assert found == [action for *_, action in NAMED_KEYS]


@pytest.mark.parametrize("style", ["annotate/annotator.css", "draw/draw.css"])
@pytest.mark.parametrize("phone", [True, False])
def test_a_finger_leaves_no_button_marked_behind_it(browser: Browser, style: str, phone: bool) -> None:
    """A phone keeps the hover of what was tapped last, which would look chosen on the next image."""
    colours = ":root { --st-primary-color: rgb(0, 0, 255); } button { --line: rgb(1, 1, 1); }"
    head = '<!doctype html><meta name="viewport" content="width=device-width">'
    with browser.new_context(is_mobile=phone, has_touch=phone) as opened:
        page = opened.new_page()
        page.set_content(f"{head}<style>{static(style).read_text()} {colours}</style><button>Unsure</button>")
        button = page.get_by_role("button")
        (button.tap if phone else button.hover)()
        assert button.evaluate("(one) => one.matches(':hover')")
        marked = button.evaluate("(one) => getComputedStyle(one).borderTopColor") == "rgb(0, 0, 255)"
    assert marked is not phone


def test_two_fingers_on_the_image_answer_nothing_and_one_swipes_to_the_right_or_to_the_left(
    annotation: Annotation,
) -> None:
    annotation.items = [1, 2, 3]
    annotation.page.add_style_tag(content=static("annotate/annotator.css").read_text())
    annotation.run(MOUNT + "await begin();")
    to = fingers(annotation.page)
    for first, second in ((0.1, 0.9), (0.4, 0.6)):  # a pinch
        to("touchStart", 0.3)
        to("touchStart", 0.3, 0.7)
        to("touchMove", first, second)
        to("touchEnd")
    moved = annotation.page.locator("[data-part=stages]").evaluate("stages => stages.style.transform")
    kept = annotation.page.evaluate("Object.values(localStorage)")
    assert (moved, kept) == ("", [])
    for start, end in ((0.2, 0.8), (0.8, 0.2), (0.5, 0.55)):  # the last one is a tap that slipped
        to("touchStart", start)
        to("touchMove", (start + end) / 2)
        to("touchMove", end)
        to("touchEnd")
        annotation.run(MOUNT + "await shown();")
    annotation.page.wait_for_selector("[data-unsent='0'] [data-row='103']")
    assert answered(annotation) == [(1, 1), (2, 0)]


def test_a_button_that_was_clicked_is_not_pressed_again_by_the_next_key(annotation: Annotation) -> None:
    """Space shows the plain image, Enter confirms a page: neither answers once more."""
    annotation.items = [1, 2, 3]
    annotation.run(MOUNT + "await begin();")
    page = annotation.page
    page.locator(".answers [data-act=right]").click()
    page.keyboard.press("Space")
    page.wait_for_selector("[data-unsent='0']")
    first = [one["item"] for body in annotation.sent["answers"] for one in body["answers"]]
    view = page.text_content("[data-part=view]")
    annotation.run(MOUNT + "press('g'); await shown();")
    page.locator("[data-act=rest]").click()
    page.keyboard.press("Enter")
    while len(annotation.sent["answers"]) < 2:
        page.wait_for_timeout(10)
    assert (first, view) == ([1], "image")
    assert [one["item"] for one in annotation.sent["answers"][1]["answers"]][:2] == [2, 3]


def test_ones_own_name_goes_on_however_its_letters_are_typed(annotation: Annotation) -> None:
    """The server knows one spelling, and would say nothing new of it: the form would stay."""
    annotation.items = [1]
    found = annotation.run(f"""
        {MOUNT}
        await begin({{ who: "Jos\\u00e9", rename: true }});
        part("rename").click();
        part("who-name").value = "Jose\\u0301";
        part("who").requestSubmit();
        return [part("who").hidden, told.includes("name")];
    """)
    assert found == [True, False]


def test_undo_keeps_the_focus_where_nothing_is_left_to_undo(annotation: Annotation) -> None:
    """In the grid the next Enter would confirm the page."""
    annotation.items = [1, 2]
    annotation.run(f"""
        {MOUNT}
        await begin();
        press("1");
        await shown();
        part("work").querySelector("[data-act=undo]").focus();
    """)
    annotation.page.keyboard.press("Enter")
    undo = annotation.page.locator(":focus")
    expect(undo).to_have_attribute("aria-disabled", "true")
    expect(undo).to_have_attribute("data-act", "undo")


def test_a_button_that_was_reached_by_keys_keeps_the_focus(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3]
    annotation.run(MOUNT + "await begin();")
    annotation.page.locator("[data-act=beside]").focus()
    shown = []
    for _ in range(2):
        annotation.page.keyboard.press("Enter")
        shown.append(annotation.page.locator("[data-part=beside]").is_visible())
    assert shown == [True, False]
