"""When is a page's content painted? Told by the browser's own clock, to the frame, from the start of the navigation.

first = painted(context.new_page(), f"{dashboard}/data", ".slim-pictures img").content_s
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.browser import settle

_WATCH = Path(__file__).with_suffix(".js").read_text()
_COMPLETE = "window.slimPaint.complete !== null && performance.now() / 1000 - window.slimPaint.complete > 0.5"
APP = "[data-testid=stApp]"
TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Painted:
    """Seconds from the start of the navigation."""

    content_s: float  # the first of the awaited elements is in a frame; an image, when it is loaded
    complete_s: float  # all of it is: the script has ended, every chart is drawn, every image in view is loaded


def painted(page: Page, address: str, content: str, complete: str = APP) -> Painted:
    """Open an address in this new page; return when its ``content`` was painted, and when everything was.

    Args:
        content: CSS selectors; the first element of any of them counts.
        complete: CSS selectors of what must be there as well, once everything is.

    Raises:
        TimeoutError: (of Playwright) one of the two was not seen in a minute.
    """
    page.add_init_script(f"({_WATCH.strip()})({content!r}, {complete!r})")
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.slimPaint?.content !== null", timeout=TIMEOUT_MS)
    settle(page)
    page.wait_for_function(_COMPLETE, timeout=TIMEOUT_MS)
    times = page.evaluate("window.slimPaint")
    return Painted(times["content"], times["complete"])
