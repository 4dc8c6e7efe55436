"""What the page says of its connection, its campaign and its answers."""

from __future__ import annotations

from typing import Any

import pytest

from app.routes.assets import static
from tests.browser.annotator_modules.annotation import MOUNT, Annotation

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("status", "refusal", "state"),
    [
        (409, {"error": "It is closed.", "closed": True}, ["It is closed.", "It is closed.", False, 3000]),
        (403, {"error": "Ask its lead."}, ["Ask its lead.", "", True, 5000]),
        (404, {"error": "It was removed."}, ["It was removed.", "", True, 5000]),
        (500, {"error": "Busy."}, ["Busy.", "", False, 5000]),
        (0, {}, ["No connection", "", False, 500]),
    ],
)
def test_the_connection_knows_why_it_failed_and_how_long_to_wait(
    annotation: Annotation, status: int, refusal: dict[str, Any], state: list[Any]
) -> None:
    annotation.refuse("next", status, refusal)
    found = annotation.run("""
        const { connection } = open();
        const failed = await connection.next(3, -1, false).then(() => false, () => true);
        const { problem, closed, barred, patience } = connection;
        await connection.next(3, -1, false);
        const after = [connection.problem, connection.closed, connection.barred];
        return [failed, [problem, closed, barred, patience], after];
    """)
    assert found == [True, state, ["", "", False]]


def test_of_a_campaign_that_was_removed_nothing_is_promised(annotation: Annotation) -> None:
    annotation.refuse("answers", 404, {"error": "The campaign look was removed."})
    said = annotation.run("""
        const { status, rest } = await import("/annotate/messages.js");
        const { outbox, connection, queue } = open();
        outbox.push(answer(7));
        await outbox.send();
        return [...status(outbox, connection), ...rest(queue, connection, { unsent: 1, overlap: 1, since: 0 })];
    """)
    assert said == [
        "The campaign look was removed. 1 answer cannot be saved",
        "The campaign look was removed.",
        "This campaign no longer exists",
        "The campaign look was removed.",
        False,
    ]


@pytest.mark.parametrize(
    ("status", "why", "title"),
    [
        (404, "The campaign look was removed.", "This campaign no longer exists"),
        (403, "Ask its lead.", "You cannot answer in this campaign"),
    ],
)
def test_of_a_closed_campaign_that_is_removed_or_made_private_nothing_is_promised_either(
    annotation: Annotation, status: int, why: str, title: str
) -> None:
    annotation.refuse("answers", 409, {"error": "It is closed.", "closed": True})
    annotation.refuse("next", status, {"error": why})
    said = annotation.run("""
        const { rest } = await import("/annotate/messages.js");
        const { outbox, connection, queue } = open();
        outbox.push(answer(7));
        await outbox.send();
        await queue.refill(true);
        return rest(queue, connection, { unsent: 1, overlap: 1, since: 0 });
    """)
    assert said == [title, why, False]


def test_ones_own_other_tab_is_not_called_another_annotator(annotation: Annotation) -> None:
    titles = annotation.run("""
        const { rest } = await import("/annotate/messages.js");
        const mine = { you: true, who: "ann", n: 3, seconds: 60 }, hers = { you: false, who: "eve", n: 2, seconds: 60 };
        const title = (...held) => {
          const progress = { total: 9, done: 2, held };
          return rest({ progress, open: 7 }, {}, { overlap: 1, since: 0 })[0];
        };
        return [title(mine), title(hers), title(mine, hers)];
    """)
    others = "The last images are with other annotators"
    assert titles == ["The last images are open in another tab", others, others]


def test_where_several_answer_each_image_all_of_them_see_the_same_number(annotation: Annotation) -> None:
    said = annotation.run("""
        const { share } = await import("/annotate/messages.js");
        const split = { split: "train", nSplit: 400 };
        const of = (left, overlap) => share({ total: 30, done: 6 }, left, { ...split, overlap });
        return [of(22, 1), of(22, 2), of(24, 2)];
    """)
    assert said == ["8 of 400 train images answered, 2.0 %"] + ["6 of 30 images have both answers"] * 2


def test_what_becomes_of_the_answers_is_said_before_a_long_reason(annotation: Annotation) -> None:
    full = "No room for /srv/slim/slim.db, which is why nothing was kept."
    annotation.refuse("answers", 503, {"error": full})
    said = annotation.run("""
        const { status } = await import("/annotate/messages.js");
        const { outbox, connection } = open();
        outbox.push(answer(7));
        await outbox.send();
        return status(outbox, connection);
    """)
    assert said == [f"1 answer is stored in this browser and will be sent again. {full.rstrip('.')}", full]


