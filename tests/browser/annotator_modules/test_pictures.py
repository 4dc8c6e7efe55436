"""Pictures: they come, are asked for again, and keep no others back."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from playwright.sync_api import Route

from tests.browser import modules
from tests.browser.annotator_modules.annotation import MOUNT, Annotation, Held, answered, later

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("grid", [False, True])
def test_an_image_comes_once_the_server_can_send_it_again(annotation: Annotation, grid: bool) -> None:
    annotation.items = [1, 2]
    away = {"status": 503, "json": {"error": "The database does not answer."}}
    annotation.page.route("**/picture/**", lambda route: route.fulfill(**away), times=8)  # image and map, and why
    shown = annotation.run(
        MOUNT
        + f"""
        localStorage.setItem("slim-annotator-look", JSON.stringify({{ grid: {json.dumps(grid)} }}));
        await begin();
        const images = () => [...document.querySelectorAll("[data-part=stage] img, .tile img")];
        const come = () => images().length && images().every((image) => image.naturalWidth > 0);
        await until(come);
        const words = tiles().map((tile) => tile.querySelector(".word").textContent);
        return [come(), part("failure").hidden, words];
    """
    )
    assert shown == [True, True, ["open", "open"] if grid else []]


def test_what_is_beside_an_image_comes_once_the_connection_is_back(annotation: Annotation) -> None:
    annotation.items = [1, 2]
    annotation.page.route("**/picture/**", lambda route: route.abort())
    broken = """
        const broken = () => [...document.querySelectorAll(".guide img, [data-part=beside] img")]
          .filter((image) => image.complete && !image.naturalWidth).length;
    """
    annotation.run(
        MOUNT
        + broken
        + """
        localStorage.setItem("slim-annotator-look", JSON.stringify({ beside: true }));
        await begin({ examples: { right: ["/picture/example"] }, unseen: true });
        await until(() => broken() === 2 && !part("failure").hidden);
    """
    )
    annotation.page.unroute("**/picture/**")
    assert annotation.run(MOUNT + broken + "await shown(); await until(() => !broken()); return broken();") == 0


def test_pictures_come_with_the_next_token_where_only_they_were_refused(annotation: Annotation) -> None:
    refuse = lambda route: route.fulfill(status=401, json={"error": "It is over its time."})  # noqa: E731
    annotation.page.route("**/picture/old/**", refuse)
    annotation.items = [1]
    asked = annotation.run(f"""
        {MOUNT}
        const of = (token) => ({{ image: `/picture/${{token}}/image/ROW`, veil: `/picture/${{token}}/veil/ROW` }});
        const draw = await begin({{ unseen: true, ...of("old") }});
        await until(() => told.includes("renew"));
        draw({{ token: "next", ...of("next") }});
        const {{ length }} = document.querySelectorAll("[data-part=stage] [src*=next]");
        await shown();
        return length;
    """)
    assert asked == 2
    assert len(annotation.sent["next"]) == 1, "it is not the next request for images that brings them"


def test_a_tile_without_attention_says_so_below_its_picture(annotation: Annotation) -> None:
    annotation.items, annotation.is_empty = [1], True
    said = annotation.run(
        MOUNT
        + """
        localStorage.setItem("slim-annotator-look", JSON.stringify({ grid: true }));
        await begin();
        await until(() => tiles().length);
        return tiles()[0].querySelector(".caption .asked").textContent;
    """
    )
    assert said == "cat · no attention"


def test_of_an_image_that_does_not_come_at_all_one_may_say_so(annotation: Annotation) -> None:
    """A server that accepts a request and never replies to it holds nobody for ever."""
    annotation.items = [1, 2]
    page, _ = annotation.page, Held(annotation.page, "**/picture/*/101")
    page.evaluate("""() => {
      const { setTimeout } = window;  // a clock on which ten seconds are soon over
      window.setTimeout = (run, ms) => setTimeout(run, ms === 10000 ? 500 : ms);
    }""")
    annotation.run(MOUNT + "await begin({ unseen: true });")
    page.wait_for_selector("[data-part=failure]:not([hidden])")
    said = page.text_content("[data-part=failure]")
    for key in ("1", "u"):
        page.keyboard.press(key)
    page.wait_for_selector("[data-unsent='0'] [data-row='102']")
    assert said == "The image has not loaded yet. Press U or S to continue."
    assert answered(annotation) == [(1, -1)]


def test_pictures_whose_requests_are_never_replied_to_are_asked_for_again_and_keep_no_others_back(
    annotation: Annotation,
) -> None:
    annotation.items = [1, 2, 3]
    asked: Counter[str] = Counter()

    def silent_at_first(route: Route) -> None:
        asked[route.request.url] += 1
        if asked[route.request.url] > 2:
            route.fulfill(content_type="image/svg+xml", body=modules.PIXEL)

    annotation.page.route("**/picture/**", silent_at_first)
    annotation.page.evaluate("""() => {
      const { setTimeout } = window;  // a clock on which half a minute, and a whole one, are soon over
      window.waited = [];
      window.setTimeout = (run, ms, ...more) => {
        if (ms >= 30000) window.waited.push(ms);
        return setTimeout(run, ms >= 30000 ? 100 : ms, ...more);
      };
    }""")
    waited = annotation.run(MOUNT + "await begin(); press('1'); await shown(); return window.waited;")
    annotation.page.wait_for_selector("[data-part=stage][data-row='102']")
    assert {url.rsplit("/", 1)[1] for url in asked} == {"101", "102", "103"}
    assert {30_000, 60_000, 120_000} <= set(waited), "a slow network is given more time each time"


def test_a_page_that_is_gone_asks_for_no_more_pictures(annotation: Annotation) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=401, json={"error": "Of another sign-in."})

    annotation.items = [1, 2]
    annotation.page.route("**/picture/**", refuse)
    annotation.page.clock.install()
    annotation.run(MOUNT + "await begin({ unseen: true });")
    later(annotation.page, lambda: len(asked) >= 9)  # both images with their maps, the reasons, and the first again
    annotation.page.evaluate("document.body.innerHTML = ''")
    n = []
    for _ in range(2):  # a heartbeat, and what is under way; then nothing
        annotation.page.clock.run_for(3_000)
        annotation.page.wait_for_timeout(200)
        n.append(len(asked))
    assert n[0] == n[1]
