"""What a key costs in a real Chromium: until the next image is painted, until the answer is acknowledged."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.browser import SIZE
from slim_core.store import Campaign, Store

TIMEOUT_MS = 120_000
PATTERN = "1011u01"  # what is pressed, over and over
VALUES = {"1": 1, "0": 0, "u": -1}

# Painted: the stage shows another row and both pictures are there, one frame and one task later. Acknowledged: the page
# takes the answer out of localStorage, which it does when the server has named its id, after the commit.
PROBE = """() => {
  const seen = window.slimProbe = { paints: [], saves: [] };
  const stage = () => {
    for (const host of document.querySelectorAll('*')) {
      const found = (host.shadowRoot ?? host).querySelector?.('[data-part="stage"]');
      if (found) return found;
    }
  };
  const place = stage();
  const pressed = new Map();
  let last = null;
  window.addEventListener('keydown', (event) => {
    if (!'10u'.includes(event.key)) return;
    const before = place.firstElementChild, since = event.timeStamp;
    last = since;
    const look = () => requestAnimationFrame(() => {
      const whole = [...place.querySelectorAll('img')].every((image) => image.complete && image.naturalWidth);
      if (place.firstElementChild === before || !whole) return look();
      const channel = new MessageChannel();
      channel.port1.onmessage = () => seen.paints.push(performance.now() - since);
      channel.port2.postMessage(null);
    });
    look();
  }, { capture: true });
  const { setItem, removeItem } = Storage.prototype;
  Storage.prototype.setItem = function (key, value) {
    if (key.startsWith('slim-answer:')) pressed.set(key, last);
    return setItem.call(this, key, value);
  };
  Storage.prototype.removeItem = function (key) {
    if (pressed.has(key)) seen.saves.push(performance.now() - pressed.get(key));
    return removeItem.call(this, key);
  };
}"""


def as_annotator(browser: Browser, name: str) -> BrowserContext:
    """A browser that has given its name."""
    context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    name_browser(context, name)
    return context


def name_browser(context: BrowserContext, name: str) -> None:
    """From now on the person in front of it is this one."""
    context.add_cookies([{"name": "slim-name", "value": name, "domain": "127.0.0.1", "path": "/"}])


def opened_campaign(page: Page, address: str, campaign: str) -> float:
    """Seconds until the first image of a campaign is on screen and keys are taken."""
    since = time.perf_counter()
    page.goto(f"{address}/annotate?campaign={campaign}", wait_until="commit")
    expect(page.locator(".slim-annotator[data-ready=true]")).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator('.slim-annotator [data-part="stage"][data-row] img').first).to_be_visible(timeout=TIMEOUT_MS)
    return time.perf_counter() - since


def press(page: Page, keys: str, per_second: float) -> None:
    """The keys, one after the other, at a steady pace."""
    start = time.perf_counter()
    for place, key in enumerate(keys):
        time.sleep(max(0.0, start + place / per_second - time.perf_counter()))
        page.keyboard.press(key)


def all_saved(page: Page) -> None:
    """Wait until no answer is under way."""
    expect(page.locator(".slim-annotator[data-unsent='0']")).to_be_attached(timeout=TIMEOUT_MS)


def measure_keys(browser: Browser, address: str, campaign: str, n: int, rates: Sequence[float]) -> dict[str, Any]:
    """Milliseconds of ``n`` answers at each rate: {"paints": [...], "saves": [...]}."""
    context = as_annotator(browser, "bench keys")
    page = context.new_page()
    opened_campaign(page, address, campaign)
    page.wait_for_load_state("networkidle")
    page.evaluate(PROBE)
    for rate in rates:
        press(page, (PATTERN * n)[:n], rate)
        all_saved(page)
    page.wait_for_function("n => window.slimProbe.paints.length >= n", arg=n * len(rates), timeout=TIMEOUT_MS)
    seen: dict[str, Any] = page.evaluate("() => window.slimProbe")
    context.close()
    return seen


def measure_burst(browser: Browser, address: str, store: Store, campaign: Campaign, seconds: float = 10.0) -> int:
    """Answers that are missing, or in another order than pressed, after ten keys a second."""
    context = as_annotator(browser, "bench burst")
    page = context.new_page()
    opened_campaign(page, address, campaign.id)
    page.wait_for_load_state("networkidle")
    keys = (PATTERN * 100)[: int(10 * seconds)]
    press(page, keys, 10)
    all_saved(page)
    context.close()
    asked = [item.row for item in store.campaigns.items(campaign.id)]
    kept = store.answers.frame(campaign.id)
    found = list(zip(kept["row"].tolist(), kept["value"].tolist(), strict=True))
    wanted = [(row, VALUES[key]) for row, key in zip(asked, keys, strict=False)]
    return sum(pair not in found for pair in wanted) + (len(found) != len(wanted)) + (found != wanted)
