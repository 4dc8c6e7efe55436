"""The annotator's modules by themselves, in a real Chromium: real requests and a real localStorage, no dashboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.annotator_modules.annotation import Annotation


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of their own, which stays open: each new one is a process that takes half a second to start."""
    with browser.new_context() as opened:
        yield opened


@pytest.fixture
def annotation(context: BrowserContext) -> Iterator[Annotation]:
    """The modules on a page of their own, in a browser that has stored nothing."""
    made = Annotation(context.new_page())
    made.page.evaluate("localStorage.clear(); sessionStorage.clear()")
    yield made
    made.page.close()
