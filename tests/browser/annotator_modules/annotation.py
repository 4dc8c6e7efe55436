"""A page with the annotator's modules alone, and a server whose replies the test sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route

from app.annotate.annotator import HTML, URLS
from tests.browser import modules
from tests.browser.annotator import PATIENCE_MS, UNPAINTED

SETUP = (
    f"const PATIENCE_MS = {PATIENCE_MS};"
    + """
const names = ["connection", "outbox", "queue", "grid_page", "keys"];
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
  overlap: 1, blind: false, guideline: "", ramp: "none", frame: 1,
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
        self.is_empty = False  # whether no image has attention
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
            more = {"label": "cat", "guess": self.guess, "empty": self.is_empty}
            items = [{"id": item, "row": 100 + item, "position": item, **more} for item in self.items]
            route.fulfill(json={"items": items, "progress": self.progress})
        elif name == "given":
            last = [{"id": item, "row": 100 + item, "value": 1, "seq": item} for item in reversed(self.earlier)]
            route.fulfill(json={"given": [] if body.get("before") else last})


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


def later(page: Page, done: Callable[[], object]) -> None:
    """Until it is done, on a clock on which seconds are soon over; ``page.clock`` is installed."""
    for _ in range(1_000):
        if done():
            return
        page.clock.fast_forward(1_000)
        page.wait_for_timeout(20)
    raise AssertionError(page.inner_text("body"))


def answered(annotation: Annotation) -> list[tuple[int, int | None]]:
    """(item, value) of all that was sent, or waits in the browser."""
    waiting = annotation.page.evaluate("""Object.entries(localStorage)
      .filter(([key]) => key.startsWith("slim-answer:")).map(([, text]) => JSON.parse(text))""")
    sent = [one for body in annotation.sent["answers"] for one in body["answers"]]
    return [(one["item"], one["value"]) for one in [*sent, *waiting]]


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
