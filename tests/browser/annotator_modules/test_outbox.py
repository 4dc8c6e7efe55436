"""The outbox: an answer is stored in this browser before it is sent, and let go when the server has it."""

from __future__ import annotations

import pytest

from tests.browser.annotator_modules.annotation import MOUNT, Annotation, answered, later

pytestmark = pytest.mark.browser


def test_a_reply_that_is_no_receipt_is_not_asked_for_again_without_a_pause(annotation: Annotation) -> None:
    """Such as that of a server of another version: the connection is sound, and yet nothing is acknowledged."""
    annotation.refuse("answers", 200, {"kept": 1})
    found = annotation.run("""
        const { outbox, connection } = open();
        outbox.push(answer(7));
        await outbox.send();
        outbox.stop();
        return [outbox.waiting.length, connection.failures, connection.patience];
    """)
    assert found == [1, 0, 500]


def test_an_answer_is_stored_before_it_is_sent_and_let_go_when_the_server_has_it(annotation: Annotation) -> None:
    stored, left, receipts = annotation.run("""
        const { outbox } = open();
        outbox.push(answer(7));
        const stored = Object.values(localStorage).map((text) => JSON.parse(text).item);
        await outbox.send();
        return [stored, localStorage.length, receipts];
    """)
    assert stored == [7] and left == 0
    assert receipts == [{"net": 1, "lost": [], "recovered": False}]
    (body,) = annotation.sent["answers"]
    assert body["campaign"] == "c" and len(body["session"]) == 24
    assert set(body["answers"][0]) == {"id", "item", "value", "ms", "seen"}


def test_the_outbox_tries_again_by_itself_with_the_same_id(annotation: Annotation) -> None:
    annotation.refuse("answers")
    annotation.refuse("answers", 500, {"error": "The database is busy."})
    problems = annotation.run("""
        const { outbox, connection } = open();
        outbox.push(answer(7));
        const problems = [];
        await outbox.send();
        problems.push(connection.problem);
        await until(() => connection.failures === 2);
        problems.push(connection.problem);
        await until(() => receipts.length);
        return [...problems, connection.problem, localStorage.length, receipts[0].recovered];
    """)
    assert problems == ["No connection", "The database is busy.", "", 0, True]
    ids = [body["answers"][0]["id"] for body in annotation.sent["answers"]]
    assert len(ids) == 3 and len(set(ids)) == 1


def test_a_clock_that_is_put_back_changes_no_order_of_what_waits_for_the_next_page(annotation: Annotation) -> None:
    """An undo before the answer that it takes back would leave that answer to count."""
    values = annotation.run("""
        const at = (ms, value) => {
          Date.now = () => ms;
          const { outbox } = open();  // each time after a reload
          outbox.push(answer(7, value));
          outbox.push(answer(7, null));
        };
        at(1800000060000, 1);
        at(1800000000000, 0);
        return open().outbox.waiting.map(({ value }) => value);
    """)
    assert values == [1, None, 0, None]


def test_an_undo_takes_what_the_page_before_has_left_unsent_before_anything_older(annotation: Annotation) -> None:
    """Z while the page still loads, and while the server takes no answers: the last one is 7, not 5."""
    annotation.items, annotation.earlier = [8, 9], [5]
    annotation.page.clock.install()
    annotation.run("open().outbox.push(answer(7, 0));")
    annotation.refuse("answers", 503, {"error": "Not now."})
    annotation.run(MOUNT + "const begun = begin(); press('z'); await begun;")
    later(annotation.page, annotation.page.locator("[data-unsent='0']").count)
    annotation.run(MOUNT + "press('z');")
    annotation.page.wait_for_selector("[data-unsent='0'] [data-row='107']")
    annotation.run(MOUNT + "press('z');")
    annotation.page.wait_for_selector("[data-unsent='0'] [data-row='105']")
    assert answered(annotation) == [(7, 0), (7, 0), (7, None), (5, None)]


