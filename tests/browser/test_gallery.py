"""A gallery (app/ui/static/pictures.js) whose pictures could not be fetched, in a real browser without a dashboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser import modules

pytestmark = pytest.mark.browser

PAGE = """async () => {
    document.body.innerHTML = '<div></div>';
    document.body.firstChild.className = 'slim-gallery';
    const { default: mount } = await import("/ui/pictures.js");
    const html = '<figure data-row="7"><img src="/picture/7" alt="Image 7"></figure>';
    mount({ data: { html }, parentElement: document.body, setTriggerValue: () => {} });
}"""


@pytest.mark.parametrize("how", ["the browser knows", "the server is away"])
def test_a_picture_that_could_not_be_fetched_comes_once_the_server_is_back(browser: Browser, how: str) -> None:
    page, is_away = browser.new_page(), True

    def picture(route: Route, _name: str) -> None:
        route.abort() if is_away else route.fulfill(content_type="image/svg+xml", body=modules.PIXEL)

    try:
        page.clock.install()
        modules.serve(page, "ui", picture=picture)
        page.evaluate(PAGE)
        expect(page.get_by_text("No connection to the server")).to_be_visible()
        is_away = False
        page.evaluate("dispatchEvent(new Event('online'))") if how == "the browser knows" else page.clock.run_for(5_000)
        expect(page.locator(".slim-gallery img")).to_have_js_property("naturalWidth", 1)
        expect(page.locator(".missing")).to_have_count(0)
    finally:
        page.close()


def test_what_the_server_says_of_a_picture_stays_in_its_place(browser: Browser) -> None:
    page, asked = browser.new_page(), []

    def picture(route: Route, name: str) -> None:
        asked.append(name)
        route.fulfill(status=404, json={"error": "Gone."})

    try:
        page.clock.install()
        modules.serve(page, "ui", picture=picture)
        page.evaluate(PAGE)
        expect(page.locator(".missing")).to_have_text("Gone.")
        page.clock.run_for(60_000)
        assert len(asked) == 2, "for the picture, and for the reason"
    finally:
        page.close()
