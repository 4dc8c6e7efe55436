"""Removing a data set with all that rests on it. Its images stay, except those that SLIM has unpacked itself.

Rows are kept: of runs, campaigns and answers, under the time at which they went, so that the log of events and backups
still mean something. Files go for good, after the rows; a removal that is killed in between is finished by the next
one of the same data set, or when workers start. So is what a killed registration has left, and a run that was killed
as soon as it was done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from rich.filesize import decimal
from sqlalchemy.engine import Connection

from slim_core.data.unpacking import imported_images, upload_of
from slim_core.errors import ConflictError, DataRefusedError, NotFoundError
from slim_core.formatting import counted
from slim_core.result_files import is_left
from slim_core.store import schema
from slim_core.store.artifacts import RECORDS, Artifacts, discard, finish_discards, ids_in, put_back, sizes_in
from slim_core.store.campaigns.consensus import AnnotationCost, campaign_cost, total_cost
from slim_core.store.database import Database, StoreUnavailableError, in_chunks
from slim_core.store.datasets import Dataset, Datasets
from slim_core.store.events import Events
from slim_core.store.runs.rows import ACTIVE, WHOLE, held_in_order
from slim_core.store.shape_rows import newest_shapes
from slim_core.store.storage import used

_NAMED = 5  # ids a message names at most
_UNHELD_S = 2.0  # how long the folder of a registration may be there before it is held
_t, _runs, _campaigns = schema.datasets, schema.runs, schema.campaigns


@dataclass(frozen=True)
class Removal:
    """What goes with a data set."""

    dataset: Dataset
    n_runs: int
    n_campaigns: int
    cost: AnnotationCost  # on the answers of these campaigns
    n_bytes: int  # on the disk of this machine
    unpacks: bool  # images that SLIM has unpacked go too
    n_drawn: int = 0  # images that people drew on

    def in_words(self) -> str:
        """What goes, as in "3 runs, 1 campaign with 48 images (3.0 %), 48 votes, 2.0 min, and 21.4 MB on the disk"."""
        campaigns = counted(self.n_campaigns, "campaign")
        campaigns += f" with {self.cost.in_words()}" if self.n_campaigns else ""
        campaigns += f", {counted(self.n_drawn, 'drawn image')}" if self.n_drawn else ""
        return f"{counted(self.n_runs, 'run')}, {campaigns}, and {decimal(self.n_bytes)} on the disk"


@dataclass(frozen=True)
class _Files:
    """What SLIM has written for one data set."""

    folders: tuple[Path, ...]
    images: frozenset[Path]

    def n_bytes(self) -> int:
        return sum(map(used, (*self.folders, *self.images)))


class Removals:
    """Removes data sets."""

    def __init__(
        self,
        home: Path,
        database: Database,
        artifacts: Artifacts,
        events: Events,
        datasets: Datasets,
    ) -> None:
        self._home, self._database, self._artifacts = home, database, artifacts
        self._events, self._datasets = events, datasets

    def preview(self, dataset_id: str) -> Removal:
        """What would go with a data set. Looks at every file that would.

        Raises:
            NotFoundError: there is no such data set.
            ConflictError: a run of it waits or runs.
        """
        dataset = self._datasets.fetch(dataset_id)
        with self._database.read() as connection:
            _refuse_active(connection, dataset)
            n_runs, n_campaigns, spent = _counts(connection, dataset_id)
            run_ids, campaign_ids = _ids(connection, _runs, dataset_id), _ids(connection, _campaigns, dataset_id)
            n_drawn = len(newest_shapes(connection, dataset_id))
        files = self._files(dataset, campaign_ids)
        places = [place for run_id in run_ids for place in self._artifacts.places(run_id)]
        n_bytes = files.n_bytes() + sum(map(used, (*places, *self._artifacts.places(dataset_id))))
        return Removal(dataset, n_runs, n_campaigns, spent, n_bytes, unpacks=_unpacks(files, dataset), n_drawn=n_drawn)

    def remove(self, dataset_id: str, by: str = "local") -> Dataset:
        """Remove a data set, its runs and its campaigns, then the files that SLIM has made for them.

        Of one that was removed already, the files that were left are removed.

        Raises:
            NotFoundError: there never was such a data set.
            ConflictError: a run of it waits or runs.
            StoreUnavailableError: the data set is removed, but some of its files could not be.
        """
        with self._database.write() as connection:
            dataset, is_removed = _locked(connection, dataset_id)
            if not is_removed:
                self._mark_removed(connection, dataset, by)
            run_ids, campaign_ids = _ids(connection, _runs, dataset_id), _ids(connection, _campaigns, dataset_id)
        self._datasets.forget(dataset_id)
        try:
            self._remove_files(dataset, run_ids, campaign_ids)
        except (StoreUnavailableError, OSError) as error:
            raise StoreUnavailableError(
                f"The data set {dataset.name} is removed, but not all of its files: {str(error).rstrip('.')}. Then "
                f"run `slim delete {dataset.id}`, which removes the rest."
            ) from error
        return dataset

    def finish(self) -> None:
        """Remove what removals, deletions, registrations and ends of runs have left, where a kill cut them off.

        Nobody sees it any more. Looked at is what is on the disk, not all that was ever deleted or done.

        Raises:
            StoreUnavailableError: some of them may not be removed.
        """
        places = (self._artifacts.places("d-")[0], *self._artifacts.places("r"))
        datasets, runs, work = areas = tuple(place.parent for place in places)
        for area in (datasets, runs):
            put_back(area)
        left = [work / one for one in ids_in(work) if one.startswith("d-") and is_left(work / one, _UNHELD_S)]
        with self._database.read() as connection:
            dataset_ids = _removed(connection, _t, ids_in(datasets, work))
            run_ids = _removed(connection, _runs, ids_in(runs, work))
            registered = _known(connection, _t, [one.name for one in left])
        for dataset_id in dataset_ids:
            self.remove(dataset_id)
        for run_id in run_ids:
            self._artifacts.remove(run_id)
        for place in left:  # of a registration that was killed
            if place.name not in registered:
                self._artifacts.remove(place.name)
            discard(place)
        self._finish_ends(runs, work)
        for area in areas:
            finish_discards(area)

    def _finish_ends(self, runs: Path, work: Path) -> None:
        """Of runs that are done: attempts, checkpoints, and the results of their shards, which lie in them now."""
        done = _runs.c.status == "done"
        with self._database.read() as connection:
            tried = _known(connection, _runs, ids_in(work), done)
            part = _runs.c.shard_of.in_(sa.select(_runs.c.id).where(done))
            merged = _known(connection, _runs, ids_in(runs), part)
        for run_id in tried:
            self._artifacts.tidy(run_id)
        for run_id in merged:
            if not set(sizes_in(runs / run_id)).issubset(RECORDS):
                self._artifacts.keep_records(run_id)

    def _mark_removed(self, connection: Connection, dataset: Dataset, by: str) -> None:
        _refuse_active(connection, dataset)
        n_runs, n_campaigns, spent = _counts(connection, dataset.id)
        now = self._database.now(connection)
        for table in (_runs, _campaigns):
            there = sa.and_(table.c.dataset_id == dataset.id, table.c.deleted_at.is_(None))
            connection.execute(table.update().where(there).values(deleted_at=now))
        connection.execute(_t.update().where(_t.c.id == dataset.id).values(deleted_at=now))
        gone = {"name": dataset.name, "runs": n_runs, "campaigns": n_campaigns, "answers": spent.votes}
        self._events.note(connection, by, "dataset.removed", dataset.id, gone)

    def _remove_files(self, dataset: Dataset, run_ids: Iterable[str], campaign_ids: Iterable[str]) -> None:
        files = self._files(dataset, campaign_ids)
        for run_id in run_ids:
            self._artifacts.remove(run_id)
        for folder in files.folders:
            discard(folder)
        for image in files.images:
            image.unlink(missing_ok=True)
        self._artifacts.remove(dataset.id)  # last: its table says which images are ours

    def _files(self, dataset: Dataset, campaign_ids: Iterable[str]) -> _Files:
        """What SLIM has written for this data set alone, beside its runs and its table."""
        others = [one for one in self._datasets.all() if one.id != dataset.id]
        folders = [self._home / "overlays" / campaign_id for campaign_id in campaign_ids]
        upload = upload_of(Path(dataset.root), self._home)
        if upload is not None and not any(Path(one.root).is_relative_to(upload) for one in others):
            folders.append(upload)
        return _Files(tuple(folders), self._own_images(dataset, others))

    def _own_images(self, dataset: Dataset, others: Iterable[Dataset]) -> frozenset[Path]:
        """Images out of Arrow files that no other data set shows; none where a table cannot be read, to be safe."""
        try:
            own = imported_images(self._datasets.kept_table(dataset), self._home)
            if not own:
                return own
            shared = [imported_images(self._datasets.kept_table(one), self._home) for one in others]
        except (NotFoundError, DataRefusedError):
            return frozenset()
        return own.difference(*shared)


def _unpacks(files: _Files, dataset: Dataset) -> bool:
    return bool(files.images) or any(Path(dataset.root).is_relative_to(folder) for folder in files.folders)


def _locked(connection: Connection, dataset_id: str) -> tuple[Dataset, bool]:
    """The data set, to which nobody can add anything before the transaction ends; whether it was removed before."""
    columns = [_t.c[name] for name in Dataset.__dataclass_fields__]
    query = sa.select(*columns, _t.c.deleted_at.label("gone")).where(_t.c.id == dataset_id)
    row = connection.execute(query.with_for_update()).mappings().first()
    if row is None:
        raise NotFoundError(f"There is no data set {dataset_id}: `slim datasets` lists them.")
    fields = dict(row)
    gone = fields.pop("gone")
    held_in_order(connection, sa.select(_runs.c.id).where(_runs.c.dataset_id == dataset_id))
    return Dataset(**fields), gone is not None


def _refuse_active(connection: Connection, dataset: Dataset) -> None:
    whole = sa.func.coalesce(_runs.c.shard_of, _runs.c.id)  # it may be stopped while its shards are stopping yet
    active = sa.select(whole).where(
        _runs.c.dataset_id == dataset.id, _runs.c.status.in_(ACTIVE), _runs.c.deleted_at.is_(None)
    )
    ids = list(dict.fromkeys(connection.execute(active.order_by(_runs.c.created_at, _runs.c.id)).scalars()))
    if ids:
        named = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
        raise ConflictError(
            f"{dataset.name} has {counted(len(ids), 'run')} queued or running ({named}): stop or await them first."
        )


def _counts(connection: Connection, dataset_id: str) -> tuple[int, int, AnnotationCost]:
    """Runs, campaigns, and what people have given to these."""
    runs = sa.select(sa.func.count()).where(_runs.c.dataset_id == dataset_id, _runs.c.deleted_at.is_(None), WHOLE)
    mine = sa.select(_campaigns.c.id).where(_campaigns.c.dataset_id == dataset_id, _campaigns.c.deleted_at.is_(None))
    campaigns = list(connection.execute(mine).scalars())
    spent = total_cost(campaign_cost(connection, one) for one in campaigns)
    return connection.execute(runs).scalar_one(), len(campaigns), spent


def _removed(connection: Connection, table: sa.Table, ids: Iterable[str]) -> list[str]:
    return _known(connection, table, ids, table.c.deleted_at.is_not(None))


def _known(connection: Connection, table: sa.Table, ids: Iterable[str], *where: sa.ColumnElement[bool]) -> list[str]:
    """Those of the ids that have a row, for which this holds."""
    queries = [sa.select(table.c.id).where(table.c.id.in_(some), *where) for some in in_chunks(ids)]
    return [one for query in queries for one in connection.execute(query).scalars()]


def _ids(connection: Connection, table: sa.Table, dataset_id: str) -> list[str]:
    """Ids of its runs or campaigns, those that were deleted before too."""
    return list(connection.execute(sa.select(table.c.id).where(table.c.dataset_id == dataset_id)).scalars())
