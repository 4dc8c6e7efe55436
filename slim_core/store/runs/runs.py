"""Runs: submitted once for the same spec and inputs, found again, deleted with what was made from them; and as a list.

A submission pins what its spec leaves open: answers, drawn shapes and a checkpoint as they are now. The list is
filtered, counted and paged by the database, so that ten thousand runs cost as little as ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from slim_core.data.table import SPLITS, Split
from slim_core.errors import ConflictError, NotFoundError, SpecRefusedError
from slim_core.result_files import sha256_of
from slim_core.store import notes, schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database, in_chunks, new_id
from slim_core.store.datasets import Dataset, Datasets, hold_dataset
from slim_core.store.events import Events
from slim_core.store.runs.lineage import descendants_of
from slim_core.store.runs.rows import (
    ACTIVE,
    CAN_BE_PARENT,
    COLUMNS,
    PASSES,
    RESTS_ON,
    WHOLE,
    WITHOUT_METRICS,
    WORKING,
    Run,
    ShardTotals,
    default_name,
    fetch_run,
    find_run,
    hash_of,
    hold_runs,
    label_of,
    lock_run,
    removal_of,
    shard_row,
    shard_totals,
    shards_of,
    with_progress,
)
from slim_core.store.shape_rows import newest_seq
from slim_core.store.shapes import SCORED
from slim_core.version import code_version

_t, _parents = schema.runs, schema.run_parents


@dataclass(frozen=True)
class RunFilter:
    """Which runs; empty fields let every run through."""

    kinds: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    by: str | None = None
    dataset: str | None = None
    text: str = ""  # somewhere in the name, the note or a tag, or the beginning of the id
    since: datetime | None = None  # submitted then or later

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """The conditions on the table of runs; deleted runs and parts of runs (shards) never pass."""
        equal = [(_t.c.created_by, self.by), (_t.c.dataset_id, self.dataset)]
        found = [_t.c.deleted_at.is_(None), WHOLE]
        found += [_t.c.kind.in_(self.kinds)] if self.kinds else []
        found += [_t.c.status.in_(self.statuses)] if self.statuses else []
        found += [column == value for column, value in equal if value]
        found += [_t.c.created_at >= self.since] if self.since else []
        if self.text.strip():
            words = self.text.strip()
            named = sa.or_(_t.c.name.icontains(words, autoescape=True), _t.c.id.istartswith(words, autoescape=True))
            found.append(sa.or_(named, _t.c.id.in_(notes.mentioned(words))))
        return found


class History:
    """Reads the runs of a database; writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, which: RunFilter, n: int, offset: int = 0) -> list[Run]:
        """``n`` runs from ``offset`` on, newest first, without their metrics."""
        query = sa.select(*WITHOUT_METRICS).where(*which.clauses())
        query = query.order_by(_t.c.created_at.desc(), _t.c.id).limit(n).offset(offset)
        with self._database.read() as connection:
            found = [Run(**row) for row in connection.execute(query).mappings()]
            with_progress(connection, found)
        return found

    def count(self, which: RunFilter) -> int:
        """How many runs pass."""
        query = sa.select(sa.func.count()).select_from(_t).where(*which.clauses())
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def submitters(self) -> list[str]:
        """Who has submitted runs, by name."""
        query = sa.select(_t.c.created_by).distinct().where(*RunFilter().clauses()).order_by(_t.c.created_by)
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def shard_totals(self, runs: Iterable[Run]) -> dict[str, ShardTotals]:
        """The shards of those runs that have any and have ended, by the id of the run."""
        with self._database.read() as connection:
            return shard_totals(connection, [run.id for run in runs if run.ended and run.shard_of is None])

    def finished(self, dataset: str) -> list[tuple[str, str, str]]:
        """(id, kind, name) of the finished runs of a data set, in the order of the ids: quick, as no spec is read."""
        done = RunFilter(dataset=dataset, statuses=("done",))
        query = sa.select(_t.c.id, _t.c.kind, _t.c.name).where(*done.clauses()).order_by(_t.c.id)
        with self._database.read() as connection:
            return [(row.id, row.kind, row.name) for row in connection.execute(query)]

    def some(self, ids: Iterable[str]) -> dict[str, Run]:
        """The runs of these ids that were not deleted, without their metrics."""
        found = dict[str, Run]()
        with self._database.read() as connection:
            for some in in_chunks(ids):
                query = sa.select(*WITHOUT_METRICS).where(_t.c.deleted_at.is_(None))
                query = query.where(_t.c.id.in_(some))
                found |= {row["id"]: Run(**row) for row in connection.execute(query).mappings()}
        return found


