"""Pipelines: the runs that one press has queued, as one thing that is followed, stopped and resumed.

The order in which they run is in their parents, so workers need no pipeline: it survives every browser and worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import NotFoundError
from slim_core.store import schema
from slim_core.store.database import Database, new_id
from slim_core.store.datasets import hold_dataset
from slim_core.store.events import Events
from slim_core.store.runs.lineage import ancestors_of
from slim_core.store.runs.rows import ACTIVE, COLUMNS, UNFINISHED, WHOLE, WITHOUT_METRICS, Run, no_run, with_progress

PipelineKind = Literal["questions", "comparison", "retraining", "training", "spaces", "scores", "unasked"]
State = Literal["active", "unfinished", "done"]
_t, _steps, _runs = schema.pipelines, schema.pipeline_runs, schema.runs


@dataclass(frozen=True)
class Pipeline:
    """``kind``: what it leads to: the questions of a campaign, a retrained model beside its reference
    (with or without the choice of its subset), a trained model, the spaces of models,
    the scores of finished runs against what was drawn since, a model beside both that no answer has led to.

    ``runs``: its steps, parents first, without metrics; those that were deleted are left out.
    """

    id: str
    kind: PipelineKind
    dataset_id: str
    created_by: str
    created_at: datetime
    runs: tuple[Run, ...]

    @property
    def state(self) -> State:
        """active: something may still happen by itself; unfinished: a step failed or was stopped."""
        statuses = {run.status for run in self.runs}
        if statuses & set(ACTIVE):
            return "active"
        return "unfinished" if statuses & set(UNFINISHED) else "done"


class Pipelines:
    """All pipelines."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def create(self, kind: PipelineKind, ends: Sequence[str], by: str = "local") -> Pipeline:
        """Keep the runs ``ends``, of one data set, and all that they wait for, as one pipeline.

        Where one of this kind with these ends is under way, it is that one: two people may have pressed the same.

        Raises:
            NotFoundError: one of the ends does not exist.
        """
        with self._database.write() as connection:
            steps = _to_do(connection, ends)
            hold_dataset(connection, steps[0].dataset_id, alone=True)
            if (same := _under_way(connection, kind, ends)) is not None:
                return same
            row = {"id": new_id("p"), "kind": kind, "dataset_id": steps[0].dataset_id, "created_by": by}
            connection.execute(_t.insert().values(**row, created_at=self._database.now(connection)))
            ids = [{"pipeline_id": row["id"], "position": n, "run_id": run.id} for n, run in enumerate(steps)]
            connection.execute(_steps.insert(), ids)
            self._events.note(connection, by, "pipeline.created", row["id"], {"kind": kind, "runs": len(steps)})
        return self.fetch(row["id"])

    def fetch(self, pipeline_id: str) -> Pipeline:
        """A pipeline by its id.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.read() as connection:
            found = _read(connection, _t.c.id == pipeline_id, 1)
        if not found:
            raise NotFoundError(f"There is no pipeline {pipeline_id!r}: see the Overview page.")
        return found[0]

    def all(self, dataset: str, limit: int = 20) -> list[Pipeline]:
        """Those of a data set, newest first; without those whose runs were all deleted."""
        with self._database.read() as connection:
            return [one for one in _read(connection, _t.c.dataset_id == dataset, limit) if one.runs]


def _to_do(connection: Connection, ends: Sequence[str]) -> list[Run]:
    """The ends and the runs they wait for, parents first: a run is submitted after its parents."""
    waited_for = sa.and_(_runs.c.id.in_(ancestors_of(connection, ends)), _runs.c.status != "done", WHOLE)
    query = sa.select(*COLUMNS).where(sa.or_(_runs.c.id.in_(ends), waited_for), _runs.c.deleted_at.is_(None))
    found = connection.execute(query.order_by(_runs.c.created_at, _runs.c.id)).mappings()
    steps = [Run(**row) for row in found]
    missing = set(ends) - {run.id for run in steps}
    if missing:
        raise no_run(connection, min(missing))
    return steps


def _under_way(connection: Connection, kind: PipelineKind, ends: Sequence[str]) -> Pipeline | None:
    """The newest active one of this kind that holds all the ends."""
    held = sa.select(_steps.c.pipeline_id).where(_steps.c.run_id.in_(ends)).group_by(_steps.c.pipeline_id)
    all_held = held.having(sa.func.count() == len(set(ends)))
    known = _read(connection, sa.and_(_t.c.kind == kind, _t.c.id.in_(all_held)), limit=20)
    return next((one for one in known if one.state == "active"), None)


def _read(connection: Connection, which: sa.ColumnElement[bool], limit: int) -> list[Pipeline]:
    rows = connection.execute(sa.select(_t).where(which).order_by(_t.c.created_at.desc(), _t.c.id).limit(limit))
    pipelines = [dict(row) for row in rows.mappings()]
    runs = _runs_of(connection, [row["id"] for row in pipelines])
    return [Pipeline(**row, runs=tuple(runs.get(row["id"], ()))) for row in pipelines]


def _runs_of(connection: Connection, pipelines: Sequence[str]) -> dict[str, list[Run]]:
    columns = [_steps.c.pipeline_id.label("as_pipeline"), *WITHOUT_METRICS]
    query = sa.select(*columns).join(_runs, _runs.c.id == _steps.c.run_id)
    query = query.where(_steps.c.pipeline_id.in_(pipelines), _runs.c.deleted_at.is_(None))
    found: dict[str, list[Run]] = {}
    for row in connection.execute(query.order_by(_steps.c.position)).mappings():
        fields = dict(row)
        found.setdefault(fields.pop("as_pipeline"), []).append(Run(**fields))
    with_progress(connection, [run for runs in found.values() for run in runs])
    return found
