"""When a waiting run will probably start: the order of the queue, the workers there are, and how long such runs took.

An estimate, not a promise: runs submitted later may go first, and a training with other settings takes another time. A
whole network takes so many seconds an epoch, and may stop early; last layers and registered models are counted apart.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.queue.order import EPOCHS, MODE, Waiting
from slim_core.store.runs.states import WORKING
from slim_core.store.workers import Worker

_RECENT = 300  # finished runs that are looked at: the newest say best how long one takes now
_t = schema.runs
_K = TypeVar("_K")
Key = tuple[str, bool, str | None]  # step, whether it is a shard, data set (None: any)


@dataclass(frozen=True)
class Estimate:
    """When a waiting run probably starts and what it takes, in seconds.

    None where nothing like it has been done yet, or no worker takes it.
    """

    starts_in_s: float | None
    takes_s: float | None


@dataclass(frozen=True)
class Busy:
    """A run under way."""

    kind: str
    dataset_id: str
    shard_of: str | None
    worker: str | None
    started_at: datetime
    mode: str | None  # of a training
    epochs: int | None  # that a training has at most
    seconds_left: float | None  # as it says itself


def step_of(kind: str, mode: str | None) -> str:
    """The kind; of a training the mode, too, unless it is full: a last layer takes seconds, a whole network hours."""
    return kind if kind != "train" or mode in (None, "full") else f"{kind}, {mode}"


def _epochs(step: str, epochs: int | None) -> int:
    """How many epochs a duration covers: of a whole network the seconds of one are known, of another step all."""
    return (epochs or 1) if step == "train" else 1


class Durations:
    """The median seconds of finished runs of a step on a data set; where there is none, of the step on any.

    Those of other data sets are taken for so many images: on a hundred times as many a step takes about a hundred times
    as long. A shard is as large everywhere.
    """

    def __init__(
        self,
        seconds: Mapping[Key, float],
        with_shards: Mapping[tuple[str, str], float] | None = None,
        per_image: Mapping[str, float] | None = None,
        n_images: Mapping[str, int] | None = None,
    ) -> None:
        """``with_shards``: (step, data set) -> median seconds of no shards, with those of their shards; ``per_image``:
        the same of each step by image, on any data set; ``n_images``: of each data set.
        """
        self._seconds, self._with_shards = seconds, with_shards or {}
        self._per_image, self._n_images = per_image or {}, n_images or {}

    def of(self, run: Waiting | Busy) -> float | None:
        """How long a run like this keeps a worker: one that has shards only merges them."""
        step, is_shard = step_of(run.kind, run.mode), run.shard_of is not None
        known = self._seconds.get((step, is_shard, run.dataset_id))
        each = self._elsewhere(step, run.dataset_id, is_shard) if known is None else known
        return None if each is None else each * _epochs(step, run.epochs)

    def of_step(self, step: str, dataset_id: str) -> float | None:
        """How long a step takes on this data set, with its shards; an epoch of it, where it trains a whole network."""
        known = self._with_shards.get((step, dataset_id))
        return self._elsewhere(step, dataset_id, is_shard=False) if known is None else known

    def _elsewhere(self, step: str, dataset_id: str, is_shard: bool) -> float | None:
        if not is_shard and step in self._per_image and dataset_id in self._n_images:
            return self._per_image[step] * self._n_images[dataset_id]
        return self._seconds.get((step, is_shard, None))


def durations(connection: Connection) -> Durations:
    """From the newest finished runs: one query along an index, however many there are, and one of the data sets."""
    sizes = sa.select(schema.datasets.c.id, schema.datasets.c.n_images)
    n_images = {dataset: max(1, n) for dataset, n in connection.execute(sizes)}
    columns = (_t.c[name] for name in ("id", "kind", "shard_of", "dataset_id", "seconds", "worker"))
    query = sa.select(*columns, MODE.label("mode"), EPOCHS.label("epochs"))
    query = query.where(_t.c.status == "done", _t.c.deleted_at.is_(None))
    rows = connection.execute(query.order_by(_t.c.created_at.desc()).limit(_RECENT)).all()
    of_shards = _of_shards(rows)
    taken: dict[Key, list[float]] = {}
    with_shards: dict[tuple[str, str], list[float]] = {}
    per_image: dict[str, list[float]] = {}
    for row in rows:
        step = step_of(row.kind, row.mode)
        epochs = _epochs(step, row.epochs)
        for each in (row.dataset_id, None):
            taken.setdefault((step, row.shard_of is not None, each), []).append(row.seconds / epochs)
        if row.shard_of is None:
            step_s = (row.seconds + of_shards.get(row.id, 0.0)) / epochs
            with_shards.setdefault((step, row.dataset_id), []).append(step_s)
            if row.dataset_id in n_images:
                per_image.setdefault(step, []).append(step_s / n_images[row.dataset_id])
    return Durations(_medians(taken), _medians(with_shards), _medians(per_image), n_images)


def _of_shards(rows: Iterable[Any]) -> dict[str, float]:
    """Run -> seconds that its shards took, on as many workers as took them."""
    seconds: dict[str, float] = defaultdict(float)
    workers: dict[str, set[str | None]] = defaultdict(set)
    for row in rows:
        if row.shard_of is not None:
            seconds[row.shard_of] += row.seconds
            workers[row.shard_of].add(row.worker)
    return {run: total / len(workers[run]) for run, total in seconds.items()}


def _medians(taken: Mapping[_K, Sequence[float]]) -> dict[_K, float]:
    return {key: median(seconds) for key, seconds in taken.items()}


def busy(connection: Connection) -> list[Busy]:
    """The runs under way."""
    columns = (_t.c.kind, _t.c.dataset_id, _t.c.shard_of, _t.c.worker, _t.c.started_at, MODE, EPOCHS, _t.c.progress)
    query = sa.select(*columns).where(_t.c.status.in_(WORKING), _t.c.deleted_at.is_(None))
    return [Busy(*row[:-1], _seconds_left(row.progress)) for row in connection.execute(query)]


def estimates(
    waiting: Sequence[Waiting], workers: Iterable[Worker], under_way: Iterable[Busy], known: Durations, now: datetime
) -> dict[str, Estimate]:
    """Run id -> its estimate, by playing the queue through: each run goes to the worker that is free first."""
    play = _Play(workers, {each.worker: _left(each, known, now) for each in under_way})
    return {run.id: play.take(run, known.of(run)) for run in waiting}


class _Play:
    """The workers, and when each will be free."""

    def __init__(self, workers: Iterable[Worker], left: Mapping[str | None, float]) -> None:
        self._workers = {worker.id: worker for worker in workers}
        self._free = [(left.get(name, 0.0), name) for name in self._workers]
        heapq.heapify(self._free)

    def take(self, run: Waiting, takes_s: float | None) -> Estimate:
        """Give a run to the first worker that may take it."""
        passed: list[tuple[float, str]] = []
        starts_in_s = math.inf
        while self._free:
            free_in_s, name = heapq.heappop(self._free)
            if self._workers[name].serves(run.queue, run.device_asked):
                starts_in_s = free_in_s
                passed.append((free_in_s + (math.inf if takes_s is None else takes_s), name))
                break
            passed.append((free_in_s, name))
        for each in passed:
            heapq.heappush(self._free, each)
        return Estimate(None if math.isinf(starts_in_s) else round(starts_in_s, 1), takes_s)


def _left(run: Busy, known: Durations, now: datetime) -> float:
    if run.seconds_left is not None:
        return run.seconds_left
    takes_s = known.of(run)
    if takes_s is None:
        return math.inf
    return max(0.0, takes_s - (now - run.started_at).total_seconds())


def _seconds_left(progress: Mapping[str, Any]) -> float | None:
    left = progress.get("seconds_left")
    return None if left is None else float(left)
