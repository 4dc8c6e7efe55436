"""The grid: tiles that are marked, pages that are confirmed and come back."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Route

from tests.browser.annotator_modules.annotation import MOUNT, Annotation, Held, answered

pytestmark = pytest.mark.browser


def test_a_grid_page_flips_confirms_and_comes_back_as_it_was(annotation: Annotation) -> None:
    found = annotation.run("""
        const page = new GridPage(new Marks("c", "ann"));
        const queued = [1, 2, 3, 4].map((id) => ({ id, guess: id === 3 ? 0 : null }));
        const initial = (item) => item.guess, values = () => page.items.map((item) => page.value(item));
        const seen = [page.fit(queued, 3, initial), page.fit(queued, 3, initial), values(), page.confirm().length];
        page.fit(queued, 3, initial);
        page.flip(); page.move(1); page.answer(-1); page.flip();
        seen.push(page.cursor, values());
        const entries = page.confirm();
        seen.push(page.fit(queued.slice(3), 3, initial), values());
        page.restore(entries);
        page.fit(queued, 3, initial);
        seen.push(page.cursor, values());
        return seen;
    """)
    assert found == [True, False, [None, None, 0], 1, 2, [0, -1, 1], True, [None], 0, [0, -1, 1]]


def test_marks_of_the_grid_outlive_a_reload_and_the_status_counts_them(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3, 4]
    status = annotation.run(
        MOUNT
        + """
        await begin();
        press("g");
        await shown();
        for (const key of ["1", "0", "u"]) press(key);
        return part("status").textContent;
    """
    )
    annotation.page.reload()
    found = annotation.run(
        MOUNT
        + """
        await begin();
        const found = [tiles().map((tile) => tile.dataset.value), part("status").textContent];
        press("Enter");
        await until(() => part("status").textContent === "All answers saved");
        return [...found, Object.keys(localStorage).filter((key) => key.startsWith("slim-mark"))];
    """
    )
    assert status == "3 marked, not confirmed"
    assert found == [["right", "wrong", "unsure", "open"], "3 marked, not confirmed", []]
    assert [one["value"] for one in annotation.sent["answers"][0]["answers"]] == [1, 0, -1]


def test_the_time_on_a_page_is_shared_by_the_answers_that_are_confirmed(annotation: Annotation) -> None:
    """What is looked at and left open for the next page took its time, too: people's minutes count it."""
    annotation.items = [1, 2, 3, 4]
    annotation.run(
        MOUNT
        + """
        await begin();
        let now = performance.now();
        performance.now = () => now;
        press("g");
        await shown();
        for (const key of ["1", "0"]) press(key);
        now += 8000;
        press("Enter");
        await until(() => part("status").textContent === "All answers saved");
    """
    )
    assert [one["ms"] for one in annotation.sent["answers"][0]["answers"]] == [4000, 4000]


def test_each_page_of_the_grid_begins_with_attention(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3]
    found = annotation.run(
        MOUNT
        + """
        await begin();
        const hasMap = (tile) => Number(tile.querySelectorAll("img")[1].style.opacity) > 0;
        const withMaps = () => tiles().map(hasMap), found = [];
        press("h");
        press("g");
        found.push(withMaps());
        await shown();
        press("h");
        found.push(withMaps());
        press("1");
        press("Enter");
        return [...found, withMaps()];
    """
    )
    assert found == [[True] * 3, [False] * 3, [True] * 2]


@pytest.mark.parametrize(("blind", "asked"), [(False, ["cat", "cat"]), (True, ["", ""])])
def test_a_tile_names_the_class_it_is_asked_about(annotation: Annotation, blind: bool, asked: list[str]) -> None:
    annotation.items = [1, 2]
    found = annotation.run(
        MOUNT
        + f"""
        await begin({{ blind: {json.dumps(blind)} }});
        press("g");
        return tiles().map((tile) => tile.querySelector(".asked").textContent);
    """
    )
    assert found == asked


