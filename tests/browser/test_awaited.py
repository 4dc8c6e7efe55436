"""Buttons that wait for their images (app/ui/static/awaited.js): until these are on screen, and no longer than that."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser import modules

pytestmark = pytest.mark.browser

PAGE = """async () => {
    document.body.innerHTML = `<div class="st-key-awaits-decision"><span class="slim-awaited">Loading</span>
        <div class="slim-pictures"><img src="/picture/7"></div>
        <div class="st-key-decide-1-7"><button>Right</button></div></div>`;
    window.pressed = 0;
    document.querySelector("button").addEventListener("click", () => { window.pressed += 1; });
    const { default: mount } = await import("/ui/awaited.js");
    mount({ data: { buttons: '[class*="st-key-decide-"]', shortcuts: [] }, parentElement: document.body });
}"""


def test_an_image_whose_request_comes_to_nothing_is_requested_again_and_its_buttons_are_free(browser: Browser) -> None:
    page, held = browser.new_page(), []

    def picture(route: Route, _name: str) -> None:
        held.append(route)  # the first one is never answered
        if len(held) > 1:
            route.fulfill(content_type="image/svg+xml", body=modules.PIXEL)

    try:
        page.clock.install()
        modules.serve(page, "ui", picture=picture)
        page.evaluate(PAGE)
        page.get_by_role("button").click()
        assert page.evaluate("window.pressed") == 0, "its image is not there"
        page.clock.fast_forward(30_000)
        expect(page.get_by_text("Loading")).to_be_hidden()
        page.get_by_role("button").click()
        assert page.evaluate("window.pressed") == 1 and len(held) == 2
    finally:
        page.close()


HEARD_LATE = """async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const [picture, button] = [document.querySelector(".slim-pictures"), document.querySelector("button")];
    const made = () => new MouseEvent("click", { bubbles: true });
    while (!picture.firstChild.complete) await frame();
    await frame();
    await frame();
    const [first, second] = [made(), made()];  // of a double click
    button.dispatchEvent(first);
    const next = Object.assign(new Image(), { src: "/picture/8" });
    await next.decode();
    picture.replaceChildren(next);
    await frame();
    await frame();
    button.dispatchEvent(second);
    const counts = [window.pressed];
    button.dispatchEvent(made());
    return [...counts, window.pressed];
}"""


def test_a_press_that_a_busy_page_hears_late_is_not_about_the_images_that_came_meanwhile(browser: Browser) -> None:
    page = browser.new_page()
    try:
        modules.serve(page, "ui")
        page.evaluate(PAGE)
        assert page.evaluate(HEARD_LATE) == [1, 2], "the second one was made before its image was on screen"
    finally:
        page.close()


LEFT = """async () => {
    document.body.innerHTML = '<div><span class="slim-awaited" hidden>Loading</span></div><button>Other</button>';
    window.pressed = 0;
    document.querySelector("button").addEventListener("click", () => { window.pressed += 1; });
    const { default: mount } = await import("/ui/awaited.js");
    mount({ data: { buttons: "button", shortcuts: [] }, parentElement: document.body });
}"""


def test_what_is_drawn_once_more_as_its_section_is_left_follows_nothing_and_leaves_the_console_clean(
    browser: Browser,
) -> None:
    page, errors = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        modules.serve(page, "ui")
        page.evaluate(LEFT)
        page.get_by_role("button").click()
        assert page.evaluate("window.pressed") == 1 and not errors
    finally:
        page.close()