@pytest.mark.parametrize(
    ("status", "title"), [(500, "The server reports an error"), (0, "No connection to the server")]
)
def test_where_the_server_gives_no_first_image_nothing_is_said_to_load(
    annotation: Annotation, status: int, title: str
) -> None:
    why = "Nothing in /data."
    annotation.refuse("next", status, {"error": why}, times=99)
    script = """
        await begin({ unseen: true });
        await until(() => !part("count").textContent);
        return part("rest-title").textContent;
    """
    assert annotation.run(MOUNT + script) == title


@pytest.mark.parametrize("status", [404, 403])
def test_where_nobody_takes_answers_any_more_nothing_is_offered_to_be_undone(
    annotation: Annotation, status: int
) -> None:
    annotation.items = [1, 2]
    offered = annotation.run(
        MOUNT
        + """
        await begin();
        press("1");
        await until(() => part("status").textContent === "All answers saved");
        return [...document.querySelectorAll("[data-act=undo]")].map((button) => button.hidden);
    """
    )
    for name in ("next", "answers"):
        annotation.refuse(name, status, {"error": "The campaign look was removed."}, times=99)
    again = 'document.dispatchEvent(new Event("visibilitychange"))'  # a request may be under way
    annotation.run(MOUNT + f'await until(() => !part("rest").hidden, () => {again});')
    n_sent = len(annotation.sent["answers"])
    annotation.page.keyboard.press("z")
    assert not any(offered) and annotation.page.locator("[data-act=undo]:visible").count() == 0
    assert annotation.page.evaluate("document.querySelector('.slim-annotator').dataset.unsent") == "0"
    assert len(annotation.sent["answers"]) == n_sent


@pytest.mark.parametrize(("width", "is_whole"), [(1100, True), (1440, True), (360, True), (950, False)])
def test_the_image_stays_where_it_is_when_the_connection_is_lost(
    annotation: Annotation, width: int, is_whole: bool
) -> None:
    annotation.items = [1, 2, 3, 4, 5, 6]
    annotation.page.set_viewport_size({"width": width, "height": 900})
    annotation.page.add_style_tag(content=static("annotate/annotator.css").read_text())
    top = "document.querySelector('[data-part=stage]').getBoundingClientRect().top"
    before = annotation.run(
        MOUNT
        + f"""
        await begin();
        for (const key of "111") press(key);
        await until(() => part("status").textContent === "All answers saved");
        return {top};
    """
    )
    for name in ("answers", "next"):
        annotation.refuse(name, times=9)
    found = annotation.run(
        MOUNT
        + f"""
        press("1");
        await until(() => part("status").textContent.startsWith("No connection"));
        const {{ scrollWidth, clientWidth, title, textContent }} = part("status");
        return [{top}, scrollWidth <= clientWidth, title === textContent];
    """
    )
    assert found == [before, is_whole, True]
    assert annotation.page.evaluate("document.body.scrollWidth <= innerWidth")


def test_a_screen_reader_hears_of_saving_only_where_it_fails_and_once_it_works_again(annotation: Annotation) -> None:
    annotation.items = [1, 2, 3, 4, 5, 6]
    listen = """
        await begin();
        window.heard = [];
        for (const region of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
          new MutationObserver(() => region.textContent && heard.push(region.textContent))
            .observe(region, { childList: true, characterData: true, subtree: true });
        }
        press("1");
        await until(() => part("status").textContent === "All answers saved");
        return heard;
    """
    saved = annotation.run(MOUNT + listen)
    assert len(saved) == 1 and saved[0].startswith("Image 102"), "the next image"
    for name in ("answers", "next"):
        annotation.refuse(name, times=5)
    heard = annotation.run(
        MOUNT
        + """
        for (const n of [1, 2, 3]) {
          await shown();
          press("1");
          await until(() => part("status").textContent.includes(`${n} answer`));
        }
        const again = () => dispatchEvent(new Event("online"));
        await until(() => part("status").textContent === "All answers saved", again);
        return window.heard.filter((text) => !text.startsWith("Image"));
    """
    )
    away = "No connection. 1 answer is stored in this browser and will be sent again"
    assert heard[:2] == [away, "All answers saved"] and heard.count(away) == 1


def test_the_question_is_about_what_shows_the_class(annotation: Annotation) -> None:
    annotation.items = [1]
    found = annotation.run(
        MOUNT
        + """
        await begin();
        return [part("question").textContent, part("question").querySelector("em").textContent];
    """
    )
    assert found == ["Does the model look at what shows the class cat?", "cat"]
