"""How soon does a job start, what does the job layer cost, and how soon does a full jobs page stand there?

    python -m benchmarks.jobs --json benchmarks/results/jobs.json

Real Redis, real workers and a real browser, on a small demo data set in a home of its own.

submit_to_running_idle_s: from the moment before a run is submitted, p50 and p95. The worker is online, has imported
what the light steps need, and has been idle for 1.5 s: a best case, without a queue or a start of the worker. light:
until the run's row says running, for curation, which needs no torch. torch: until the process of the job has imported
the step's code and torch, for an evaluation (when it writes down its spec, which it does next). run_overhead: wall time
of a whole training by the job layer in this process (submit, claim, lease, progress, log, a checkpoint an epoch,
set-up, its files, publishing) against the bare ``training.loop.train`` with as many epochs, which keeps nothing; turn
by turn. ratio_p50: the median of the paired ratios, less 1, which a longer training makes smaller; added_s_p50: the
median of the paired differences. jobs_page_10k_s: with 10,000 finished runs, from following a link to the table of runs
being visible, in a new tab of a browser that has been there before; jobs_page_10k_first_s: in one that has not, and
must fetch the dashboard's code.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.browser import chromium, opened
from benchmarks.dashboard import server
from benchmarks.paint import painted
from slim_core import result_files
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.steps.specs import CurateSpec, EvaluateSpec, GradcamSpec, SpaceSpec, Spec, TrainSpec, parse_spec
from slim_core.store import Run, Store, schema
from slim_core.store.database import new_id
from workers.local import EmbeddedServices
from workers.queue import Queue

PATIENCE_S = 180.0
KINDS = ("train", "gradcam", "space", "curate", "evaluate")
FIRST_ROW = ".st-key-table-runs table tbody tr:first-child"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help="runs submitted of each sort")
    parser.add_argument("--pairs", type=int, default=7, help="trainings with and without the job layer")
    parser.add_argument("--runs", type=int, default=10_000, help="finished runs behind the jobs page")
    parser.add_argument("--quick", action="store_true", help="a fast pass: few repeats, 1,000 runs")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    repeats, pairs, n_runs = (3, 2, 1000) if args.quick else (args.repeats, args.pairs, args.runs)
    with tempfile.TemporaryDirectory() as folder:
        home, dataset = prepare(Path(folder))
        result = {
            "submit_to_running_idle_s": submit_to_running(home, repeats),
            "run_overhead": run_overhead(home, dataset, pairs),
            **jobs_page(home, n_runs),
        }
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


def prepare(folder: Path) -> tuple[Path, str]:
    """A home in which one run of each kind is done; its path, and the id of its data set."""
    write_demo(folder / "demo", DemoConfig(train=1200, val=60, test=60))
    store = Store.open(Settings(home=folder / "home"))
    dataset = store.datasets.register(import_data(folder / "demo")).id
    bench = Workbench(store, InProcess(store, device="cpu"))
    model = bench.run(TrainSpec(dataset=dataset, model="small-resnet", epochs=2))
    attention = bench.run(GradcamSpec(dataset=dataset, model=model.id))
    space = bench.run(SpaceSpec(dataset=dataset, attention=attention.id))
    bench.run(CurateSpec(dataset=dataset, space=space.id, strategy="random", size=100))
    bench.run(EvaluateSpec(dataset=dataset, model=model.id))
    store.close()
    return folder / "home", dataset


def submit_to_running(home: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Seconds from submission to work, of ``repeats`` runs of each sort, one after another on idle workers."""
    settings = Settings(home=home)
    store = Store.open(settings)
    queue = Queue(settings, store)
    with EmbeddedServices(settings):
        until(lambda: len(store.workers.alive()) == 2, "both workers")
        light = [started_after(store, queue, again(store, "curate", seed)) for seed in range(1, repeats + 1)]
        torch = [ready_after(store, queue, again(store, "evaluate", seed)) for seed in range(1, repeats + 1)]
    store.close()
    return {"light": spread(light), "torch": spread(torch)}


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile (between the two nearest), and of how many."""
    p50, p95 = np.percentile(seconds, (50, 95))
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4), "n": len(seconds)}


def again(store: Store, kind: str, seed: int) -> Spec:
    """The spec of the first run of a kind, with another seed."""
    return parse_spec({**store.runs.all(kind=kind)[-1].spec, "seed": seed})


def started_after(store: Store, queue: Queue, spec: Spec) -> float:
    """Seconds until its row said running, by the database's clock, which is this machine's."""
    submitted, run = datetime.now(UTC), done(store, queue, spec)
    assert run.started_at is not None
    return (run.started_at - submitted).total_seconds()


def ready_after(store: Store, queue: Queue, spec: Spec) -> float:
    """Seconds until the process of the job had imported torch: it then writes spec.json, whose time stays."""
    submitted, run = time.time(), done(store, queue, spec)
    return (store.artifacts.folder(run.id) / result_files.SPEC).stat().st_mtime - submitted


def done(store: Store, queue: Queue, spec: Spec) -> Run:
    """Submit a run as the dashboard does, and wait until it is done and its worker is idle again."""
    run, created = store.runs.submit(spec)
    assert created
    queue.submit(run)
    until(lambda: store.runs.fetch(run.id).ended, f"{run.id} to end")
    run = store.runs.fetch(run.id)
    assert run.status == "done", run.message
    time.sleep(1.5)  # the worker's own clearing up after a job is no part of the next one's start
    return run


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {PATIENCE_S:.0f} s in vain for {what}")
        time.sleep(0.02)


def run_overhead(home: Path, dataset: str, pairs: int, epochs: int = 6) -> dict[str, float]:
    """How much longer a whole training takes inside the job layer: as a share, and in seconds."""
    store = Store.open(Settings(home=home))
    seconds = []  # (inside, bare) a turn
    for turn in range(pairs):
        spec = TrainSpec(dataset=dataset, model="small-resnet", epochs=epochs, seed=1000 + turn)
        if turn % 2:
            seconds.append((inside(store, spec), bare(store, spec)))
        else:
            seconds.append((bare(store, spec), inside(store, spec))[::-1])
    store.close()
    return {
        "ratio_p50": round(median(ours / plain for ours, plain in seconds) - 1, 4),
        "added_s_p50": round(median(ours - plain for ours, plain in seconds), 3),
        "bare_s_p50": round(median(plain for _, plain in seconds), 3),
        "epochs": epochs,
        "pairs": pairs,
    }


def inside(store: Store, spec: TrainSpec) -> float:
    """Wall seconds of a run from its submission until it is published."""
    started = time.perf_counter()
    run = Workbench(store, InProcess(store, device="cpu")).run(spec)
    seconds = time.perf_counter() - started
    assert run.status == "done"
    return seconds


def bare(store: Store, spec: TrainSpec) -> float:
    """Wall seconds of the same training without store, lease, progress, log, checkpoints and files."""
    from slim_core.data.groups import grouping
    from slim_core.models.build import build
    from slim_core.training.config import TrainData
    from slim_core.training.loop import train

    started = time.perf_counter()
    table = store.datasets.table(spec.dataset)
    model = build(spec.model, table.n_classes, weights="none", seed=spec.seed)
    train(model, TrainData(table, table.rows("train"), table.rows("val"), grouping(table)), spec)
    return time.perf_counter() - started


def jobs_page(home: Path, n_runs: int) -> dict[str, float]:
    """Seconds until the table of runs is visible, with so many of them: the median of five visits."""
    multiply(home, n_runs)
    with server(home) as dashboard, chromium() as browser:
        url = f"{dashboard}/jobs"
        first = []
        for _ in range(5):
            with opened(browser) as page:
                first.append(painted(page, url, FIRST_ROW).content_s)
        with opened(browser) as page:
            page.goto(url)
            page.locator(FIRST_ROW).wait_for()
            again = []
            for _ in range(5):
                tab = page.context.new_page()
                again.append(painted(tab, url, FIRST_ROW).content_s)
                tab.close()
    return {"jobs_page_10k_s": round(median(again), 3), "jobs_page_10k_first_s": round(median(first), 3)}


def multiply(home: Path, n_runs: int) -> None:
    """Fill a home with finished runs whose specs and metrics are copies of those it has."""
    store = Store.open(Settings(home=home))
    models = [
        store.runs.all(kind=kind, status="done")[-1] for kind in ("train", "gradcam", "space", "curate", "evaluate")
    ]
    now, rows = datetime.now(UTC), []
    for n in range(n_runs):
        model = models[n % len(models)]
        row = {name: getattr(model, name) for name in Run.__dataclass_fields__}
        made = now - timedelta(minutes=10 * n)
        times = {"created_at": made, "queued_at": made, "started_at": made, "finished_at": made}
        row |= {"id": new_id("r"), "name": f"{model.name}, {n}", "spec_hash": f"copy-{n}", **times}
        rows.append({**row, "created_by": ("ada", "grace", "local")[n % 3]})
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), rows)
    store.close()


if __name__ == "__main__":
    main()
