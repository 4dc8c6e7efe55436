"""What the jobs page shows beside the runs themselves: the order of the queue, who works, and what a run waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from slim_core.formatting import shortened
from slim_core.result_files import MB, free_bytes
from slim_core.store import Pause, Store, Worker
from slim_core.store.runs.queue import Unfinished, Waiting
from slim_core.store.runs.states import UNFINISHED, label_of
from slim_core.store.workers import block_messages, workers_with_blocks
from workers.slots.plan import QUEUES

_START = "start one with `python -m workers`"
_MAKE_ROOM = "free some space on the disk first, for a worker that cannot write has no heartbeat"
_REDIS_FIRST = "none can start while Redis does not answer"
_LITTLE_SPACE = 200 * MB  # bytes
_MOST_LETTERS = 44  # of the name of a run, in the sentence about another


@dataclass(frozen=True)
class QueueView:
    """The queue at one moment. All of it comes from the database: a Redis that is away keeps nobody waiting."""

    waiting: dict[str, list[str]]  # queue -> run ids in the order workers will take them
    workers: list[Worker]  # those whose heartbeat is not older than a minute
    counts: dict[str, int]  # runs by status, without shards
    reasons: dict[str, str] = field(default_factory=dict)  # run id -> what a queued run waits for beside its turn
    pause: Pause | None = None  # no worker takes anything
    warnings: tuple[str, ...] = ()  # what threatens every run or blocks workers: a disk that is nearly full, or full

    def position(self, run_id: str) -> int | None:
        """Place of a run in its queue, from 1; None when it does not wait for a worker."""
        return self._positions.get(run_id)

    def waits_for(self, run_id: str) -> str | None:
        """What a queued run waits for beside its turn, as a sentence: a parent, shards, a worker."""
        return self.reasons.get(run_id)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {run_id: place for ids in self.waiting.values() for place, run_id in enumerate(ids, 1)}


def view_of(store: Store, *, silent: bool = False) -> QueueView:
    """A view of the queue. Few queries, however many runs. ``silent``: Redis does not answer, as is known already."""
    waiting, workers, pause = store.queue.waiting(), workers_with_blocks(store), store.queue.paused()
    warnings = tuple(block_messages(workers)) or _warnings(store.settings.home)
    start = _REDIS_FIRST if silent and not store.settings.embedded else _START  # the embedded one starts with a worker
    remedy = _MAKE_ROOM if warnings and not workers else start
    of_parents = {run_id: _of_parent(parent) for run_id, parent in store.queue.unfinished_parents().items()}
    by_queue = {name: [run.id for run in waiting if run.queue == name] for name in QUEUES}
    return QueueView(
        waiting=by_queue,
        workers=workers,
        counts=store.runs.counts(),
        reasons=of_parents | _of_workers(waiting, workers, remedy, pause),
        pause=pause,
        warnings=warnings,
    )


def _warnings(home: Path) -> tuple[str, ...]:
    """A full disk cannot be reported by the runs it stops: nothing can be written down any more."""
    free = free_bytes(home)
    if free is None or free > _LITTLE_SPACE:
        return ()
    left = f"{free / MB:.0f} MB are left on the disk of {home.resolve()}"
    return (f"{left}: free some space, or runs fail and nothing more can be saved.",)


def _of_parent(parent: Unfinished) -> str:
    if parent.is_shard:
        return "It waits for its shards."
    named = f"{shortened(parent.title, _MOST_LETTERS)} ({parent.id})"
    then = ": retry that one" if parent.status in UNFINISHED else ""
    return f"It waits for {named}, which is {label_of(parent.status)}{then}."


def _of_workers(
    waiting: Sequence[Waiting], workers: Sequence[Worker], remedy: str, pause: Pause | None
) -> dict[str, str]:
    """Runs no living worker takes. Asked once for all runs that are alike. ``remedy``: where there is no worker."""
    if pause:
        return dict.fromkeys(
            [run.id for run in waiting], f"It waits until the queue, paused by {pause.paused_by}, is resumed."
        )
    known: dict[tuple[str, int], str | None] = {}
    for run in waiting:
        alike = (run.queue, run.processes)
        if alike not in known:
            known[alike] = _lacking(run, workers, remedy)
    reasons = {run.id: known[run.queue, run.processes] for run in waiting}
    return {run_id: reason for run_id, reason in reasons.items() if reason}


def _lacking(run: Waiting, workers: Sequence[Worker], remedy: str) -> str | None:
    serving = [worker for worker in workers if worker.serves(run.queue)]
    if not serving:
        return f"It waits for a worker of the queue {run.queue}: {remedy}."
    fitting = [worker for worker in serving if worker.serves(run.queue, run.processes)]
    if fitting and all(worker.blocked for worker in fitting):
        return f"It waits for room: {fitting[0].blocked}"
    if not fitting:
        start = f"start one with `python -m workers --devices {run.processes}`"
        return f"It waits for a worker with {run.processes} devices: {start}."
    return None
