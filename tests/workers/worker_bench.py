"""A bench for the job layer: one home, its data set, and real services on it: Redis, a service, slots, jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from redis import Redis

from slim_core.data.importing import import_data
from slim_core.settings import Settings
from slim_core.store import Dataset, Run, Store
from tests.workers.drills import Drill
from workers.local import EmbeddedServices, redis_url
from workers.queue import Queue

DRILL_WORKERS = (sys.executable, str(Path(__file__).with_name("drill_workers.py")))
TORCH_WORKERS = (*DRILL_WORKERS, "--with-torch")  # for tests of several jobs that compute, not of how they start
ALL_WORKERS = (*DRILL_WORKERS, "--every-step")  # as a user's: with what the light steps import
LOOP_WORKERS = (*ALL_WORKERS, "--with-torch", "--placed-quickly")  # for whole loops that are to be done soon
CONSTANT = "--constant="  # as drill_service.py reads it
PATIENCE_S = 90.0  # of a slow and noisy machine; each wait ends as soon as its condition holds


def until(
    condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S, tell: Callable[[], str] = lambda: ""
) -> None:
    """Wait until something holds; ``tell``: how things are where it does not in time."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain for: {what}\n{tell()}"
        time.sleep(0.02)


class Bench:
    """One home: its settings, store, queue and services, and short ways to use them."""

    def __init__(
        self,
        home: Path,
        images: Path,
        *,
        workers: Sequence[str] = DRILL_WORKERS,
        n_cpu: int = 1,
        constants: Mapping[str, float] | None = None,
        shard_images: int | None = None,
        **settings: object,
    ) -> None:
        """``constants``: what its workers have in place of what follows from the lease, such as stop_grace_s."""
        given = {"lease_s": 20.0, **settings}
        words = [f"{CONSTANT}{name}={value}" for name, value in (constants or {}).items()]
        self.home = home
        self.settings = Settings(home=home, data_roots=(images,), redis_url=None, **given)
        self.store = Store.open(self.settings)
        self.store.runs.shard_images = shard_images or self.store.runs.shard_images
        self.queue = Queue(self.settings, self.store)
        self.dataset: Dataset = self.store.datasets.register(import_data(images, settings=self.settings))
        self.services = EmbeddedServices(self.settings, (*workers, *words, "--embedded", "--cpu", str(n_cpu)))

    def spec(self, **fields: object) -> Drill:
        """A drill whose trace is named after its fields, so that different drills are different runs."""
        kind = fields.pop("drill", Drill)
        trace = self.home / f"trace-{time.monotonic_ns()}.txt"
        return kind(**{"dataset": self.dataset.id, "trace": str(trace), **fields})

    def submit(self, **fields: object) -> Run:
        """A new drill, in the queue."""
        run, created = self.store.runs.submit(self.spec(**fields))
        assert created
        self.queue.submit(run)
        return run

    def fetch(self, run: Run) -> Run:
        """The run as it is now."""
        return self.store.runs.fetch(run.id)

    def await_status(self, run: Run, *statuses: str) -> Run:
        """The run once it has one of these."""
        what = f"{run.id} to be {' or '.join(statuses)}"
        until(lambda: self.fetch(run).status in statuses, what, tell=lambda: self.tell(run))
        return self.fetch(run)

    def await_count(self, run: Run, count: int) -> None:
        """Until the drill has saved so many counts."""
        until(lambda: self.counts(run)[-1:] and self.counts(run)[-1] > count, f"{run.id} to count to {count}")

    def trace(self, run: Run) -> list[tuple[int, str, int]]:
        """(process id, attempt, count) of each count."""
        path = Path(run.spec["trace"])
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), attempt, int(count)) for pid, attempt, count in (line.split() for line in lines)]

    def counts(self, run: Run) -> list[int]:
        """The counts alone."""
        return [count for _, _, count in self.trace(run)]

    def log(self, run: Run) -> str:
        """The run's log so far."""
        path = self.store.artifacts.log(run.id)
        return path.read_text() if path else ""

    def redis(self) -> Redis:
        """A client of the embedded Redis."""
        return Redis.from_url(redis_url(self.settings))

    def family(self) -> list[psutil.Process]:
        """Every process the services consist of."""
        service = psutil.Process(self.services.pid)
        return [service, *service.children(recursive=True)]

    def slot(self, label: str) -> psutil.Process:
        """The worker process of this label that runs now."""

        def found() -> list[int]:
            return [
                each.pid
                for each in self.store.workers.alive()
                if f"-{label}-" in each.id and psutil.pid_exists(each.pid)
            ]

        until(found, f"a worker {label}")
        return psutil.Process(found()[-1])

    def tell(self, run: Run) -> str:
        """What to show when a wait was in vain."""
        service_log = self.services.log_path.read_text()[-3000:] if self.services.log_path.exists() else ""
        return f"{self.fetch(run)}\n{self.log(run)[-2000:]}\n{service_log}"


@contextmanager
def bench_at(home: Path, images: Path, **options: Any) -> Iterator[Bench]:
    """A bench with its services up; afterwards none of their processes is left."""
    bench = Bench(home, images, **options)
    bench.services.start()
    family: list[psutil.Process] = []
    try:
        yield bench
        family = bench.family()
    finally:
        bench.services.stop()
        bench.store.close()
    _, left = psutil.wait_procs(family, timeout=10)  # one that has ended is there until its parent asks for it
    assert not left, left
