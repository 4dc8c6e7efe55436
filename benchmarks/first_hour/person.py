"""A browser that counts what a person does in it, what it has to wait for, and what goes wrong on the way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

from benchmarks.browser import SCRIPT_TIMEOUT_MS, settle, visit

# The layout shift of a page (web.dev/cls): the worst window of shifts that no input of the last half second explains.
_SHIFTS = """() => {
  window.slimShift = { worst: 0, sum: 0, first: 0, last: 0 };
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      const now = window.slimShift;
      if (entry.startTime - now.last > 1000 || entry.startTime - now.first > 5000) {
        now.sum = 0;
        now.first = entry.startTime;
      }
      now.last = entry.startTime;
      now.sum += entry.value;
      now.worst = Math.max(now.worst, now.sum);
    }
  }).observe({ type: "layout-shift", buffered: true });
}"""
_WORST = "() => { const worst = window.slimShift?.worst ?? 0; if (worst) window.slimShift.worst = 0; return worst; }"
_TIME_LEFT = re.compile(r"\bleft\b")  # "about 2 min left", "the time left is known once ..."
COMPLETE_MS = 3000  # for charts and images, once the script has ended
STEP_MS = 60_000  # for what a press has to bring about


class DeadEndError(Exception):
    """What the next step needs is not on the page."""


@dataclass
class Counts:
    """What the way from an empty home to a verdict took."""

    clicks: int = 0
    typed: int = 0  # fields
    answers: int = 0  # keys that answer a question
    seconds_waited: float = 0.0  # for jobs
    waits_without_time_left: int = 0  # looks at a page, while waiting, that said nothing of the time
    dead_ends: list[str] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    moved: dict[str, float] = field(default_factory=dict)  # page -> its layout shift after presses


class Person:
    """Acts on a page as somebody would, by what can be seen on it."""

    def __init__(self, page: Page) -> None:
        self.page, self.counts = page, Counts()
        page.add_init_script(f"({_SHIFTS})()")
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.counts.console_errors.append(str(error)))
        page.on("response", self._answered)

    def go(self, address: str) -> None:
        """Open an address that was typed into the browser."""
        self.page.goto(address)
        self._seen(self.page.get_by_role("heading", level=1).first, "a page")
        settle(self.page)

    def click(self, target: Locator, what: str) -> None:
        """Press it, once it is there and may be pressed.

        Raises:
            DeadEndError: it never is.
        """
        self._seen(target, what)
        try:
            expect(target).to_be_enabled(timeout=STEP_MS)
        except AssertionError:
            raise DeadEndError(f"{what} cannot be pressed") from None
        self._keep_shift()
        target.click()
        self.counts.clicks += 1
        self.page.wait_for_timeout(200)
        settle(self.page)

    def choose(self, label: str, option: str) -> None:
        """Two clicks: on a select box, and on one of its options."""
        box = self.page.get_by_role("combobox", name=label, exact=True)
        self.click(box, f"the field {label}")
        self.click(self.page.get_by_role("option", name=option, exact=True), f"the option {option} of {label}")

    def type(self, label: str, text: str) -> None:
        """Fill in a field and leave it."""
        target = self.page.get_by_label(label, exact=True).first
        self._seen(target, f"the field {label}")
        target.fill(text)
        target.press("Tab")
        self.counts.typed += 1
        self.page.wait_for_timeout(200)
        settle(self.page)

    def answer(self, key: str) -> None:
        """Press a key that answers."""
        self.page.keyboard.press(key)
        self.counts.answers += 1

    def wait(self, done: Callable[[], bool], within_s: float) -> None:
        """Watch the page until something is done, and whether it says how long that still takes.

        Raises:
            DeadEndError: it is not done within that time.
        """
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > within_s:
                raise DeadEndError(f"nothing happened for {within_s:g} s")
            self.page.wait_for_timeout(1000)
            text = self.page.get_by_test_id("stMain").inner_text()
            if not _TIME_LEFT.search(text) and not done():
                self.counts.waits_without_time_left += 1
        self.counts.seconds_waited += time.monotonic() - began
        settle(self.page)

    def finish(self) -> Counts:
        """All counts."""
        self._keep_shift()
        return self.counts

    def _seen(self, target: Locator, what: str) -> None:
        try:
            expect(target).to_be_visible(timeout=STEP_MS)
        except AssertionError:
            raise DeadEndError(f"{what} is not on {self._where()}") from None

    def _where(self) -> str:
        return urlsplit(self.page.url).path

    def _keep_shift(self) -> None:
        worst = self.page.evaluate(_WORST)
        self.counts.moved[self._where()] = max(worst, self.counts.moved.get(self._where(), 0.0))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.counts.console_errors.append(message.text)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.counts.console_errors.append(f"{response.status} {response.url.split('?')[0]}")


def shifts(page: Page, address: str, names: list[str]) -> dict[str, float]:
    """Page -> its layout shift when it is opened by its address, until it is complete; nothing is pressed."""
    found = {}
    for name in names:
        visit(page, f"{address}/{name}")
        page.wait_for_timeout(COMPLETE_MS)
        settle(page)
        found[f"/{name}"] = page.evaluate(_WORST)
    return found


def sizes(page: Page, address: str, names: list[str]) -> dict[str, tuple[int, int]]:
    """Page -> its words and its height in pixels, in a window of 1440 x 900, folded as it opens."""
    page.set_viewport_size({"width": 1440, "height": 900})
    found = {}
    for name in names:
        visit(page, f"{address}/{name}")
        page.wait_for_timeout(COMPLETE_MS)
        settle(page)
        main = page.get_by_test_id("stMain")
        found[f"/{name}"] = len(main.inner_text().split()), int(main.evaluate("main => main.scrollHeight"))
    return found


_RATES = re.compile(r"went from (\d+\.\d) % to (\d+\.\d) %")
_RETOLD = re.compile(r"worst group (\d+\.\d) % → (\d+\.\d) %")
_ARROWS = {"Better": "up", "Worse": "down"}


def verdict_conflicts(page: Page, address: str, names: list[str]) -> list[str]:
    """ "PAGE: what it says": tiles, arrows and sentences of the finished project that are against the verdict."""
    found = []
    for name in names:
        visit(page, f"{address}/{name}")
        page.wait_for_timeout(COMPLETE_MS)
        settle(page)
        text = page.get_by_test_id("stMain").inner_text().replace("\xa0", " ")
        if not name:
            said = page.locator(".st-key-verdict").inner_text().replace("\xa0", " ")
            rates = _RATES.search(said)
            if rates is None:
                return []
            tile = page.get_by_test_id("stMetric").filter(has_text="Worst-group accuracy")
            if f"{rates[2]} %" not in tile.inner_text().replace("\xa0", " "):
                found.append(f"{name}: {tile.inner_text()!r} beside {said!r}")
            arrows = {way for way in ("up", "down") if page.get_by_test_id(f"stMetricDeltaIcon-{way.title()}").count()}
            if arrows != {way for word, way in _ARROWS.items() if f"{word}:" in said}:
                found.append(f"{name}: arrows {sorted(arrows)} beside {said!r}")
        found += [f"{name}: {retold[0]!r} beside {said!r}" for retold in _RETOLD.finditer(text)
                  if retold.groups() != rates.groups()]  # fmt: skip
    return found


def back_presses(page: Page, links: list[str]) -> float:
    """How often Back must be pressed, a page: through these pages by their links in the sidebar, and back again."""
    expect(page.get_by_test_id("stSidebar")).to_be_visible(timeout=SCRIPT_TIMEOUT_MS)
    begun = urlsplit(page.url).path
    links = [name for name in links if f"/{name.lower()}" != begun]
    for name in links:
        page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1, name=name)).to_be_visible(timeout=SCRIPT_TIMEOUT_MS)
        settle(page)
    presses = 0
    while urlsplit(page.url).path != begun and presses < 5 * len(links):
        page.go_back()
        presses += 1
        page.wait_for_timeout(500)
        settle(page)
    return presses / len(links)
