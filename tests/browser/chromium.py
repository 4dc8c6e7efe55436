"""The Chromium of the tests: that of the benchmarks, for many pages that each live for a second."""

from __future__ import annotations

from contextlib import AbstractContextManager

from playwright.sync_api import Browser

from benchmarks import browser

FLAGS = (
    *browser.FLAGS,
    "--process-per-site",  # pages of the dashboard share what one of them has compiled: a quarter less computing each
    "--js-flags=--no-maglev --no-turbofan",  # no page lives long enough to gain what optimising its code takes
)


def launched(executable: str) -> AbstractContextManager[Browser]:
    """A headless browser for as long as the block runs."""
    return browser.launched(executable, FLAGS)