def test_a_page_that_is_filled_up_is_announced_again(annotation: Annotation) -> None:
    annotation.items = [1]
    found = annotation.run(
        MOUNT
        + """
        await begin();
        press("g");
        return part("live").textContent;
    """
    )
    annotation.items = [1, 2, 3]
    again = 'document.dispatchEvent(new Event("visibilitychange"))'  # a request may be under way
    annotation.run(MOUNT + f"await until(() => tiles().length === 3, () => {again});")
    assert found == "A page of 1 image. 35 left"
    assert annotation.page.text_content("[data-part=live]") == "A page of 3 images. 35 left"


def test_marks_are_those_of_one_campaign_and_one_annotator(annotation: Annotation) -> None:
    assert annotation.run("""
        const others = [["c", "ben"], ["d", "ann"], ["c", "ann:2"]];
        for (const [campaign, who] of others) new Marks(campaign, who).set(1, 0);
        new Marks("c", "ann").set(2, 1);
        return [...new Marks("c", "ann").load()];
    """) == [[2, 1]]


def test_what_nobody_has_looked_at_gets_an_answer_only_when_somebody_says_so(annotation: Annotation) -> None:
    found = annotation.run("""
        const page = new GridPage(new Marks("c", "ann")), queued = [1, 2, 3].map((id) => ({ id }));
        page.fit(queued, 3, () => null);
        page.flip();
        const counts = [page.count(null), page.count(0)];
        page.restRight();
        return [...counts, ...page.confirm().map((entry) => entry.value)];
    """)
    assert found == [2, 1, 0, 1, 1]


def test_what_is_chosen_by_hand_above_the_grid_leaves_the_keys_to_the_tiles(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3]
    annotation.run(MOUNT + "await begin(); press('g'); await shown();")
    page = annotation.page
    page.locator("[data-part=guess]").click()
    page.keyboard.press("0")
    first = page.locator(".tile").first
    given = first.get_attribute("data-value")
    page.locator("[data-part=guess]").focus()
    page.keyboard.press("Space")
    checked, kept = page.locator("[data-part=guess]").evaluate("(box) => [box.checked, box.matches(':focus')]")
    assert (given, checked, kept) == ("wrong", False, True)


def test_a_tile_that_is_not_on_screen_takes_no_answer_and_is_not_confirmed(annotation: Annotation) -> None:
    """Not by its letter, a click, a key at the cursor or all at once; nor is a mark of an earlier visit confirmed."""
    annotation.items = [1, 2, 3, 4]
    page, held = annotation.page, Held(annotation.page, "**/picture/tileImage/{102,103}")
    page.evaluate("localStorage.setItem('slim-mark:c:ann:3', '0')")
    annotation.run(MOUNT + "await begin(); press('g');")
    words = page.locator(".tile .word")
    page.wait_for_function("""() => [...document.querySelectorAll(".tile .word")].filter((word) =>
      word.textContent === "open").length === 2""")
    for key in ("w", "0", "u", "a"):
        page.keyboard.press(key)
    page.locator(".tile").nth(1).click()
    assert words.all_inner_texts() == ["right", "loading", "loading", "right"]
    annotation.items = [2, 3]
    page.keyboard.press("Enter")
    while not annotation.sent["answers"]:
        page.wait_for_timeout(10)
    held.come()
    page.wait_for_function("document.querySelector('.tile .word').textContent === 'open'")
    page.wait_for_function("document.querySelectorAll('.tile').length === 2")
    assert words.all_inner_texts() == ["open", "wrong"]
    annotation.items = []
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-unsent='0'] [data-part=rest]:not([hidden])")
    assert answered(annotation) == [(1, 1), (4, 1), (2, 1), (3, 0)]


def test_all_others_right_leaves_out_a_tile_whose_image_has_not_come(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3]
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(route.request.url)
        route.abort()

    annotation.page.route("**/picture/tileImage/102", refuse)
    annotation.run(MOUNT + "await begin(); press('g');")
    while len(refused) < 3:  # the image, the reason, and the image again
        annotation.page.wait_for_timeout(10)
    annotation.page.keyboard.press("a")
    found = annotation.page.locator(".tile").evaluate_all("(tiles) => tiles.map((tile) => tile.dataset.value)")
    assert found == ["right", "open", "right"]
