"""Data sets: registered by path, kept as a table. Their images are never copied, changed or deleted."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from slim_core.data.changes import changes, in_words
from slim_core.data.fingerprint import check_files, file_records, news_of_folders
from slim_core.data.table import ImageTable
from slim_core.errors import ConflictError, DataRefusedError, NotFoundError
from slim_core.store import schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database, StoreUnavailableError, new_id
from slim_core.store.events import Events

_TABLES_KEPT = 4  # in memory; a table of a million rows takes about 300 MB
_t = schema.datasets


class _Imported(Protocol):
    @property
    def table(self) -> ImageTable | None: ...

    @property
    def report(self) -> Any: ...


@dataclass(frozen=True)
class Dataset:
    """A registered data set."""

    id: str
    name: str
    root: str
    format: str
    n_images: int
    n_classes: int
    n_attributes: int
    fingerprint: str
    report: dict[str, Any]  # what the import found, as ImportReport.to_json gives it
    created_by: str
    created_at: datetime


_COLUMNS = [_t.c[name] for name in Dataset.__dataclass_fields__]


class Datasets:
    """The registered data sets."""

    def __init__(self, database: Database, artifacts: Artifacts, events: Events) -> None:
        self._database, self._artifacts, self._events = database, artifacts, events
        self._tables: dict[str, ImageTable] = {}
        self._lock = threading.Lock()

    def register(self, imported: _Imported, by: str = "local") -> Dataset:
        """Keep an imported table; the same content at the same place is the same data set.

        Raises:
            DataRefusedError: the import found errors, so there is no table.
        """
        table, report = imported.table, imported.report
        if table is None:
            raise DataRefusedError("The data set was refused on import: mend what the report names, import it again.")
        known = self._by_fingerprint(table.fingerprint)
        if known is not None:
            self._seal_anew(known, table, report)
            self._mend(known, table)
            return self.fetch(known.id)
        dataset_id = new_id("d")
        self._keep(dataset_id, table)
        try:
            with self._database.write() as connection:
                self._insert(connection, dataset_id, table, report, by)
        except IntegrityError:  # someone registered the same a moment ago
            self._artifacts.remove_dataset(dataset_id)
            return self._by_fingerprint(table.fingerprint) or self.register(imported, by)
        return self.fetch(dataset_id)

    def fetch(self, dataset_id: str) -> Dataset:
        """The data set of this id.

        Raises:
            NotFoundError: it does not exist, or was deleted.
        """
        found = self._one(_t.c.id == dataset_id)
        if found is None:
            raise NotFoundError(f"There is no data set {dataset_id}: import it, or choose one of the Data page.")
        return found

    def find(self, id_or_name: str) -> Dataset | None:
        """The data set of this id, else the newest of this name, else None."""
        return self._one(_t.c.id == id_or_name) or self._one(_t.c.name == id_or_name)

    def of(self, id_or_name: str) -> Dataset:
        """The data set of this id, else the newest of this name.

        Raises:
            NotFoundError: there is none.
        """
        return self.find(id_or_name) or self.fetch(id_or_name)

    def all(self) -> list[Dataset]:
        """Every data set, newest first."""
        query = sa.select(*_COLUMNS).where(_t.c.deleted_at.is_(None)).order_by(_t.c.created_at.desc())
        with self._database.read() as connection:
            return [Dataset(**row) for row in connection.execute(query).mappings()]

    def table(self, dataset_id: str) -> ImageTable:
        """The table of a data set; read once, then kept in memory.

        Raises:
            NotFoundError: there is no such data set.
            DataRefusedError: its folder has moved, or the kept table is not the registered one.
        """
        return self.table_of(self.fetch(dataset_id))

    def table_of(self, dataset: Dataset) -> ImageTable:
        """The table of a data set that was just fetched, which costs no transaction; read once, then kept in memory.

        Raises:
            DataRefusedError: its folder has moved, or the kept table is not the registered one.
        """
        with self._lock:
            table = self._tables.pop(dataset.id, None) or self._load(dataset)
            self._tables[dataset.id] = table
            while len(self._tables) > _TABLES_KEPT:
                self._tables.pop(next(iter(self._tables)))
        if not table.root.is_dir():
            raise DataRefusedError(
                f"The images of {dataset.name} are no longer in {table.root}: move them back, or import the data set "
                f"from where they are now."
            )
        return table

    def unchanged_table(self, dataset_id: str) -> ImageTable:
        """The table of a data set whose files are still those that were imported (slim_core.data.fingerprint).

        Raises:
            NotFoundError: there is no such data set.
            DataRefusedError: its folder has moved, its metadata has changed, or images are missing or changed.
        """
        table, dataset = self.table(dataset_id), self.fetch(dataset_id)
        check_files(dataset.name, dataset.report.get("seal"))
        return table

    def change_since(self, dataset: Dataset) -> str | None:
        """What of the files is no longer as it was imported, in a sentence; None where nothing is.

        Looked at are the metadata, a sample of the images and, where there is no metadata, what lies in the folders.
        """
        try:
            self.table_of(dataset)
            check_files(dataset.name, dataset.report.get("seal"))
        except (DataRefusedError, NotFoundError) as error:
            return str(error)
        return news_of_folders(dataset.name, dataset.report.get("seal"))

    def versions(self, root: str, name: str) -> list[Dataset]:
        """What was registered from this folder under this name, the newest first."""
        return [one for one in self.all() if (one.root, one.name) == (root, name)]

    def news_of(self, table: ImageTable) -> str:
        """How a table differs from the newest version of it, in a sentence; "" where it is the first."""
        for version in self.versions(str(table.root), table.name)[:1]:
            same = version.fingerprint == table.fingerprint
            found = "the same table" if same else in_words(changes(self.table_of(version), table))
            return f"Registered as {version.name} {version.id} on {version.created_at:%Y-%m-%d}; now {found}."
        return ""

    def before(self, dataset: Dataset) -> Dataset:
        """The version that was registered before this one.

        Raises:
            NotFoundError: it is the first.
        """
        older = [one for one in self.versions(dataset.root, dataset.name) if one.created_at < dataset.created_at]
        if not older:
            raise NotFoundError(f"{dataset.name} {dataset.id} has no version before it: name the one to compare with.")
        return older[0]

    def delete(self, dataset_id: str, by: str = "local") -> None:
        """Forget a data set. Its images stay where they are.

        Raises:
            ConflictError: runs were made on it.
        """
        dataset = self.fetch(dataset_id)
        runs = schema.runs
        used = sa.select(sa.func.count()).where(runs.c.dataset_id == dataset_id, runs.c.deleted_at.is_(None))
        with self._database.write() as connection:
            n_runs = connection.execute(used).scalar_one()
            if n_runs:
                raise ConflictError(f"{dataset.name} has {n_runs} runs: delete them first.")
            now = self._database.now(connection)
            connection.execute(_t.update().where(_t.c.id == dataset_id).values(deleted_at=now))
            self._events.note(connection, by, "dataset.deleted", dataset_id, {"name": dataset.name})
        self._artifacts.remove_dataset(dataset_id)
        with self._lock:
            self._tables.pop(dataset_id, None)

    def _keep(self, dataset_id: str, table: ImageTable) -> None:
        try:
            draft = self._artifacts.dataset_draft(dataset_id)
            table.save(draft)
            self._artifacts.publish_dataset(dataset_id, draft)
        except OSError as error:
            self._artifacts.remove_dataset(dataset_id)
            raise StoreUnavailableError(
                f"The table of {table.name} cannot be kept ({error.strerror or error}): free some space in SLIM_HOME."
            ) from error

    def _seal_anew(self, dataset: Dataset, table: ImageTable, report: Any) -> None:
        """The same table was imported again: what its files are now counts from here on."""
        recorded = dataset.report | {"seal": file_records(table, report.metadata)}
        with self._database.write() as connection:
            connection.execute(_t.update().where(_t.c.id == dataset.id).values(report=recorded))

    def _mend(self, dataset: Dataset, table: ImageTable) -> None:
        """Keep the table anew where the kept one is gone or changed."""
        with self._lock:
            try:
                self._load(dataset)
            except (NotFoundError, DataRefusedError):
                self._keep(dataset.id, table)

    def _load(self, dataset: Dataset) -> ImageTable:
        try:
            table = ImageTable.load(self._artifacts.dataset_folder(dataset.id))
        except (ValueError, KeyError, TypeError, OSError) as error:  # Arrow's and those of JSON
            raise DataRefusedError(
                f"The kept table of {dataset.name} is damaged: import the data set again."
            ) from error
        if table.fingerprint != dataset.fingerprint:
            raise DataRefusedError(f"The kept table of {dataset.name} has been changed: import the data set again.")
        return table

    def _insert(self, connection: Connection, dataset_id: str, table: ImageTable, report: Any, by: str) -> None:
        connection.execute(
            _t.insert().values(
                id=dataset_id,
                name=table.name[:200],
                root=str(table.root),
                format=report.format,
                n_images=len(table),
                n_classes=table.n_classes,
                n_attributes=table.n_attributes,
                fingerprint=table.fingerprint,
                report=report.to_json() | {"seal": file_records(table, report.metadata)},
                created_by=by,
                created_at=self._database.now(connection),
            )
        )
        self._events.note(connection, by, "dataset.registered", dataset_id, {"name": table.name})

    def _by_fingerprint(self, fingerprint: str) -> Dataset | None:
        return self._one(_t.c.fingerprint == fingerprint)

    def _one(self, where: sa.ColumnElement[bool]) -> Dataset | None:
        with self._database.read() as connection:
            return _newest(connection, where)


def find_dataset(connection: Connection, dataset_id: str) -> Dataset | None:
    """The data set of this id, if there is one and it was not deleted."""
    return _newest(connection, _t.c.id == dataset_id)


def _newest(connection: Connection, where: sa.ColumnElement[bool]) -> Dataset | None:
    query = sa.select(*_COLUMNS).where(where, _t.c.deleted_at.is_(None)).order_by(_t.c.created_at.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else Dataset(**row)
