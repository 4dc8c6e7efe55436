"""The queue: which images the page holds, asks for, takes over and gives back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.annotator_modules.annotation import MOUNT, Annotation

pytestmark = pytest.mark.browser


def test_a_reply_leaves_what_is_on_screen_first_and_brings_back_nothing_that_was_answered(
    annotation: Annotation,
) -> None:
    annotation.items = [3, 4, 5, 6]
    found = annotation.run("""
        const { queue, outbox, need } = open();
        queue.items = [1, 2, 3].map((id) => ({ id, row: 100 + id, position: id }));
        const [first, , third] = queue.items;
        need.shown = [first];
        outbox.push(answer(4));
        outbox.push({ ...answer(2, null), net: -1 });
        await queue.refill(true);
        return [queue.items.map((item) => item.id), queue.items[0] === first, queue.items[2] === third, queue.after,
                queue.open, queue.left];
    """)
    assert found == [[1, 2, 3, 5, 6], True, True, 6, 35, 35]
    assert annotation.sent["next"][0] | {"session": ""} == {"campaign": "c", "session": "", "n": 5, "after": -1}


def test_the_queue_asks_for_more_only_where_less_than_two_thirds_are_left(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3]
    annotation.run("""
        const { queue } = open();
        await queue.refill();
        await queue.refill();
        queue.remove(queue.items.slice(0, 1));
        await queue.refill();
    """)
    assert [body["after"] for body in annotation.sent["next"]] == [-1, 3]


@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({"n": 8}, [(3, None), (8, None)]),
        ({"guess": True}, [(3, None), (3, True)]),
        ({"n": 2}, [(3, None)]),
        ({}, [(3, None)]),
    ],
)
def test_what_is_asked_for_while_a_request_is_under_way_that_asks_for_less_is_not_forgotten(
    annotation: Annotation, more: dict[str, Any], asked: list[tuple[int, bool | None]]
) -> None:
    annotation.run(f"""
        const {{ queue, need }} = open();
        const before = queue.refill();
        Object.assign(need, {json.dumps(more)});
        queue.refill(true);
        await before;
    """)
    assert [(body["n"], body.get("guess")) for body in annotation.sent["next"]] == asked


def test_a_page_that_is_back_while_its_old_request_is_under_way_asks_again_and_takes_over_what_it_held(
    annotation: Annotation,
) -> None:
    left = annotation.run("""
        const { queue, session } = open();
        const before = queue.refill(), { id } = session;
        await null; // it is sent
        session.close();
        session.open();
        queue.refill(true);
        await before;
        return id;
    """)
    first, second = annotation.sent["next"]
    assert (first["session"], first.get("was"), second.get("was")) == (left, None, [left])
    assert second["session"] != left


def test_a_page_that_is_left_while_its_answers_are_sent_asks_for_no_images_afterwards(annotation: Annotation) -> None:
    """Nobody would see them, and others could not have them until their leases run out."""
    asked = annotation.run("""
        const { queue, outbox, connection, session } = open();
        outbox.push(answer(7));
        const sent = outbox.send(), asked = queue.refill();
        session.close();
        connection.farewell([]);
        await Promise.all([sent, asked]);
        return [queue.asking, connection.failures];
    """)
    assert asked == [None, 0]
    assert [len(annotation.sent[name]) for name in ("answers", "next", "release")] == [1, 0, 1]


def test_a_page_takes_over_the_images_of_the_page_before_it_until_the_server_has_handed_them_over(
    annotation: Annotation,
) -> None:
    annotation.refuse("next")
    before = annotation.run("""
        const before = new Session("c", "ann");
        before.close();
        const { queue } = open();
        for (let turn = 0; turn < 3; turn++) await queue.refill(true);
        return before.id;
    """)
    assert [body.get("was") for body in annotation.sent["next"]] == [[before], [before], None]


def test_the_page_hears_that_all_of_ones_own_are_answered_and_then_that_all_are(annotation: Annotation) -> None:
    annotation.progress |= {"answered": 40}
    annotation.run(MOUNT + "await begin(); window.told = told;")
    annotation.page.wait_for_function("window.told.includes('done')")
    assert "answered all your images" in annotation.page.locator("body").inner_text()
    annotation.progress |= {"done": 50, "answered": 0}
    annotation.page.wait_for_function("window.told.filter((one) => one === 'done').length === 2")
    assert "All images of this campaign are answered" in annotation.page.locator("body").inner_text()
