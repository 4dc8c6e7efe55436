"""Does it survive? The whole loop on demo data while its processes are killed with -9, at random, many times.

    python -m benchmarks.chaos --kills 100 --seed 0 --json benchmarks/results/chaos.json
    python -m benchmarks.chaos --postgres --json benchmarks/results/chaos-postgres.json

A real dashboard with its embedded Redis and workers runs one loop after another (train, attention, space, campaign,
answers over HTTP, curate, retrain, evaluate) until so many processes have been killed: jobs, workers, the worker
service, Redis, the dashboard; Redis is also frozen for some seconds, and with --postgres the database, a server of its
own, cut off. A killed dashboard is started again, as its user would do; a run that was lost more often
than the two times it goes on by itself is retried, as its user would do. Then the same loops run undisturbed in a home
of their own, and every number of every run must be equal.

stuck: runs that are not done in the end. doubled: runs on which two living processes were seen at work at once (both
hold its log open). answers_lost: answers the dashboard had acknowledged, or that were sent again until it did, and that
are not in the database exactly once. left: processes that outlive the dashboard.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.disturbance import Annotator, Killer, Operator, Watch
from benchmarks.postgres import Cluster
from slim_core.data.importing import import_data
from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.errors import ConflictError, QueueUnavailableError, SlimError
from slim_core.models.inference import open_device
from slim_core.runs.executor import InProcess, Workbench
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import Loop
from slim_core.settings import Settings
from slim_core.store import Run, Store
from slim_core.store.database import StoreUnavailableError
from workers.queue import Queue

log = logging.getLogger("chaos")
T = TypeVar("T")

PATIENCE_S = 1800.0  # for one run to be done: on a busy machine the first may live through every kill
ANSWERED_S = 20.0  # what went on for so long has met a database that answered
SHORT = {"epochs": 6, "batch_size": 32}
_NUMBERS = 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the kills, and of the first loop")
    parser.add_argument("--pause", type=float, default=4.0, help="mean seconds between two kills")
    parser.add_argument("--images", type=int, default=300, help="training images of the demo data")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own, cut off at times")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with tempfile.TemporaryDirectory() as folder, Cluster() if args.postgres else nullcontext() as database:
        result = chaos(
            Path(folder), kills=args.kills, seed=args.seed, pause_s=args.pause, images=args.images, database=database
        )
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


def chaos(
    folder: Path,
    *,
    kills: int,
    seed: int,
    pause_s: float = 4.0,
    images: int = 300,
    database: Cluster | None = None,
) -> dict[str, Any]:
    """Run loops in ``folder`` until ``kills`` processes have been struck; what came of it.

    ``database``: a server of its own for the runs, which is struck too; None: SQLite.
    """
    write_demo(folder / "demo", DemoConfig(train=images, val=60, test=60))
    settings = _settings(folder / "disturbed", folder, database)
    store = Store.open(settings)
    with Operator(settings) as operator, Watch(operator) as watch, Annotator(store, operator, seed) as annotator:
        killer = Killer(operator, kills=kills, seed=seed, pause_s=pause_s, database=database)
        with killer:
            metrics = [_loop(store, folder / "demo", seed, annotator)]
            while not killer.done.is_set():
                metrics.append(_loop(store, folder / "demo", seed + len(metrics), annotator))
        annotator.finish()
        doubled = watch.doubled
    undisturbed = Store.open(_settings(folder / "undisturbed", folder))
    expected = [_quiet_loop(undisturbed, folder / "demo", seed + k) for k in range(len(metrics))]
    runs = store.runs.all()
    different = differences(metrics, expected)
    for each in different[:20]:
        log.warning("%s", each)
    return {
        "database": "sqlite" if database is None else "postgresql",
        "kills": len(killer.killed),
        "killed": killer.counts(),
        "loops": len(metrics),
        "runs": len(runs),
        "attempts": sum(run.attempt for run in runs),
        "retried_by_hand": _events(store, "run.retried"),
        "stuck": [run.id for run in runs if run.status != "done"],
        "doubled": sorted(doubled),
        "answers": annotator.n_sent,
        "answers_lost": annotator.lost(),
        "metrics_equal": not different,
        "left": operator.left(),
    }


def _settings(home: Path, folder: Path, database: Cluster | None = None) -> Settings:
    """One thread, so that numbers do not depend on the cores; short leases, so that a loss is noticed soon."""
    return Settings(
        home=home, data_roots=(folder,), redis_url=None, lease_s=8.0, threads=1,
        database_url=None if database is None else database.url(),
    )  # fmt: skip


def _loop(store: Store, images: Path, seed: int, annotator: Annotator) -> dict[str, Any]:
    """One loop through the queue; step -> its metrics. Asked for again where the database was away: it goes on."""
    at = Workbench(store, Patient(store))
    return _patiently(lambda: _metrics(at, images, seed, lambda campaign: annotator.answer(campaign.id)))


def _patiently(do: Callable[[], T]) -> T:
    """Done again until the database answers, as a person does who reads that it does not.

    What lasts long meets several such times: the patience is for each of them.
    """
    away_since = math.inf
    while True:
        began = time.monotonic()
        try:
            return do()
        except StoreUnavailableError as error:
            now = time.monotonic()
            away_since = min(away_since, now) if now - began < ANSWERED_S else now
            if now - away_since > PATIENCE_S:
                raise
            log.info("%s", error)
            time.sleep(0.5)


def _quiet_loop(store: Store, images: Path, seed: int) -> dict[str, Any]:
    """The same loop in this process, where nothing disturbs it."""
    open_device("cpu")
    quiet = Annotator(store, None, seed)
    at = Workbench(store, InProcess(store, device="cpu"))
    return _metrics(at, images, seed, lambda campaign: quiet.answer(campaign.id))


def _metrics(at: Workbench, images: Path, seed: int, annotate: Any) -> dict[str, Any]:
    dataset = at.store.datasets.register(import_data(images, settings=at.store.settings))
    loop = Loop(at, LoopConfig(dataset=dataset.id, seed=seed, train=SHORT), annotate=annotate)
    outcome = loop.outcome("slim")
    runs = {"space": loop.space, "subset": outcome.subset, "model": outcome.model, "test": outcome.evaluation}
    runs |= {"reference": loop.reference, "attention": loop.attention}
    log.info("loop %d: %s", seed, ", ".join(f"{name} {run.id}" for name, run in runs.items()))
    return {name: at.store.runs.fetch(run.id).metrics for name, run in runs.items()}


class Patient:
    """A submitter that behaves as a user does who wants to see the end of it."""

    by = "chaos"

    def __init__(self, store: Store) -> None:
        self.store, self.queue = store, Queue(store.settings, store)

    def submit(self, spec: Any, **options: Any) -> Run:
        """Queue it, once the database answers; while Redis is away it is saved and goes in by itself."""
        run, created = _patiently(lambda: self.store.runs.submit(spec, by=self.by, **options))
        if created:
            try:
                self.queue.submit(run)
            except QueueUnavailableError as error:
                log.info("%s", error)
        return run

    def wait(self, run: Run) -> Run:
        """The run once it is done; retried where it has failed because it was killed too often."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            run = _patiently(partial(self._seen_to, run.id))
            if run.status == "done":
                return run
            time.sleep(0.05)
        raise SlimError(f"Run {run.id} is stuck: {run.status}, {run.message}")

    def _seen_to(self, run_id: str) -> Run:
        """The run as it is now. Whoever asks anew for one that failed gets another, and leaves this one failed."""
        run = self.store.runs.fetch(run_id)
        if run.ended and run.status != "done":
            self._retry(run)
        return run

    def _retry(self, run: Run) -> None:
        log.info("retry %s %s: %s", run.kind, run.id, run.message)
        if "vanished" not in (run.message or ""):
            raise SlimError(f"Run {run.id} has {run.status} for another reason than a kill: {run.message}")
        try:
            self.queue.retry(run.id, by="chaos")
        except (QueueUnavailableError, ConflictError) as error:
            log.info("%s", error)


def _events(store: Store, what: str) -> int:
    return sum(event.what == what for event in store.events.recent(1_000_000))


def differences(one: object, other: object, at: str = "") -> list[str]:
    """Where two results differ: texts must be equal, numbers to 1e-6; times are left out."""
    if isinstance(one, dict) and isinstance(other, dict):
        mine, yours = _compared(one), _compared(other)
        return [d for key in mine | yours for d in differences(mine.get(key), yours.get(key), f"{at}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for i, both in enumerate(zip(one, other, strict=True)) for d in differences(*both, f"{at}[{i}]")]
    if isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=0, abs_tol=_NUMBERS):
        return []
    return [] if one == other else [f"{at}: {one} is {other} undisturbed"]


def _compared(metrics: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metrics.items() if not key.endswith(("seconds", "_s", "_per_s", "_mb"))}


if __name__ == "__main__":
    main()
