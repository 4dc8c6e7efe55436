"""Annotators in a real Chromium, each in a browser profile of their own, who press keys on the Annotate page."""

from __future__ import annotations

import random
import time
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.annotation_keys import all_saved, opened_campaign
from benchmarks.browser import SIZE, chromium
from benchmarks.disturbance import Part
from benchmarks.served.people import HEADER, Answer, Record, Room, Trouble

ASIDE = ("net::ERR_ABORTED",)  # what the page itself gives up, such as a picture it no longer needs
# The page keeps an answer in localStorage until the server has named its id, which is after the commit; the key holds
# when it was given, and its id.
PROBE = """() => {
  const seen = window.slimServed = [];
  const { removeItem } = Storage.prototype;
  Storage.prototype.removeItem = function (key) {
    if (key.startsWith('slim-answer:')) {
      const [at, , id] = key.slice(key.lastIndexOf(':') + 1).split('-');
      seen.push({ id, at: Number(at) / 1000, acknowledged: Date.now() / 1000 });
    }
    return removeItem.call(this, key);
  };
}"""
TAKEN = "() => window.slimServed.splice(0)"
ROW = "root => root.querySelector('[data-part=stage]').dataset.row ?? ''"
WAITING = """() => Object.keys(localStorage).filter((key) => key.startsWith('slim-answer:')).map((key) => {
  const [at, , id] = key.slice(key.lastIndexOf(':') + 1).split('-');
  return { id, at: Number(at) / 1000 };
})"""


class Browsers(Part):
    """A few people, each in front of a tab; one thread presses for all of them."""

    def __init__(self, room: Room, names: list[str], seed: int, record: Record) -> None:
        super().__init__()
        self.names = names
        self._room, self._record, self._random = room, record, random.Random(seed)

    def turn(self) -> None:
        """All of it: a browser belongs to the thread that has started it."""
        if not self.names:
            self.ending.wait()
            return
        with chromium() as browser:
            tabs = [_Tab(browser, self._room, who, self._record) for who in self.names]
            while not self.ending.is_set():
                tab = min(tabs, key=lambda one: one.due)
                tab.page.wait_for_timeout(1000 * min(0.1, max(0.0, tab.due - time.monotonic())))
                if tab.due <= time.monotonic():
                    tab.press(self._random.choice("1110u"))
                    tab.due = time.monotonic() + self._random.expovariate(1 / self._room.pace_s)
            for tab in tabs:
                tab.finish()


class _Tab:
    """One person's browser."""

    def __init__(self, browser: Browser, room: Room, who: str, record: Record) -> None:
        self.due = time.monotonic()
        self._who, self._record, self._address = who, record, f"http://127.0.0.1:{room.port}"
        context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]}, extra_http_headers={HEADER: who})
        self.page = context.new_page()
        opened_campaign(self.page, self._address, room.campaign)
        self.page.evaluate(PROBE)
        self._listen(self.page)

    def press(self, key: str) -> None:
        """The key, where there is an image to answer; and what was acknowledged so far."""
        if self.page.locator(".slim-annotator").evaluate(ROW, timeout=5_000):
            self.page.keyboard.press(key)
        self._take()

    def finish(self) -> None:
        """Wait until all is sent; what is not is kept as never acknowledged."""
        try:
            all_saved(self.page)
        except AssertionError as error:
            self._note(f"unsent: {error}"[:300])
        self._take()
        self._record.answers += [Answer(one["id"], self._who, one["at"]) for one in self.page.evaluate(WAITING)]

    def _take(self) -> None:
        seen: list[dict[str, Any]] = self.page.evaluate(TAKEN)
        self._record.answers += [Answer(who=self._who, **one) for one in seen]

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self._note(f"script: {error}"))
        page.on("requestfailed", lambda request: self._failed(request.url, request.failure or ""))
        page.on("response", lambda response: response.status >= 400 and self._failed(response.url, response.status))

    def _failed(self, url: str, why: object) -> None:
        if why not in ASIDE:
            self._note(f"{url.removeprefix(self._address).partition('?')[0]}: {why}")

    def _note(self, said: str) -> None:
        now = time.time()
        self._record.troubles.append(Trouble(now, now, self._who, said))
