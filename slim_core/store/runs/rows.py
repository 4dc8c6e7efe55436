"""A run as a row of the database: one execution of a step, and how such rows are read inside a transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import NotFoundError
from slim_core.store import schema
from slim_core.store.database import in_chunks
from slim_core.store.runs.states import ENDED

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
