"""How fast is every page, in a real Chromium, on the demo data and on a data set of 100,000 images?

    python -m benchmarks.pages --json benchmarks/results/pages.json

first_paint: from opening a page's address until its first real content is painted (not its title: an image, a table,
the numbers of a result), with the browser's cache as a visitor's is who was here before; the 95th percentile of some
turns, the first one, which finds a server that has read nothing, told apart. charts: until the last of the page's
charts is drawn. app_rss_mb: memory of the server afterwards, at 100,000 images. poll_ms: CPU time of the server for
one poll of the jobs page while a training runs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Browser, BrowserContext, expect

from benchmarks.browser import SIZE, Server, chromium, opened, resident_mb, server, settle, visit
from benchmarks.compare_200 import measure_compare_200
from benchmarks.paint import painted
from benchmarks.space import measure_space_100k
from benchmarks.synthetic import Synthetic, make_home
from slim_core.settings import Settings
from slim_core.store import Store

# page -> what is there once it is of use; of Annotate an image, or the word that all are answered
CONTENT: Mapping[str, str] = {
    "overview": "[data-testid=stMetric]",
    "data": ".slim-pictures img",
    "train": "[data-testid=stMetric]",
    "attention": ".slim-gallery img",
    "space": ".slim-space[data-ready=true]",
    "annotate": ".slim-annotator [data-part=stage] img, .slim-annotator [data-part=rest]",
    "curate": "[data-testid=stMetric]",
    "compare": "[data-testid=stDataFrame]",
    "jobs": "table[aria-label=Runs] tbody tr",
}
DEMO = 2_400  # training images of the demo data set
TIMEOUT_MS = 60_000
POLLED_S = 10
QUIET_AFTER_S = 12


def measure_pages(browser: Browser, dashboard: Server, home: Synthetic, repeats: int) -> list[dict[str, Any]]:
    """First paint of every page, several times."""
    context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    context.add_cookies([{"name": "slim-name", "value": "ann", "url": str(dashboard)}])  # has said who annotates
    measured = []
    for name, content in CONTENT.items():
        path = "/" if name == "overview" else f"/{name}"
        of = f"&run={home.model}" if name == "train" else ""
        address = f"{dashboard}{path}?dataset={home.dataset}{of}"
        paints, charts = turns(context, address, content, repeats + 1)
        measured.append(
            {
                "page": name,
                "rows": home.n,
                "first_paint_p95_s": round(float(np.percentile(paints[1:], 95)), 3),
                "first_paint_median_s": round(float(np.median(paints[1:])), 3),
                "first_paint_cold_s": round(paints[0], 3),
                "charts_p95_s": round(float(np.percentile(charts[1:], 95)), 3) if charts else None,
            }
        )
    context.close()
    return measured


def turns(context: BrowserContext, address: str, content: str, n: int) -> tuple[list[float], list[float]]:
    """Seconds to the content, and to the last chart where there are any, of ``n`` visits, each in a new tab."""
    seen = []
    for _ in range(n):
        page = context.new_page()
        seen.append(painted(page, address, content))
        page.close()
    return [one.content_s for one in seen], [one.charts_s for one in seen if one.charts_s is not None]


def measure_poll(browser: Browser, dashboard: Server, home: Synthetic) -> float:
    """Milliseconds of the server's CPU a second, while one viewer's jobs page follows a training."""
    store = Store.open(Settings(home=Path(home.home)))
    spec = {"kind": "train", "dataset": home.dataset, "model": "small-resnet", "epochs": 500, "seed": 99}
    from slim_core.steps.registry import parse_spec

    run, _ = store.runs.submit(parse_spec(spec), by="benchmark", name="Followed")
    try:
        with opened(browser) as page:
            visit(page, f"{dashboard}/jobs")
            expect(page.get_by_role("progressbar").first).to_be_attached(timeout=TIMEOUT_MS)
            settle(page)
            page.wait_for_timeout(1000 * QUIET_AFTER_S)  # images and first news are over
            process = psutil.Process(dashboard.pid)
            before, since = sum(process.cpu_times()[:2]), time.monotonic()
            page.wait_for_timeout(1000 * POLLED_S)
            spent, seconds = sum(process.cpu_times()[:2]) - before, time.monotonic() - since
    finally:
        store.attempts.request_stop(run.id, by="benchmark")
        store.close()
    return round(1000 * spent / seconds, 1)


def main() -> None:
    """Fill the homes where they are not there yet, measure, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file the result is written to")
    parser.add_argument("--images", type=int, default=100_000, help="training images of the large data set")
    parser.add_argument("--repeats", type=int, default=7, help="turns a page")
    parser.add_argument("--homes", type=Path, help="folder the homes are kept in; default: a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        result = measured(browser, asked.homes or Path(folder), asked.images, asked.repeats)
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text + "\n")
    print(text)


def measured(browser: Browser, homes: Path, images: int, repeats: int) -> dict[str, Any]:
    """All numbers of the script."""
    small, large = make_home(homes / "demo", DEMO), make_home(homes / "large", images)
    with server(Path(small.home)) as dashboard:
        pages = measure_pages(browser, dashboard, small, repeats)
        poll_ms = measure_poll(browser, dashboard, small)
    with server(Path(large.home)) as dashboard:
        pages += measure_pages(browser, dashboard, large, repeats)
        space = measure_space_100k(browser, dashboard, large)
        rss_mb = resident_mb(dashboard.pid)
    return {
        "pages": pages,
        "app_rss_mb": round(rss_mb),
        "poll_ms": poll_ms,
        "space_100k": space,
        **measure_compare_200(browser, homes / "compare"),
    }


if __name__ == "__main__":
    main()
