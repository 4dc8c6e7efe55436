"""Shards: runs that each do a part of another's work (docs/decisions/0004).

A shard is a run like any other: claimed, renewed, lost and done again by itself. The run it is a part of names all of
them as parents, so it waits for them as for any parent, is claimed once, and merges what they left. Shards are stopped,
retried and deleted with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.database import in_chunks, new_id
from slim_core.store.runs.rows import COLUMNS, Run, hash_of
from slim_core.store.runs.states import PARTLY_DONE, WORKING

_t = schema.runs
WHOLE = sa.func.coalesce(_t.c.shard_of, "") == ""  # no shard; said so that SQLite does not take the index for it
_BRIEF = [_t.c[name] for name in ("id", "shard_of", "status", "progress", "seconds")]


@dataclass(frozen=True)
class ShardTotals:
    """The shards of a run together. The row of the run itself has what the merge took, which is seconds of an hour."""

    seconds: float  # of computing, in all attempts of all
    started_at: datetime | None  # when the first of them began; one that was tried again, its latest attempt
    peak_memory_mb: float | None  # of the largest

    def with_merge(self, run: Run) -> Run:
        """The run with what its shards took, as the one pass it is for people: from its first shard to its end."""
        attempt = max(run.attempt, 0 if self.started_at is None else 1)
        began = self.started_at or run.started_at
        peak = max(filter(None, (self.peak_memory_mb, run.peak_memory_mb)), default=None)
        seconds = run.seconds + self.seconds
        return replace(run, seconds=seconds, started_at=began, attempt=attempt, peak_memory_mb=peak)


def shards_of(connection: Connection, run_id: str, *, lock: bool = False) -> list[Run]:
    """The shards of a run in their order; none for most runs.

    ``lock`` keeps others from changing them until the transaction ends. Take it before the lock on their run: an
    ending shard locks itself first, then the run.
    """
    query = sa.select(*COLUMNS).where(_t.c.shard_of == run_id, _t.c.deleted_at.is_(None)).order_by(_t.c.id)
    found = [Run(**row) for row in connection.execute(query.with_for_update() if lock else query).mappings()]
    return sorted(found, key=lambda run: int(run.spec["shard"]))


def shard_totals(connection: Connection, run_ids: Iterable[str]) -> dict[str, ShardTotals]:
    """Run -> its shards together, of those that have any."""
    sums = (sa.func.sum(_t.c.seconds), sa.func.min(_t.c.started_at), sa.func.max(_t.c.peak_memory_mb))
    query = sa.select(_t.c.shard_of, *sums).where(_t.c.deleted_at.is_(None)).group_by(_t.c.shard_of)
    found: dict[str, ShardTotals] = {}
    for some in in_chunks(run_ids):
        for row in connection.execute(query.where(_t.c.shard_of.in_(some))):
            found[row[0]] = ShardTotals(float(row[1]), row[2], row[3])
    return found


def shard_row(whole: Mapping[str, Any], spec: dict[str, Any], n_images: int) -> dict[str, Any]:
    """The row of a shard: as that of its run, but for the part it does.

    Its spec's hash holds its run, so that the same pass submitted anew never meets the shards of one that failed.
    """
    run_id, spec = str(whole["id"]), spec | {"dataset": whole["dataset_id"]}
    name = f"{whole['name']} ({spec['shard'] + 1} of {spec['shards']})"[:200]
    own = {"id": new_id("r"), "name": name, "spec": spec, "spec_hash": hash_of(spec | {"of": run_id}, "")}
    return {**whole, **own, "shard_of": run_id, "progress": {"done": 0, "total": n_images, "phase": ""}}


def fate(shard: Run, status: str, message: str | None) -> str:
    """What the row of a run says, one of whose shards did not get done."""
    place = f"Shard {shard.spec['shard'] + 1} of {shard.spec['shards']}"
    if status == "canceled":
        return f"{place} was stopped: retry this run, the shards that are done are kept."
    return f"{place} failed. {message or 'See its log.'} A retry of this run does what is missing."


def with_progress(connection: Connection, runs: Sequence[Run]) -> None:
    """Fill in how far the shards of each run are that waits for them, or has stopped doing so.

    ``progress`` becomes done and total (images), phase ("2 of 5 shards"), shards, shards_done, shards_running and
    seconds_left (None where none is running): computed when it is read, so it is right at each moment.
    """
    waiting = {run.id: run for run in runs if run.status in PARTLY_DONE and run.shard_of is None}
    if not waiting:
        return
    query = sa.select(*_BRIEF).where(_t.c.shard_of.in_(_few_or_subquery(waiting)), _t.c.deleted_at.is_(None))
    families: dict[str, list[Any]] = {}
    for row in connection.execute(query):
        families.setdefault(row.shard_of, []).append(row)
    for run_id, family in families.items():
        if run_id in waiting:
            waiting[run_id].progress.clear()
            waiting[run_id].progress.update(summed(family))


def _few_or_subquery(waiting: Iterable[str]) -> Any:
    ids = list(waiting)
    few = len(ids) <= 500  # more would not fit into a statement of some databases
    return ids if few else sa.select(_t.c.id).where(_t.c.status.in_(PARTLY_DONE), _t.c.deleted_at.is_(None))


def summed(shards: Sequence[Any]) -> dict[str, Any]:
    """One progress of many: ``shards`` have status, progress and seconds."""
    done = sum(_images(shard, "done") for shard in shards)
    total = sum(_images(shard, "total") for shard in shards)
    n_done = sum(shard.status == "done" for shard in shards)
    pace = sum(map(_images_per_s, shards))
    return {
        "done": done,
        "total": total,
        "phase": f"{n_done} of {len(shards)} shards",
        "shards": len(shards),
        "shards_done": n_done,
        "shards_running": sum(shard.status in WORKING for shard in shards),
        "seconds_left": round((total - done) / pace, 1) if pace else None,
    }


def _images(shard: Any, which: str) -> int:
    return int(shard.progress.get(which) or 0)


def _images_per_s(shard: Any) -> float:
    """The pace of a running shard, by the time it says is left; 0 where it does not know yet."""
    left = shard.progress.get("seconds_left")
    if shard.status != "running" or not left:
        return 0.0
    return (_images(shard, "total") - _images(shard, "done")) / float(left)
