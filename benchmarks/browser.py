"""A real Chromium, started the same way by benchmarks, tests and screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = (1440, 900)
SCRIPT_TIMEOUT_MS = 120_000


def find() -> str | None:
    """The path of an installed Chromium, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched(executable: str, flags: Sequence[str] = FLAGS) -> Iterator[Browser]:
    """A headless browser for as long as the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(flags))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser for as long as the block runs."""
    executable = find()
    if executable is None:
        raise SystemExit("No Chromium on PATH: install it (Debian: apt-get install chromium).")
    with launched(executable) as browser:
        yield browser


@contextmanager
def opened(browser: Browser, size: tuple[int, int] = SIZE) -> Iterator[Page]:
    """A page with an empty cache and no cookies."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    try:
        yield context.new_page()
    finally:
        context.close()


def visit(page: Page, url: str) -> None:
    """Open an address and wait until the page's script has run to its end; no exception box may be on it."""
    page.goto(url)
    expect(page.get_by_role("heading", level=1).first).to_be_visible(timeout=SCRIPT_TIMEOUT_MS)
    settle(page)


# An expander slides open: a press on what it holds would miss.
STILL = """() => document.getAnimations().every(({ effect, playState }) =>
  playState !== "running" || effect.target?.tagName !== "DETAILS")"""


def settle(page: Page) -> None:
    """Wait until the script has run to its end, and no expander is on its way."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=SCRIPT_TIMEOUT_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page.wait_for_function(STILL)


def resident_mb(pid: int) -> float:
    """Memory a process holds now, in MiB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