def test_an_undo_that_waits_for_the_server_takes_nothing_that_is_answered_meanwhile(annotation: Annotation) -> None:
    annotation.items, annotation.earlier = [8, 9], [5]
    annotation.refuse("given", 503, {"error": "Not now."})  # of what is fetched ahead
    annotation.run(
        MOUNT
        + """
        await begin();
        await until(() => !document.body.firstElementChild.__slimAnnotator.history.fetching);
        for (const key of "z1") press(key);
    """
    )
    annotation.page.wait_for_selector("[data-unsent='0'] [data-row='105']")
    assert answered(annotation) == [(8, 1), (5, None)]


def test_many_answers_are_sent_in_batches_in_the_order_in_which_they_were_given(annotation: Annotation) -> None:
    annotation.run("""
        const { outbox } = open();
        for (let item = 0; item < 450; item++) outbox.push(answer(item));
        outbox.send();
        await until(() => !outbox.waiting.length);
    """)
    batches = [[one["item"] for one in body["answers"]] for body in annotation.sent["answers"]]
    assert [len(batch) for batch in batches] == [200, 200, 50]
    assert sum(batches, []) == list(range(450))


def test_the_next_page_takes_over_what_its_annotator_left_in_this_browser_and_nothing_else(
    annotation: Annotation,
) -> None:
    waiting = annotation.run("""
        open().outbox.push(answer(1));
        const { connection } = open();
        for (const other of ["ben", "ann:2"]) new Outbox("c", other, connection, {}).push(answer(2));
        new Outbox("other", "ann", connection, {}).push(answer(3));
        const { outbox } = open();
        outbox.send();
        await until(() => receipts.length);
        return [receipts[0].recovered, localStorage.length];
    """)
    assert waiting == [True, 3]
    assert [one["item"] for one in annotation.sent["answers"][0]["answers"]] == [1]


def test_without_room_in_the_browser_an_answer_is_sent_all_the_same(annotation: Annotation) -> None:
    volatile = annotation.run("""
        Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
        const { outbox } = open();
        outbox.push(answer(7));
        await outbox.send();
        return [outbox.volatile, outbox.waiting.length];
    """)
    assert volatile == [True, 0]
    assert len(annotation.sent["answers"]) == 1


def test_an_answer_is_sent_once_where_the_browser_keeps_nothing_at_all(annotation: Annotation) -> None:
    waiting = annotation.run("""
        const off = () => { throw new DOMException("off", "SecurityError"); };
        Object.assign(Storage.prototype, { setItem: off, getItem: off, removeItem: off });
        const { outbox } = open();
        outbox.push(answer(7));
        await outbox.send();
        await new Promise((done) => setTimeout(done, 50));
        return outbox.waiting.length;
    """)
    assert waiting == 0
    assert len(annotation.sent["answers"]) == 1


def test_an_answer_that_only_the_page_has_is_sent_also_after_the_page_was_drawn_anew(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3]
    annotation.run(
        MOUNT
        + """
        const off = () => { throw new DOMException("off", "SecurityError"); };
        Object.assign(Storage.prototype, { setItem: off, getItem: off, removeItem: off });
        await begin();
    """
    )
    annotation.refuse("answers")
    annotation.refuse("next")  # it follows at once: a reply would take the reason off the line before anybody sees it
    annotation.run(
        MOUNT
        + """
        press("1");
        await until(() => part("status").textContent.includes("only in this page: keep it open"));
        await begin();
    """
    )
    for _ in range(3_000):
        if len(annotation.sent["answers"]) > 1:
            break
        annotation.page.wait_for_timeout(10)
    first, again = annotation.sent["answers"]
    assert [one["item"] for one in first["answers"]] == [1] and again["answers"] == first["answers"]
    annotation.page.wait_for_timeout(300)
    sessions = list(dict.fromkeys(body["session"] for body in annotation.sent["next"]))
    assert [first["session"], annotation.sent["next"][-1]["session"]] == sessions, "what is gone holds no image"
