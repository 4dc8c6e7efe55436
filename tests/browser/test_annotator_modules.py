"""The annotator's modules by themselves, in a real Chromium: real requests and a real localStorage, no dashboard."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from app.annotate.parts.annotator import HTML, URLS
from app.routes.assets import static
from tests.browser import modules
from tests.browser.annotator import PATIENCE_MS, UNPAINTED

pytestmark = pytest.mark.browser

SETUP = (
    f"const PATIENCE_MS = {PATIENCE_MS};"
    + """
const names = ["session", "connection", "outbox", "queue", "grid_page", "marks", "keys"];
const modules = await Promise.all(names.map((name) => import(`/annotate/${name}.js`)));
const { Session, Connection, Outbox, Queue, GridPage, Marks, actionOf } = Object.assign({}, ...modules);
const urls = { next: "/api/next", answers: "/api/answers", given: "/api/given", release: "/api/release" };
const receipts = [];
const until = async (done, between = () => {}) => {  // fails where it never comes: Playwright waits for ever
  for (const end = performance.now() + PATIENCE_MS; !done(); await new Promise((go) => setTimeout(go, 10))) {
    if (performance.now() > end) throw new Error(`never: ${done}\n${document.body.innerText}`);
    between();
  }
};
const open = (need = { n: 3, shown: [], guess: false }) => {
  const session = new Session("c", "ann"), connection = new Connection("c", session, urls, () => {});
  const outbox = new Outbox("c", "ann", connection, { changed: () => {}, saved: (receipt) => receipts.push(receipt) });
  const queue = new Queue(connection, outbox, { need: () => need, changed: () => {} });
  return { session, connection, outbox, queue, need };
};
const answer = (item, value = 1) => ({ item, value, net: 1, ms: 5, seen: {} });
"""
)


# The whole annotator on an element of its own; `press` a key in it, `part` is one of its parts.
MOUNT = f"""
const {{ mount }} = await import("/annotate/annotator.js");
const data = {{
  campaign: "c", who: "ann", token: "t", run: "r", urls: {json.dumps(URLS)}, examples: {{}}, split: "train", nSplit: 99,
  overlap: 1, blind: false, guideline: "", ramp: "none",
  ...Object.fromEntries(["image", "heat", "veil", "contour", "tileImage", "tileHeat", "tileVeil", "tileContour"]
    .map((name) => [name, `/picture/${{name}}/ROW`])),
}};
const shown = () => until(() => {{
  const {{ pictures }} = document.body.firstElementChild.__slimAnnotator.screen;
  const isPainted = !document.querySelector({json.dumps(UNPAINTED)});
  return isPainted && pictures.order.every(({{ state }}) => state === "ready");
}});
const told = [];
const begin = async (more = {{}}) => {{
  document.body.innerHTML = `<div>${{{json.dumps(HTML)}}}</div>`;
  const parentElement = document.body.firstElementChild;
  const draw = (again = {{}}) =>
    mount({{ data: {{ ...data, ...more, ...again }}, parentElement, setTriggerValue: (name) => told.push(name) }});
  draw();
  await until(() => document.querySelector("[data-ready=true]"));
  if (!more.unseen) await shown();
  return draw;
}};
const part = (name) => document.querySelector(`[data-part=${{name}}]`);
const tiles = () => [...document.querySelectorAll(".tile")];
const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
"""


class Annotation:
    """A page of the origin that serves the modules; its requests are recorded, its replies set by the test."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sent: dict[str, list[dict[str, Any]]] = {"next": [], "answers": [], "given": [], "release": []}
        self.refusals: dict[str, list[tuple[int, dict[str, Any]]]] = {name: [] for name in self.sent}
        self.items: list[int] = []
        self.guess: int | None = None  # of every image
        self.earlier: list[int] = []  # items that were answered before, as far as the server knows, the last one last
        self.progress = {"total": 50, "done": 10, "answered": 5, "held": []}
        modules.serve(page, "annotate", api=self._reply)

    def run(self, script: str) -> Any:
        """What the script returns, after SETUP."""
        return self.page.evaluate(f"async () => {{ {SETUP} {script} }}")

    def refuse(self, name: str, status: int = 0, body: dict[str, Any] | None = None, times: int = 1) -> None:
        """So many more requests of this name, and none of another: what else the page asks for may come in between.

        Status 0: no connection.
        """
        self.refusals[name] += [(status, body or {})] * times

    def _reply(self, route: Route, name: str) -> None:
        body = json.loads(route.request.post_data or "{}")
        self.sent[name].append(body)
        if self.refusals[name]:
            status, refusal = self.refusals[name].pop(0)
            route.fulfill(status=status, json=refusal) if status else route.abort()
        elif name == "answers":
            self.earlier += [one["item"] for one in body["answers"] if one["value"] is not None]
            route.fulfill(json={"ids": [one["id"] for one in body["answers"]], "lost": [], "unknown": []})
        elif name == "next":
            more = {"label": "cat", "guess": self.guess}
            items = [{"id": item, "row": 100 + item, "position": item, **more} for item in self.items]
            route.fulfill(json={"items": items, "progress": self.progress})
        elif name == "given":
            last = [{"id": item, "row": 100 + item, "value": 1, "seq": item} for item in reversed(self.earlier)]
            route.fulfill(json={"given": [] if body.get("before") else last})


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of their own, which stays open: each new one is a process that takes half a second to start."""
    with browser.new_context() as opened:
        yield opened


@pytest.fixture
def annotation(context: BrowserContext) -> Iterator[Annotation]:
    """The modules on a page of their own, in a browser that has stored nothing."""
    made = Annotation(context.new_page())
    made.page.evaluate("localStorage.clear(); sessionStorage.clear()")
    yield made
    made.page.close()


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
    annotation.run("open().outbox.push(answer(7, 0));")
    annotation.refuse("answers", 503, {"error": "Not now."})
    annotation.run(MOUNT + "const begun = begin(); press('z'); await begun;")
    annotation.page.wait_for_selector("[data-unsent='0']")
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
    assert said == ["8 of 400 train images answered, 2.0 %"] + ["6 of 30 answered by 2 annotators"] * 2


def test_what_becomes_of_the_answers_is_said_before_a_long_reason(annotation: Annotation) -> None:
    full = "The disk of the database /srv/slim/slim.db is full: free some space, nothing was changed."
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
    why = "The images of birds are no longer in /data: move them back."
    annotation.refuse("next", status, {"error": why}, times=99)
    script = 'await begin({ unseen: true }); return ["count", "rest-title"].map((name) => part(name).textContent);'
    assert annotation.run(MOUNT + script) == ["", title]


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


def test_marks_are_those_of_one_campaign_and_one_annotator(annotation: Annotation) -> None:
    assert annotation.run("""
        const others = [["c", "ben"], ["d", "ann"], ["c", "ann:2"]];
        for (const [campaign, who] of others) new Marks(campaign, who).set(1, 0);
        new Marks("c", "ann").set(2, 1);
        return [...new Marks("c", "ann").load()];
    """) == [[2, 1]]


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


@pytest.mark.parametrize(
    ("element", "own"),
    [
        ("<a href='#'></a>", ["Enter"]),
        ("<details><summary></summary></details>", ["Enter", " "]),
        ("<button role='radio'></button>", ["Enter", " ", "ArrowLeft", "ArrowRight"]),
        ("<div role='tab' tabindex='0'></div>", ["Enter", " ", "ArrowLeft", "ArrowRight"]),
        ("<div role='slider' tabindex='0'></div>", ["ArrowLeft", "ArrowRight"]),
        ("<button class='tile'></button>", []),
        ("<input>", ["Enter", " ", "ArrowLeft", "ArrowRight", "1"]),
    ],
)
def test_what_has_the_focus_keeps_the_keys_that_mean_something_to_it(
    annotation: Annotation, element: str, own: list[str]
) -> None:
    left = annotation.run(f"""
        document.body.insertAdjacentHTML("beforeend", {json.dumps(element)});
        const last = document.body.lastElementChild, focused = last.firstElementChild ?? last;
        const left = [];
        document.addEventListener("keydown", (event) => {{ if (!actionOf(event, true)) left.push(event.key); }});
        for (const key of ["Enter", " ", "ArrowLeft", "ArrowRight", "1"])
          focused.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
        return left;
    """)
    assert left == own


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


@pytest.mark.parametrize(
    ("key", "code", "grid", "action"),
    [
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
    ],
)
def test_a_key_names_its_action(
    annotation: Annotation, key: str, code: str, grid: bool, action: list[Any] | None
) -> None:
    event = json.dumps({"key": key, "code": code, "bubbles": True})
    found = annotation.run(f"""
        let found;
        document.body.addEventListener("keydown", (event) => {{ found = actionOf(event, {json.dumps(grid)}); }});
        document.body.dispatchEvent(new KeyboardEvent("keydown", {event}));
        return found ?? null;
    """)
    assert found == action


def test_a_small_picture_without_attention_says_so_once(annotation: Annotation) -> None:
    """The picture has the words in a band at its lower edge, too small to be read in a tile: they are covered."""
    tile = '<button class="tile empty" style="width: 147px"><span class="word">unsure</span></button>'
    annotation.page.set_content(f"<style>{static('annotate/annotator.css').read_text()}</style>{tile}")
    bottom, left, colour, top = annotation.page.locator(".tile").evaluate("""(tile) => {
        const band = getComputedStyle(tile, "::before");
        return [band.bottom, band.left, band.backgroundColor, parseFloat(band.top)];
    }""")
    assert (bottom, left, colour) == ("0px", "0px", "rgb(0, 0, 0)")
    assert 147 * 0.7 < top < 147 * 0.85  # two lines: the band of the picture has one of a twelfth


def fingers(page: Page) -> Callable[..., None]:
    """Touches of the image: ``to(kind, *shares)`` puts, moves or lifts a finger at each share of its width."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5})
    box = page.locator("[data-part=stage]").bounding_box()
    assert box is not None
    height = box["y"] + box["height"] / 2

    def to(kind: str, *shares: float) -> None:
        points = [{"x": box["x"] + share * box["width"], "y": height, "id": n} for n, share in enumerate(shares)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    return to


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


def test_two_fingers_on_the_image_answer_nothing_and_one_still_swipes(annotation: Annotation) -> None:
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
    to("touchStart", 0.2)
    to("touchMove", 0.5)
    to("touchMove", 0.8)
    to("touchEnd")
    annotation.page.wait_for_selector("[data-row='102']")
    annotation.page.wait_for_selector("[data-unsent='0']")
    assert (moved, kept) == ("", [])
    assert [(one["item"], one["value"]) for one in annotation.sent["answers"][0]["answers"]] == [(1, 1)]


def test_a_button_that_was_clicked_is_not_pressed_again_by_the_next_key(annotation: Annotation) -> None:
    """Space shows the plain image, Enter confirms a page: neither answers once more."""
    annotation.items = [1, 2, 3]
    annotation.run(MOUNT + "await begin();")
    page = annotation.page
    page.locator(".answers [data-act=right]").click()
    page.keyboard.press("Space")
    page.wait_for_selector("[data-unsent='0']")
    answered = [one["item"] for body in annotation.sent["answers"] for one in body["answers"]]
    view = page.text_content("[data-part=view]")
    annotation.run(MOUNT + "press('g'); await shown();")
    page.locator("[data-act=rest]").click()
    page.keyboard.press("Enter")
    while len(annotation.sent["answers"]) < 2:
        page.wait_for_timeout(10)
    assert (answered, view) == ([1], "image")
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


class Held:
    """Pictures that come only when the test lets them."""

    def __init__(self, page: Page, address: str) -> None:
        self._routes: list[Route] = []
        self._is_open = False
        page.route(address, self._reply)

    def _reply(self, route: Route) -> None:
        self._routes.append(route)
        if self._is_open:
            self.come()

    def come(self) -> None:
        self._is_open = True
        while self._routes:
            self._routes.pop().fulfill(content_type="image/svg+xml", body=modules.PIXEL)


def answered(annotation: Annotation) -> list[tuple[int, int | None]]:
    """(item, value) of all that was sent, or waits in the browser."""
    waiting = annotation.page.evaluate("""Object.entries(localStorage)
      .filter(([key]) => key.startsWith("slim-answer:")).map(([, text]) => JSON.parse(text))""")
    sent = [one for body in annotation.sent["answers"] for one in body["answers"]]
    return [(one["item"], one["value"]) for one in [*sent, *waiting]]


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
    for key in ("1", "0", "e", "u", "s", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    buttons = page.locator(".answers button, [data-act=skip]")
    for button in buttons.all():
        button.dispatch_event("click")
    to = fingers(page)
    to("touchStart", 0.2)
    to("touchMove", 0.8)
    to("touchEnd")
    assert buttons.evaluate_all("(found) => found.map((one) => one.ariaDisabled)") == ["true"] * 5
    assert page.locator("[data-part=loading]").inner_text() == "Loading ..."
    assert answered(annotation) == []
    held.come()
    page.wait_for_selector("[data-part=stage][data-row='101']")
    assert buttons.evaluate_all("(found) => found.map((one) => one.ariaDisabled)") == ["false"] * 5
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


def test_a_page_that_is_gone_asks_for_no_more_pictures(annotation: Annotation) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=401, json={"error": "The token of this page belongs to another sign-in."})

    annotation.items = [1, 2]
    annotation.page.route("**/picture/**", refuse)
    annotation.run(MOUNT + "await begin({ unseen: true });")
    while len(asked) < 9:  # both images with their maps, the reasons, and the first again
        annotation.page.wait_for_timeout(10)
    annotation.page.evaluate("document.body.innerHTML = ''")
    annotation.page.wait_for_timeout(2_000)  # a heartbeat, and what is under way
    n = len(asked)
    annotation.page.wait_for_timeout(2_500)
    assert n and len(asked) == n


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


def test_a_dashboard_that_was_started_again_is_told_that_the_first_image_is_shown(annotation: Annotation) -> None:
    annotation.items = [1]
    told = annotation.run(
        MOUNT
        + """
        const draw = await begin({ page: "before" }), n = () => told.length;
        await until(() => n() === 1);
        draw({ page: "before", token: "renewed" });
        const same = n();
        draw({ page: "after" });
        return [told, same];
    """
    )
    assert told == [["shown", "shown"], 1]


def test_the_page_hears_that_all_of_ones_own_are_answered_and_then_that_all_are(annotation: Annotation) -> None:
    annotation.progress |= {"answered": 40}
    annotation.run(MOUNT + "await begin(); window.told = told;")
    annotation.page.wait_for_function("window.told.includes('done')")
    assert "answered all your images" in annotation.page.locator("body").inner_text()
    annotation.progress |= {"done": 50, "answered": 0}
    annotation.page.wait_for_function("window.told.filter((one) => one === 'done').length === 2")
    assert "All images of this campaign are answered" in annotation.page.locator("body").inner_text()
