"""A run as a row of the database: what it can be, how rows are read inside a transaction, and runs in shards.

A shard is a run like any other: claimed, renewed, lost and done again by itself. The run it is a part of names all of
them as parents, so it waits for them as for any parent, is claimed once, and merges what they left. Shards are stopped,
retried and deleted with it (docs/decisions/0004).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import NotFoundError
from slim_core.store import schema
from slim_core.store.database import in_chunks, new_id

WORKING = ("running", "stopping")  # a worker has it
ACTIVE = ("queued", *WORKING)  # something may still happen to it by itself
UNFINISHED = ("failed", "canceled")  # it ended without a result, and may be retried
ENDED = ("done", *UNFINISHED)
STOPPABLE = ("queued", "running")  # it can still be asked to stop
PARTLY_DONE = ("queued", *UNFINISHED)  # what a run is while only some of its shards are done
CAN_BE_PARENT = ("queued", "running", "done")  # a new run may be made from it


def label_of(status: str) -> str:
    """A status as people read it."""
    return "stopped" if status == "canceled" else status


TITLES = {
    "train": "Training",
    "gradcam": "Attention maps",
    "preview": "Preview of attention",
    "space": "Attention space",
    "candidates": "Candidates",
    "curate": "Subset",
    "evaluate": "Evaluation",
}
PASSES = ("gradcam",)  # features of each image: a space is built of them, a last layer fitted on them
WITH_MAPS = ("gradcam", "evaluate")  # attention maps of each image of a split, unless it was asked for none


def title_of(kind: str) -> str:
    """What people call a run of this kind: "Attention maps"; the kind itself where none is written here."""
    return TITLES.get(kind, kind)


RESTS_ON = ("subset", "reference", "model", "attention", "space")  # roles of a parent: the first there is, is named
MOST_NAMED = 80  # characters of that parent's name
TOLD_BY = ("strategy", "split")  # fields that are in the name as they are


def default_name(spec: Mapping[str, Any], dataset: str, rests_on: str | None) -> str:
    """ "Training on digits: small-resnet, seed 1", or "Attention space on digits: small-resnet, seed 1, train".

    ``spec``: as a run keeps it; ``dataset``: its name; ``rests_on``: the name of the run it reads, if it reads one.
    """
    facts = [_described(rests_on)] if rests_on else []
    if spec["kind"] == "train" and not facts:
        facts.append(spec["model"].rpartition(":")[2])  # of a network of one's own without its module
    facts += [str(spec[field]) for field in TOLD_BY if spec.get(field)]
    seed = f"seed {spec['seed']}"
    if (spec["kind"] == "train" or spec["seed"]) and not any(seed in fact.split(", ") for fact in facts):
        facts.append(seed)
    of = f": {', '.join(facts)}" if facts else ""
    return f"{title_of(spec['kind'])} on {dataset}{of}"


def is_default(name: str, kind: str) -> bool:
    """Whether a run of this kind has a name that nobody gave it: with other fields it would have another one.

    A name that somebody gave lacks the facts behind a colon.
    """
    return name.startswith(f"{title_of(kind)} on ") and ": " in name


def _described(name: str) -> str:
    """What tells the run of this name from others: of a default name what follows its step and data set."""
    _, colon, facts = name.partition(": ")
    found = facts if colon and any(is_default(name, kind) for kind in TITLES) else name
    return found if len(found) <= MOST_NAMED else f"{found[: MOST_NAMED - 1]}…"


Status = Literal["queued", "running", "stopping", "done", "failed", "canceled"]
_t = schema.runs


@dataclass(frozen=True)
class Run:
    """One row. ``seconds`` adds up all attempts; ``metrics`` is None until it is done (or where a list left it out)."""

    id: str
    kind: str
    name: str
    status: Status
    spec: dict[str, Any]
    dataset_id: str
    created_by: str
    created_at: datetime
    queue: str = "cpu"
    priority: int = 0  # higher goes first
    campaign_id: str | None = None
    attempt: int = 0  # claims so far
    losses: int = 0  # attempts whose worker vanished
    progress: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] | None = None
    message: str | None = None
    worker: str | None = None
    device: str | None = None
    shard_of: str | None = None  # the run whose work this one does a part of
    ended_with: str | None = None  # the run it waited for, where it ended only because that one did
    queued_at: datetime | None = None
    started_at: datetime | None = None  # of the latest attempt
    finished_at: datetime | None = None
    lease_until: datetime | None = None
    progress_at: datetime | None = None  # when ``progress`` last changed
    seconds: float = 0.0
    peak_memory_mb: float | None = None
    code_version: str | None = None
    forced: bool = False  # asked for although it may be there already: nothing is taken over from an earlier run

    @property
    def ended(self) -> bool:
        """True where nothing more will happen by itself."""
        return self.status in ENDED

    @property
    def processes(self) -> int:
        """How many share the run: only a worker with as many devices takes it."""
        return int(self.spec.get("processes", 1))

    def nearest(self, roles: Iterable[str]) -> str | None:
        """The id of its parent in the first of these roles that has one."""
        return next((str(self.spec[role]) for role in roles if self.spec.get(role)), None)

    @property
    def passed_s(self) -> float | None:
        """Seconds from its start to its end; None where it has not begun or not ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(0.0, (self.finished_at - self.started_at).total_seconds())

    @property
    def shown_status(self) -> Status:
        """As people read it: while shards of a run are under way it is running, although it waits for all of them."""
        return "running" if self.status == "queued" and self.progress.get("shards_running") else self.status