SHARD_IMAGES = 20_000  # a pass over more is split into shards, of some minutes each on a GPU
_NAMED = 20  # ids a message names at most

# role -> kinds of the runs that can have it
PARENT_KINDS: Mapping[str, tuple[str, ...]] = {
    "model": ("train",),
    "reference": ("train",),
    "earlier": ("train",),
    "subset": ("curate",),
    "answered": ("space",),
    "attention": PASSES,
    "space": ("space",),
}


class SpecLike(Protocol):
    """What can be submitted: every spec of slim_core.steps.specs."""

    @property
    def kind(self) -> str:
        """Name of the step."""

    @property
    def dataset(self) -> str:
        """Id or name of a data set."""

    @property
    def queue(self) -> str:
        """Which workers take it."""

    def parents(self) -> Mapping[str, str]:
        """Role -> run id."""

    def record(self) -> dict[str, Any]:
        """The spec as plain JSON, as a run keeps it."""

    def filled_in(self, record: Mapping[str, Any]) -> Self:
        """The spec of this record of it, in which submission has filled in what was left open."""

    def in_shards(self, n_per_split: Mapping[Split, int], largest: int) -> Sequence[tuple[SpecLike, int]]:
        """The specs of its parts and the images of each, where it is too large to be done in one."""


class Runs:
    """All runs. Shards (see store/runs/rows.py) are left out of lists unless asked for."""

    def __init__(
        self,
        database: Database,
        artifacts: Artifacts,
        events: Events,
        datasets: Datasets,
    ) -> None:
        self._database, self._artifacts, self._events = database, artifacts, events
        self._datasets = datasets
        self.shard_images = SHARD_IMAGES

    def submit(
        self,
        spec: SpecLike,
        by: str = "local",
        name: str | None = None,
        force: bool = False,
        priority: int = 0,
        sharded: bool = True,
    ) -> tuple[Run, bool]:
        """Queue a run, unless the same spec on the same inputs is queued, running or done: then that one.

        A pass over many images is queued with its shards, which any number of workers take, and merges what they
        left. ``sharded=False`` is for one process that does all of it anyway: there shards would only add the merge.

        ``priority``: higher goes first.

        Returns:
            The run, and whether it is a new one.

        Raises:
            NotFoundError: the data set, a parent run or the campaign does not exist.
            SpecRefusedError: a parent failed, was canceled or is of another kind, or the spec is that of a shard.
            DataRefusedError: the images are no longer where they were.
        """
        row = self._row(spec, by, name, force, priority)
        row |= {"code_version": code_version()}
        shards = self._shard_rows(spec, row) if sharded else []
        return self._same_or_new(row, spec.filled_in(row["spec"]).parents(), shards)

    def find_same(self, spec: SpecLike) -> Run | None:
        """The run that ``submit`` would give for this spec in place of a new one: queued, running or done.

        Raises:
            NotFoundError: the data set or the campaign does not exist.
        """
        return self._same(self._row(spec, by="", name=spec.kind, force=False, priority=0)["spec_hash"])

    def fetch(self, run_id: str) -> Run:
        """The run of this id.

        Raises:
            NotFoundError: it does not exist, or was deleted.
        """
        with self._database.read() as connection:
            run = fetch_run(connection, run_id)
            with_progress(connection, [run])
            return run

    def find(self, run_id: str) -> Run | None:
        """The run of this id, if there is one and it was not deleted."""
        with self._database.read() as connection:
            run = find_run(connection, run_id)
            with_progress(connection, [run] if run else [])
            return run

    def removal_of(self, run_id: str) -> str | None:
        """That a run was deleted, or removed with its data set, in a sentence; None where it is there, or never was."""
        with self._database.read() as connection:
            return removal_of(connection, run_id)

    def shards(self, run_id: str) -> list[Run]:
        """The shards of a run in their order, whatever their status; empty for most runs."""
        with self._database.read() as connection:
            return shards_of(connection, run_id)

    def all(
        self,
        kind: str | None = None,
        status: str | Iterable[str] | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        *,
        campaign: str | None = None,
        metrics: bool = True,
        shards: bool = False,
    ) -> list[Run]:
        """Runs, newest first. ``metrics=False`` leaves them out, which makes long lists several times faster."""
        query = sa.select(*(COLUMNS if metrics else WITHOUT_METRICS)).where(_t.c.deleted_at.is_(None))
        query = query if shards else query.where(WHOLE)
        for column, value in ((_t.c.kind, kind), (_t.c.dataset_id, dataset), (_t.c.campaign_id, campaign)):
            query = query if value is None else query.where(column == value)
        if status is not None:
            query = query.where(_t.c.status.in_([status] if isinstance(status, str) else list(status)))
        query = query.order_by(_t.c.created_at.desc(), _t.c.id).limit(limit)
        with self._database.read() as connection:
            found = [Run(**row) for row in connection.execute(query).mappings()]
            with_progress(connection, found)
        return found

    def counts(self, dataset: str | None = None) -> dict[str, int]:
        """How many runs (of a data set) have each status; shards are left out."""
        query = sa.select(_t.c.status, sa.func.count()).where(_t.c.deleted_at.is_(None), WHOLE).group_by(_t.c.status)
        query = query if dataset is None else query.where(_t.c.dataset_id == dataset)
        with self._database.read() as connection:
            return {str(row[0]): int(row[1]) for row in connection.execute(query)}

    def under_way(self) -> dict[str, tuple[str, str, str]]:
        """Data set, kind and status of every active run, by its id; shards are left out."""
        query = sa.select(_t.c.id, _t.c.dataset_id, _t.c.kind, _t.c.status)
        query = query.where(_t.c.deleted_at.is_(None), WHOLE, _t.c.status.in_(ACTIVE))
        with self._database.read() as connection:
            return {run: (dataset, kind, status) for run, dataset, kind, status in connection.execute(query)}

    def parents(self, run_id: str, *, shards: bool = False) -> list[tuple[str, Run]]:
        """(role, run) of everything this run reads; deleted parents are left out."""
        related = self._related(_parents.c.parent_id, _parents.c.run_id, run_id)
        return [(role, run) for role, run in related if shards or run.shard_of is None]

    def children(self, run_id: str) -> list[Run]:
        """The runs that read this one, oldest first; shards are left out."""
        related = self._related(_parents.c.run_id, _parents.c.parent_id, run_id)
        return [run for _, run in related if run.shard_of is None]

    def waiting_for(self, run_id: str) -> list[Run]:
        """The parents and shards that have to finish before this run can start."""
        return [run for _, run in self.parents(run_id, shards=True) if run.status != "done"]

    def delete(self, run_id: str, by: str = "local", cascade: bool = False) -> list[str]:
        """Delete a run and its artifacts, never an image. With ``cascade`` also every run that was made from it.

        Returns:
            The ids that were deleted, children first.

        Raises:
            ConflictError: it, or a run made from it, is running; or runs or campaigns hang on it, and no ``cascade``.
        """
        whole = self.fetch(run_id).shard_of
        if whole is not None:
            raise ConflictError(f"Run {run_id} is a shard of {whole}: delete that one.")
        deleted = self._mark_deleted(run_id, by, cascade)
        for each in deleted:
            self._artifacts.remove(each)
        return deleted[::-1]

    def _mark_deleted(self, run_id: str, by: str, cascade: bool) -> list[str]:
        with self._database.write() as connection:
            shards = shards_of(connection, run_id, lock=True)
            lock_run(connection, run_id)
            deleted = [run_id, *_held_descendants(connection, run_id)]
            _refuse_delete(connection, run_id, deleted, shards, cascade)
            deleted += [shard.id for shard in shards]
            now = self._database.now(connection)
            gone = _t.update().where(_t.c.id.in_(deleted))
            connection.execute(gone.where(_t.c.status == "queued").values(status="canceled", finished_at=now))
            connection.execute(gone.values(deleted_at=now))
            self._events.note(connection, by, "run.deleted", run_id, {"runs": deleted})
        return deleted

    def _row(self, spec: SpecLike, by: str, name: str | None, force: bool, priority: int) -> dict[str, Any]:
        dataset = self._datasets.find(spec.dataset)
        if dataset is None:
            raise NotFoundError(f"There is no data set {spec.dataset!r}: import it first.")
        plain = spec.record() | {"dataset": dataset.id}
        pin_checkpoint(plain)
        if plain.get("shard") is not None:
            raise SpecRefusedError(f"A {spec.kind} step refuses shard = {plain['shard']}: leave it out.")
        with self._database.read() as connection:
            pin_answers(connection, plain, dataset)
            pin_shapes(connection, plain, dataset)
        return {
            "id": new_id("r"),
            "kind": spec.kind,
            "name": (name or self._default_name(spec, plain, dataset.name))[:200],
            "queue": spec.queue,
            "status": "queued",
            "priority": priority,
            "spec": plain,
            "spec_hash": hash_of(plain, dataset.fingerprint),
            "forced": force,
            "dataset_id": dataset.id,
            "campaign_id": plain.get("campaign"),
            "progress": {},
            "created_by": by,
        }

    def _default_name(self, spec: SpecLike, plain: Mapping[str, Any], dataset: str) -> str:
        parents = spec.parents()
        rests_on = next((parents[role] for role in RESTS_ON if role in parents), None)
        found = self.find(rests_on) if rests_on else None
        return default_name(plain, dataset, found.name if found else None)

    def _shard_rows(self, spec: SpecLike, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of a run's shards, in their order; none where it is small enough to be done in one."""
        dataset = self._datasets.fetch(row["dataset_id"])
        if dataset.n_images <= self.shard_images or self._is_scored_elsewhere(row):
            return []
        table = self._datasets.table(dataset.id)
        n_per_split = {split: len(table.rows(split)) for split in SPLITS}
        parts = spec.filled_in(row["spec"]).in_shards(n_per_split, self.shard_images)
        return [shard_row(row, part.record(), n_images) for part, n_images in parts]

    def _is_scored_elsewhere(self, row: Mapping[str, Any]) -> bool:
        """Whether a finished run differs by its drawn shapes alone: its maps are taken over, which one process does."""
        if row["spec"].get("shapes_seq") is None or row["forced"]:
            return False
        kind = sa.and_(_t.c.kind == row["kind"], _t.c.dataset_id == row["dataset_id"], _t.c.status == "done", WHOLE)
        with self._database.read() as connection:
            specs = connection.execute(sa.select(_t.c.spec).where(kind, _t.c.deleted_at.is_(None))).scalars().all()
        return any(one | {"shapes_seq": None} == row["spec"] | {"shapes_seq": None} for one in specs)

    def _same_or_new(
        self, row: dict[str, Any], parents: Mapping[str, str], shards: Sequence[dict[str, Any]]
    ) -> tuple[Run, bool]:
        """The run that is there already, unless the row is forced, or that of the row; and whether it is new."""
        for _ in range(3):
            same = None if row["forced"] else self._same(row["spec_hash"])
            if same is not None:
                return same, False
            try:
                self._insert(row, parents, shards)
            except IntegrityError:  # another submitter was first: read again
                continue
            return self.fetch(row["id"]), True
        raise ConflictError("The same run is being submitted from elsewhere: see the Jobs page, and try again.")

    def _same(self, spec_hash: str) -> Run | None:
        query = sa.select(*COLUMNS).where(
            _t.c.spec_hash == spec_hash, _t.c.status.in_(schema.LIVE), _t.c.deleted_at.is_(None)
        )
        with self._database.read() as connection:
            row = connection.execute(query.order_by(_t.c.created_at.desc()).limit(1)).mappings().first()
        return None if row is None else Run(**row)

    def _insert(self, row: dict[str, Any], parents: Mapping[str, str], shards: Sequence[dict[str, Any]]) -> None:
        with self._database.write() as connection:
            hold_dataset(connection, row["dataset_id"])
            hold_runs(connection, parents.values())
            for role, parent_id in parents.items():
                _check_parent(connection, role, parent_id, row["dataset_id"])
            now = self._database.now(connection)
            for each in (row, *shards):
                connection.execute(_t.insert().values(**each, created_at=now, queued_at=now))
                _relate(connection, each["id"], parents)
            _relate(connection, row["id"], {f"shard-{n:03}": shard["id"] for n, shard in enumerate(shards)})
            self._events.note(connection, row["created_by"], "run.submitted", row["id"], {"kind": row["kind"]})

    def _related(self, wanted: sa.Column[Any], given: sa.Column[Any], run_id: str) -> list[tuple[str, Run]]:
        query = (
            sa.select(_parents.c.role.label("as_role"), *COLUMNS)
            .join(_parents, wanted == _t.c.id)
            .where(given == run_id, _t.c.deleted_at.is_(None))
            .order_by(_t.c.created_at, _parents.c.role)
        )
        with self._database.read() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
            found = [(row.pop("as_role"), Run(**row)) for row in rows]
            with_progress(connection, [run for _, run in found])
        return found


def _check_parent(connection: Connection, role: str, parent_id: str, dataset_id: str) -> None:
    parent = find_run(connection, parent_id)
    if parent is None:
        raise NotFoundError(f"The {role} run {parent_id} does not exist or was deleted: choose another.")
    if parent.status not in CAN_BE_PARENT:
        raise SpecRefusedError(f"The {role} run {parent_id} is {label_of(parent.status)}: retry it, or choose another.")
    if parent.kind not in (kinds := PARENT_KINDS.get(role, (parent.kind,))):
        raise SpecRefusedError(f"The {role} run {parent_id} is a {parent.kind} run: choose a {' or '.join(kinds)} run.")
    if parent.dataset_id != dataset_id:
        raise SpecRefusedError(f"The {role} run {parent_id} was made on another data set: choose one of this data set.")


def _held_descendants(connection: Connection, run_id: str) -> list[str]:
    """Those of a run that is locked, locked too: no worker takes one meanwhile, and nobody builds on one."""
    held = set[str]()
    while new := set(found := descendants_of(connection, [run_id])) - held:
        hold_runs(connection, new)
        held |= new
    return found


def _refuse_delete(
    connection: Connection, run_id: str, deleted: list[str], shards: Sequence[Run], cascade: bool
) -> None:
    working = sa.select(_t.c.id).where(_t.c.id.in_(deleted), _t.c.status.in_(WORKING))
    busy = list(connection.execute(working).scalars())
    busy += [run_id] if any(shard.status in WORKING for shard in shards) else []
    if busy:
        raise ConflictError(f"Run {', '.join(busy[:_NAMED])} is running: stop it first, then delete.")
    if cascade:
        return
    if len(deleted) > 1:
        others = ", ".join(deleted[1 : _NAMED + 1])
        raise ConflictError(
            f"Run {run_id} was used by {others}: delete those too (`slim delete --cascade`), or keep it."
        )
    campaigns = sa.select(schema.campaigns.c.name).where(schema.campaigns.c.space_run_id == run_id).limit(_NAMED)
    names = list(connection.execute(campaigns).scalars())
    if names:
        raise ConflictError(
            f"Run {run_id} is the space of the campaign {', '.join(names)}: keep it, or delete it with "
            "`slim delete --cascade` (answers stay)."
        )


def _relate(connection: Connection, run_id: str, parents: Mapping[str, str]) -> None:
    """Keep what a run reads."""
    for role, parent_id in parents.items():
        connection.execute(_parents.insert().values(run_id=run_id, role=role, parent_id=parent_id))


def pin_answers(connection: Connection, spec: dict[str, Any], dataset: Dataset) -> None:
    """Where a spec names campaigns, itself or in its dicts, pin their answers so far: the run can be repeated exactly.

    A space that is left open is the campaign's.
    """
    for named in (spec, *(value for value in spec.values() if isinstance(value, dict))):
        if named.get("campaign") is not None:
            _pin_campaign(connection, named, dataset)


def pin_shapes(connection: Connection, spec: dict[str, Any], dataset: Dataset) -> None:
    """Where attention is scored, pin what was drawn so far: scores against other shapes are another run."""
    is_scored = spec["kind"] in SCORED and spec.get("attention", True)
    if is_scored and spec.get("shapes_seq") is None and (seq := newest_seq(connection, dataset.id)):
        spec["shapes_seq"] = seq


def pin_checkpoint(spec: dict[str, Any]) -> None:
    """Where a training starts from a file, pin its content: what is under this path next is another training."""
    path = spec.get("checkpoint")
    if path is not None and spec.get("reference") is None and spec.get("checkpoint_sha256") is None:
        with suppress(OSError, ValueError):  # the step says so
            spec["checkpoint_sha256"] = sha256_of(Path(path).expanduser())


def _pin_campaign(connection: Connection, named: dict[str, Any], dataset: Dataset) -> None:
    campaigns, campaign_id = schema.campaigns.c, named["campaign"]
    known = connection.execute(
        sa.select(campaigns.dataset_id, campaigns.space_run_id).where(
            campaigns.id == campaign_id, campaigns.deleted_at.is_(None)
        )
    )
    found = known.first()
    if found is None:
        raise NotFoundError(f"There is no campaign {campaign_id}: choose one on the Annotate page.")
    if found.dataset_id != dataset.id:
        raise SpecRefusedError(
            f"Campaign {campaign_id} asks about images of another data set than {dataset.name}: choose another."
        )
    if named.get("answers_seq") is None:
        newest = sa.select(sa.func.max(schema.answers.c.seq)).where(schema.answers.c.campaign_id == campaign_id)
        named["answers_seq"] = connection.execute(newest).scalar() or 0
    if "space" in named and named["space"] is None:
        named["space"] = found.space_run_id
