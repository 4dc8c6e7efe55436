"""What a person does on any page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from playwright.sync_api import Page, Route, WebSocketRoute, expect

from slim_core.store import Run, schema
from slim_core.store.database import Database

NOW = timedelta()  # ago

# what moves later than a press explains, as the browser counts it (web.dev/cls)
MOVED = """() => {
  window.moved = 0;
  const add = (entry) => { if (!entry.hadRecentInput) window.moved += entry.value; };
  new PerformanceObserver((list) => list.getEntries().forEach(add)).observe({type: "layout-shift", buffered: true});
}"""


def slowed(page: Page, times: int) -> None:
    """As on a machine whose processor takes so many times as long."""
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": times})


def visit(page: Page, address: str, name: str, query: str = "") -> None:
    """Open a page by its address and wait until it is drawn; no exception box may be on it."""
    page.goto(f"{address}/{'' if name == 'overview' else name}{query}")
    expect(page.get_by_role("heading", level=1, name=name.capitalize())).to_be_visible(timeout=30_000)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script has run to its end."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=60_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)


_CALM = """() => {
    const now = performance.now()
    const state = document.querySelector('[data-testid=stApp]')?.getAttribute('data-test-script-state')
    const computed = now - (window.askedAt ?? now) > 300
    window.askedAt = now
    window.calmSince = state === 'notRunning' && !computed ? (window.calmSince ?? now) : undefined
    return now - (window.calmSince ?? now) > 700
}"""


def calm(page: Page) -> None:
    """Wait until for a while no script has run and the page had time to answer: it does not draw then what came last.

    Streamlit can lose a key that is pressed as a script begins or ends.
    """
    settle(page)
    page.wait_for_function(_CALM, polling=50, timeout=60_000)


def shown(page: Page) -> None:
    """Wait until the images are there that answers wait for: what is pressed before that counts for nothing."""
    calm(page)
    expect(page.locator('[class*="st-key-awaits-"] .slim-awaited:not([data-seen])')).to_have_count(0)


def until(condition: Callable[[], object], patience_s: float = 60.0) -> None:
    """Wait for what another process writes to the database."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def end_run(database: Database, run: Run, ago: timedelta = NOW) -> None:
    """As if the run had ended at this moment, or so long ago."""
    with database.write() as connection:
        ended = database.now(connection) - ago
        connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(finished_at=ended))


class Line:
    """The connection of a page to its dashboard, which a test can hold up; made before the page is opened."""

    def __init__(self, page: Page) -> None:
        self._is_slow, self._held = False, list[Callable[[], None]]()
        page.route_web_socket("**/_stcore/stream", self._join)

    @contextmanager
    def slow(self) -> Iterator[None]:
        """What the dashboard sends meanwhile comes to the page at the end, in its order; presses go out at once."""
        self._is_slow = True
        try:
            yield
        finally:
            self._is_slow = False
            for send in self._held:
                send()
            self._held.clear()

    def _join(self, here: WebSocketRoute) -> None:
        def receive(message: str | bytes) -> None:
            if self._is_slow:
                self._held.append(lambda: here.send(message))
            else:
                here.send(message)

        here.connect_to_server().on_message(receive)


def intercept(page: Page, pattern: str, handler: Callable[[Route], Any], times: int | None = None) -> None:
    """Have a handler reply to what an open page asks for, from now on.

    What a page asks for in the moment after ``page.route`` can go past it, and is not reported by Playwright either.
    """
    page.route(pattern, handler, times=times)
    page.route("**/caught", lambda route: route.fulfill(body="caught"))
    page.wait_for_function("fetch('/caught').then((reply) => reply.text()).then((text) => text === 'caught')")
    page.unroute("**/caught")


@contextmanager
def images_held(page: Page) -> Iterator[None]:
    """While this is open, no image arrives; then those that were asked for come, and all others as ever."""
    held: list[Route] = []
    page.route("**/api/image/**", lambda route: held.append(route))
    yield
    for route in held:
        route.continue_()
    page.unroute("**/api/image/**")


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box."""
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option).click()
    settle(page)