COLUMNS: list[sa.Column[Any]] = [_t.c[name] for name in Run.__dataclass_fields__]
WITHOUT_METRICS = [column for column in COLUMNS if column.name != "metrics"]


def hash_of(spec: Mapping[str, Any], fingerprint: str) -> str:
    """What makes two submissions the same run: the canonical spec and the data set's content.

    Parents are inputs too: the spec names them by id, and what a run id left behind never changes.
    """
    inputs = {"spec": {**spec, "dataset": fingerprint}}
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find_run(connection: Connection, run_id: str, *, lock: bool = False) -> Run | None:
    """The run of this id, if there is one and it was not deleted; ``lock`` keeps others from changing it."""
    query = sa.select(*COLUMNS).where(_t.c.id == run_id, _t.c.deleted_at.is_(None))
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else Run(**row)


def fetch_run(connection: Connection, run_id: str) -> Run:
    """The run of this id.

    Raises:
        NotFoundError: it does not exist, or was deleted.
    """
    run = find_run(connection, run_id)
    if run is not None:
        return run
    raise no_run(connection, run_id)


def no_run(connection: Connection, run_id: str) -> NotFoundError:
    """That there is no run of this id, or that it was deleted, and when."""
    listed = f"There is no run {run_id}: the Jobs page and `slim runs` list those that exist."
    return NotFoundError(removal_of(connection, run_id) or listed)


def removal_of(connection: Connection, run_id: str) -> str | None:
    """That a run was deleted, or removed with its data set, and when, in a sentence; None where it is there, or never
    was.
    """
    datasets = schema.datasets
    query = sa.select(_t.c.deleted_at, datasets.c.name, datasets.c.deleted_at.label("data_gone"))
    of_run = query.join(datasets, datasets.c.id == _t.c.dataset_id).where(
        _t.c.id == run_id, _t.c.deleted_at.is_not(None)
    )
    gone = connection.execute(of_run).first()
    if gone is None:
        return None
    if gone.data_gone is None:
        return f"Run {run_id} was deleted on {gone.deleted_at:%Y-%m-%d}: submit it again."
    return (
        f"Run {run_id} was removed with its data set {gone.name} on {gone.data_gone:%Y-%m-%d}: choose another, or "
        "register the data set again on the Data page."
    )


def hold_runs(connection: Connection, ids: Iterable[str]) -> None:
    """Keep others from changing these runs before the transaction ends."""
    for some in in_chunks(ids):
        held_in_order(connection, sa.select(_t.c.id).where(_t.c.id.in_(some)))


def held_in_order(connection: Connection, runs: sa.Select[Any]) -> list[str]:
    """The ids that a query of runs finds, which others cannot change before the transaction ends.

    The oldest first, as whoever ends or deletes a run goes from it to those made from it, and a shard before the run it
    is a part of: so two that hold some of the same never wait for each other.
    """
    in_order = runs.order_by(_t.c.created_at, _t.c.shard_of.is_(None), _t.c.id)
    return list(connection.execute(in_order.with_for_update()).scalars())


def lock_run(connection: Connection, run_id: str) -> Run:
    """The run of this id, which others cannot change before the transaction ends.

    Raises:
        NotFoundError: it does not exist, or was deleted.
    """
    run = find_run(connection, run_id, lock=True)
    if run is None:
        raise no_run(connection, run_id)
    return run


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
