"""How long does the Compare page take with 200 evaluated models: table and plots, in a real Chromium?

    python -m benchmarks.compare_200 --json compare_200.json

Forty seeds of five methods on one data set: 40 reference models, 160 subsets, 200 models, 200 evaluations, all shown
(?runs=all). Timed from opening the address until the table and a dot for every run and group are drawn and the script
is idle; by a server that has read none of it yet, in a browser that has the program's files already, as after a look
at another page. The median of five such servers, and the slowest.
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
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import chromium, opened, settle, visit
from benchmarks.dashboard import server
from slim_core.data.groups import Grouping
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.metrics import AIOU, ATTENTION_PRECISION, classification_metrics
from slim_core.runs.retraining import retrain_spec
from slim_core.settings import Settings
from slim_core.steps.registry import parse_spec
from slim_core.store import Dataset, Run, Store

METHODS = {"slim": 0.9, "random": 0.7, "class-balanced": 0.68, "oracle": 0.92}  # -> worst-group accuracy
N_SEEDS, N_JUDGED, ERM = 40, 1200, 0.62
NAMES = ("0, china", "0, flower", "1, china", "1, flower")
MARKER = "compare-200"
TIMEOUT_MS = 120_000
TURNS = 5


def make_home(folder: Path) -> Path:
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
    token = store.queue.claim(run.id, "synthetic", "cpu", None)
    store.attempts.finish(run.id, token, metrics)
    return store.runs.fetch(run.id)


def measure_compare_200(browser: Browser, folder: Path) -> dict[str, float]:
    """Seconds until table and plots of all 200 runs are drawn; their home is made in ``folder``, or found there."""
    home = make_home(folder)
    store = Store.open(Settings(home=home))
    dataset = store.datasets.all()[0].id
    store.close()
    with opened(browser) as page:
        with server(home) as dashboard:
            visit(page, address := f"{dashboard}/compare?dataset={dataset}&runs=all")
            drawn(page)
        spent = [_by_a_new_server(page, home, address) for _ in range(TURNS)]
    return {"compare_200_s": round(statistics.median(spent), 2), "compare_200_worst_s": round(max(spent), 2)}


def _by_a_new_server(page: Page, home: Path, address: str) -> float:
    """It reads everything anew, where the browser knows its files."""
    page.goto("about:blank")
    with server(home, port=urlsplit(address).port or 0):
        started = time.perf_counter()
        page.goto(address)
        drawn(page)
        return time.perf_counter() - started


def drawn(page: Page) -> None:
    """Wait for the table, a dot for every run and group, and the end of the script."""
    n_dots = 4 * N_SEEDS * (1 + len(METHODS))
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible(timeout=TIMEOUT_MS)
    script = f"document.querySelector('.js-plotly-plot')?.querySelectorAll('.points path').length >= {n_dots}"
    page.wait_for_function(script, timeout=TIMEOUT_MS, polling=20)
    settle(page)


def main() -> None:
    """Make the home, measure, print the number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file the result is written to")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        result = measure_compare_200(browser, Path(folder) / "home")
    if asked.json:
        asked.json.write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
