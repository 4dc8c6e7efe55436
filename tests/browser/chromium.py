"""The Chromium of the tests: that of the benchmarks, for many pages that each live for a second."""

from __future__ import annotations

from contextlib import AbstractContextManager

from playwright.sync_api import Browser

from benchmarks import browser

# Of several such switches Chromium takes the last, so what Playwright turns off is named here once more.
OFF = (
    "ScriptStreaming",  # else what a page of this process has compiled is parsed again beside it: a tenth of a page
    "AvoidCorsURLLoaderRestartOnRedirect",
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "LensOverlay",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
FLAGS = (
    *browser.FLAGS,
    f"--disable-features={','.join(OFF)}",
    "--process-per-site",  # pages of the dashboard share what one of them has compiled: a quarter less computing each
    "--js-flags=--no-maglev --no-turbofan",  # no page lives long enough to gain what optimising its code takes
)


def launched(executable: str) -> AbstractContextManager[Browser]:
    """A headless browser for as long as the block runs."""
    return browser.launched(executable, FLAGS)
