"""When is a page's content painted? Told by the browser's own clock, to the frame, from the start of the navigation.

first = painted(context.new_page(), f"{dashboard}/data", ".slim-pictures img").content_s
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.browser import settle

_WATCH = Path(__file__).with_suffix(".js").read_text()
_DRAWN = """() => {
  const charts = [...document.querySelectorAll("[data-testid=stPlotlyChart]")];
  const coming = document.querySelector("[data-testid=stSkeleton]");
  return !coming && charts.every((chart) => chart.querySelector(".main-svg"));
}"""
TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Painted:
    """Seconds from the start of the navigation."""

    content_s: float  # the first of the awaited elements is in a frame; an image, when it is loaded
    charts_s: float | None  # the last of the page's charts is drawn; None without any


def painted(page: Page, address: str, content: str) -> Painted:
    """Open an address in this new page; return when its ``content`` (CSS selectors) and its charts were painted.

    Raises:
        TimeoutError: (of Playwright) no element of ``content`` was seen in a minute.
    """
    page.add_init_script(f"({_WATCH.strip()})({content!r})")
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.slimPaint?.content !== null", timeout=TIMEOUT_MS)
    settle(page)
    page.wait_for_function(_DRAWN, timeout=TIMEOUT_MS)
    times = page.evaluate("window.slimPaint")
    return Painted(times["content"], times["charts"])
