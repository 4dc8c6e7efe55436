"""How fast is every page, in a real Chromium, at 2,400 and at 100,000 rows?

    python -m benchmarks.pages --json benchmarks/results/pages.json

The data: 100,000 rows over 240 image files of 64 px, with features of 8 dimensions, where a trained network's have
hundreds (benchmarks.synthetic).

first_paint_s: from opening a page's address until its first real content is painted (not its title: an image, a table,
the numbers of a result). complete_s: until everything on it is there: the script has ended, every chart is drawn and
every image in view is loaded; Train, Curate and Compare are not complete without a chart. Both with the browser's cache
as a visitor's is who was here before: p50 and p95 of the turns (of 20, p95 lies between the two slowest; of fewer it is
near the slowest), and cold: the first turn, which finds a server that has shown the page to nobody; on Overview, the
first page of all, it has read nothing, and the browser has no file yet. annotate_answered: Annotate with a campaign of
which every image is answered, so that it shows none; annotate_open: with one that has open images, until the image to
answer is painted. app_rss_mb: memory of the server afterwards, at 100,000 rows. poll_ms: CPU time of the server a
second, in which a jobs page that follows a training draws its queue once.

compare_200_s: Compare with 200 evaluated models (forty seeds of five methods, all shown: ?runs=all), from opening the
address until the table and a dot for every run and group are drawn and the script is idle; by a server that has read
none of it yet, in a browser that has the program's files already. The median of five such servers, and the slowest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
from playwright.sync_api import Browser, BrowserContext, Page, expect

from benchmarks.browser import SIZE, chromium, opened, resident_mb, settle, visit
from benchmarks.dashboard import Server, server
from benchmarks.paint import APP, Painted, painted
from benchmarks.space import measure_space_100k
from benchmarks.synthetic import Synthetic, make_home
from slim_core.data.groups import Grouping
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.metrics import AIOU, ATTENTION_PRECISION, classification_metrics
from slim_core.runs.trainings import retrain_spec
from slim_core.settings import Settings
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset, Run, Store

# page -> what is there once it is of use
CONTENT: Mapping[str, str] = {
    "overview": "[data-testid=stMetric]",
    "data": ".slim-pictures img",
    "train": "[data-testid=stMetric]",
    "attention": ".slim-gallery img",
    "space": ".slim-space[data-ready=true]",
    "annotate_answered": ".slim-annotator [data-part=rest]",
    "annotate_open": ".slim-annotator[data-ready=true] [data-part=stage] img",
    "curate": "[data-testid=stMetric], [class*=st-key-preview-shown]",  # a press away, of many images
    "compare": "[data-testid=stDataFrame]",
    "jobs": ".st-key-table-runs table tbody tr",
}
CHART = "[data-testid=stPlotlyChart] .main-svg"
DRAWN = ".slim-space[data-drawn]"  # by Plotly, or for good without it
COMPLETE = {
    "train": CHART,
    "space": DRAWN,
    "curate": f"{CHART}, [class*=st-key-preview-shown]",
    "compare": CHART,
}  # page -> what else is there once it is complete
N_OPEN = 1_000  # images of the campaign that is open
DEMO = 2_400  # training images of the demo data set
TIMEOUT_MS = 60_000
POLLED_S = 10
QUIET_AFTER_S = 12
# Of Compare with 200 models: 40 seeds of a reference and of models on four subsets, worst-group accuracy of each.
METHODS = {"slim": 0.9, "random": 0.7, "class-balanced": 0.68, "oracle": 0.92}
N_SEEDS, N_JUDGED, ERM = 40, 1200, 0.62
NAMES = ("0, china", "0, flower", "1, china", "1, flower")
MARKER = "compare-200"
COMPARE_TIMEOUT_MS = 120_000
COMPARE_TURNS = 5


def measure_pages(browser: Browser, dashboard: Server, home: Synthetic, repeats: int) -> list[dict[str, Any]]:
    """First paint of every page, several times."""
    context = browser.new_context(viewport={"width": SIZE[0], "height": SIZE[1]})
    context.add_cookies([{"name": "slim-name", "value": "ann", "url": str(dashboard)}])  # has said who annotates
    measured = []
    for name, address in addresses(str(dashboard), home).items():
        seen = turns(context, address, name, repeats + 1)
        first, complete = [one.content_s for one in seen], [one.complete_s for one in seen]
        about = {"page": name, "rows": home.n, "turns": repeats}
        measured.append({**about, "first_paint_s": spread(first), "complete_s": spread(complete)})
    context.close()
    return measured


def addresses(dashboard: str, home: Synthetic) -> dict[str, str]:
    """Page -> its address on the data set; a campaign that is open is made for the purpose."""
    more = {
        "train": f"&run={home.model}",
        "curate": f"&campaign={home.campaign}",
        "annotate_answered": f"&campaign={home.campaign}",
        "annotate_open": f"&campaign={open_campaign(home)}",
    }
    paths = {name: "" if name == "overview" else name.partition("_")[0] for name in CONTENT}
    return {name: f"{dashboard}/{path}?dataset={home.dataset}{more.get(name, '')}" for name, path in paths.items()}


def open_campaign(home: Synthetic) -> str:
    """A new campaign that nobody has answered yet."""
    store = Store.open(Settings(home=Path(home.home)))
    rows = store.datasets.table(home.dataset).rows("train")[:N_OPEN]
    campaign = store.campaigns.create("Open", home.dataset, home.space, rows, by="benchmark")
    store.close()
    return campaign.id


def spread(seconds: list[float]) -> dict[str, float]:
    """Of the first turn, and the percentiles of the others."""
    p50, p95 = np.percentile(seconds[1:], (50, 95))
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "cold": round(seconds[0], 3)}


def turns(context: BrowserContext, address: str, name: str, n: int) -> list[Painted]:
    """What ``n`` visits of a page saw, each in a new tab."""
    seen = []
    for _ in range(n):
        page = context.new_page()
        seen.append(painted(page, address, CONTENT[name], COMPLETE.get(name, APP)))
        page.close()
    return seen


def measure_poll(browser: Browser, dashboard: Server, home: Synthetic) -> float:
    """Milliseconds of the server's CPU a second, while one viewer's jobs page follows a training."""
    store = Store.open(Settings(home=Path(home.home)))
    spec = {"kind": "train", "dataset": home.dataset, "model": "small-resnet", "epochs": 500, "seed": 99}
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


def compared_home(folder: Path) -> Path:
    """A home with the 200 evaluations in its database; takes what is there already."""
    if (folder / MARKER).exists():
        return folder
    write_demo(folder / "images", DemoConfig(train=40, val=20, test=20))
    store = Store.open(Settings(home=folder))
    dataset = store.datasets.register(import_data(folder / "images", name="compare-200"), by="benchmark")
    for seed in range(N_SEEDS):
        _seed(store, dataset, seed, np.random.default_rng(seed))
    store.close()
    (folder / MARKER).touch()
    return folder


def _seed(store: Store, dataset: Dataset, seed: int, rng: np.random.Generator) -> None:
    """The reference model, its subsets, the models retrained on them, and what was judged."""
    common = {"dataset": dataset.id, "seed": seed}
    trained = {"images": 2400, "images_unique": 2400, "epochs": 20, "best_epoch": 19, "seconds": 40.0, "val": None}
    reference = _done(store, {"kind": "train", **common, "model": "small-resnet"}, "ERM reference", trained)
    look = _done(store, {"kind": "gradcam", **common, "model": reference.id}, "Attention of the reference", {})
    space = _done(store, {"kind": "space", **common, "attention": look.id}, "Attention space", {})
    _judge(store, reference, ERM, rng)
    for method, worst in METHODS.items():
        counts = {"images": 480, "images_unique": 300, "answers": 72 if method == "slim" else 0}
        spec = {"kind": "curate", **common, "space": space.id, "strategy": method, "size": 480}
        subset = _done(store, spec, f"Subset by {method}", counts)
        retraining = retrain_spec(reference, subset, "reference", seed).model_dump(mode="json")
        _judge(store, _done(store, retraining, f"Retrained on {method}", trained | {"images": 480}), worst, rng)


def _judge(store: Store, model: Run, worst: float, rng: np.random.Generator) -> None:
    spec = {"kind": "evaluate", "dataset": model.dataset_id, "seed": model.spec["seed"], "model": model.id}
    _done(store, spec, f"{model.name} on test", _metrics(worst, rng))


def _metrics(worst: float, rng: np.random.Generator) -> dict[str, Any]:
    """Of predictions drawn so that two groups are right nearly always, and two as often as ``worst`` says."""
    group = np.arange(N_JUDGED) % 4
    labels = group // 2
    rates = np.array([0.97, worst + 0.03, worst, 0.98]) + rng.normal(0, 0.02, 4)
    right = rng.random(N_JUDGED) < rates[group]
    probabilities = np.eye(2)[np.where(right, labels, 1 - labels)]
    metrics = classification_metrics(labels, probabilities, Grouping(group, NAMES), np.array([45, 5, 5, 45]))
    return metrics | {AIOU: 0.8 + rng.normal(0, 0.03), ATTENTION_PRECISION: 0.6 + rng.normal(0, 0.05)}


def _done(store: Store, spec: Mapping[str, Any], name: str, metrics: dict[str, Any]) -> Run:
    run, _ = store.runs.submit(parse_spec(dict(spec)), by="benchmark", name=name)
    token = store.attempts.claim(run.id, "synthetic", "cpu", None)
    store.attempts.finish(run.id, token, metrics)
    return store.runs.fetch(run.id)


def measure_compare_200(browser: Browser, folder: Path) -> dict[str, float]:
    """Seconds until table and plots of all 200 runs are drawn; their home is made in ``folder``, or found there."""
    home = compared_home(folder)
    store = Store.open(Settings(home=home))
    dataset = store.datasets.all()[0].id
    store.close()
    with opened(browser) as page:
        with server(home) as dashboard:
            visit(page, address := f"{dashboard}/compare?dataset={dataset}&runs=all")
            all_drawn(page)
        spent = [_by_a_new_server(page, home, address) for _ in range(COMPARE_TURNS)]
    return {"compare_200_s": round(statistics.median(spent), 2), "compare_200_worst_s": round(max(spent), 2)}


def _by_a_new_server(page: Page, home: Path, address: str) -> float:
    """It reads everything anew, where the browser knows its files."""
    page.goto("about:blank")
    with server(home, port=urlsplit(address).port or 0):
        started = time.perf_counter()
        page.goto(address)
        all_drawn(page)
        return time.perf_counter() - started


def all_drawn(page: Page) -> None:
    """Wait for the table, a dot for every run and group, and the end of the script."""
    n_dots = 4 * N_SEEDS * (1 + len(METHODS))
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible(timeout=COMPARE_TIMEOUT_MS)
    script = f"document.querySelector('.js-plotly-plot')?.querySelectorAll('.points path').length >= {n_dots}"
    page.wait_for_function(script, timeout=COMPARE_TIMEOUT_MS, polling=20)
    settle(page)


def main() -> None:
    """Fill the homes where they are not there yet, measure, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file the result is written to")
    parser.add_argument("--images", type=int, default=100_000, help="training images of the large data set")
    parser.add_argument("--repeats", type=int, default=20, help="turns a page, after the cold one")
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
