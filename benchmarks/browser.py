"""The dashboard as its user starts it, and a real Chromium, for the benchmarks that measure pages.

with server(home) as address, chromium() as browser, opened(browser) as page:
    visit(page, f"{address}/jobs")
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks.processes import end, free_port

ROOT = Path(__file__).parents[1]
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
START_TIMEOUT_S = 60
SCRIPT_TIMEOUT_MS = 120_000


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    address: str  # http://127.0.0.1:<port>
    pid: int  # of the process that serves the pages

    def __str__(self) -> str:
        return self.address


@contextmanager
def server(home: Path, port: int = 0, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A dashboard on this SLIM_HOME (with its own Redis and worker), ended with the block.

    ``port`` 0 takes a free one; ``environment`` adds variables, such as SLIM_CPU_WORKERS.
    """
    port = port or free_port()
    home.mkdir(parents=True, exist_ok=True)
    variables = {**os.environ, "SLIM_HOME": str(home), **(environment or {})}
    variables.pop("SLIM_REDIS_URL", None)
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", str(port)]
    with (home / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", process, home)
        yield Server(f"http://127.0.0.1:{port}", process.pid)
    finally:
        end(process)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser for as long as the block runs."""
    executable = next((path for name in NAMES if (path := shutil.which(name))), None)
    if executable is None:
        raise SystemExit("No Chromium on PATH: install it (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


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


def settle(page: Page) -> None:
    """Wait until the script has run to its end."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=SCRIPT_TIMEOUT_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def resident_mb(pid: int) -> float:
    """Memory a process holds now, in MiB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _wait(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the dashboard did not start:\n" + (home / "dashboard.log").read_text()[-3000:])
