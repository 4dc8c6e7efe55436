"""Data sets: registered by path, kept as a table. Their images are never copied, changed or deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from slim_core.data.table import ImageTable, check_unchanged, file_records, news_of_folders
from slim_core.errors import ConflictError, DataRefusedError, NotFoundError
from slim_core.store import schema
from slim_core.store.artifacts import Artifacts
from slim_core.store.database import Database, StoreUnavailableError, new_id
from slim_core.store.events import Events
from slim_core.store.shape_rows import Carried, carried, newest_seq, newest_shapes
from slim_core.store.shape_rows import insert as insert_shapes

_TABLES_KEPT = 4  # in memory; a table of a million rows takes about 300 MB
_FILE_RECORDS = "seal"  # of a report: what ``file_records`` says of the files, under the name it has in databases
_t = schema.datasets


class _Imported(Protocol):
    @property
    def table(self) -> ImageTable | None: ...

    @property
    def report(self) -> Any: ...


class _DrawnMeanwhileError(Exception):
    """Somebody drew on the version before while its drawings were read: read them again."""


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

    @property
    def imported_as(self) -> str:
        """Its name at the import, by which its versions are found; people may rename it."""
        return str(self.report.get("name") or self.name)

    @property
    def recorded_files(self) -> Mapping[str, Any] | None:
        """Its files as they were at the import, for ``check_unchanged``; None where nothing was kept."""
        return self.report.get(_FILE_RECORDS)

    def known_otherwise(self, name: str) -> str:
        """That what was imported as ``name`` is this data set already, in a sentence; "" where the name is its own."""
        if name in (self.name, self.imported_as):
            return ""
        return f"These images are already registered as {self.name}: they cannot be registered as {name}."


_COLUMNS = [_t.c[name] for name in Dataset.__dataclass_fields__]


class KeptTables:
    """The tables that were used last; of one process, for whoever reads."""

    def __init__(self) -> None:
        self.kept: dict[str, ImageTable] = {}
        self.lock = threading.Lock()


class Datasets:
    """The registered data sets."""

    def __init__(self, database: Database, artifacts: Artifacts, events: Events, home: Path) -> None:
        self._database, self._artifacts, self._events, self._home = database, artifacts, events, home
        self.tables = KeptTables()

    def register(self, imported: _Imported, by: str = "local") -> Dataset:
        """Keep an imported table; the same content at the same place is the same data set.

        Raises:
            DataRefusedError: the import found errors, so there is no table.
        """
        table, report = imported.table, imported.report
        if table is None:
            raise DataRefusedError(
                "The data set was refused on import: fix what the report names, then import it again."
            )
        known = self._by_fingerprint(table.fingerprint)
        if known is not None:
            self._record_files_anew(known, table, report)
            self._mend(known, table)
            return self.fetch(known.id)
        dataset_id = new_id("d")
        drawn = self._drawn_before(table)
        try:
            with self._kept(dataset_id, table), self._database.write() as connection:
                self._insert(connection, dataset_id, table, report, by, drawn)
        except _DrawnMeanwhileError:
            return self.register(imported, by)
        except IntegrityError:  # someone registered the same a moment ago
            return self._by_fingerprint(table.fingerprint) or self.register(imported, by)
        return self.fetch(dataset_id)

    def fetch(self, dataset_id: str) -> Dataset:
        """The data set of this id.

        Raises:
            NotFoundError: it does not exist, or was removed.
        """
        found = self._one(_t.c.id == dataset_id)
        if found is None:
            raise NotFoundError(
                self.removal_of(dataset_id)
                or f"There is no data set {dataset_id}: import it, or choose one on the Data page."
            )
        return found

    def removal_of(self, dataset_id: str) -> str | None:
        """That, and when, a data set was removed, in a sentence; None where it is there, or never was."""
        query = sa.select(_t.c.name, _t.c.deleted_at).where(_t.c.id == dataset_id, _t.c.deleted_at.is_not(None))
        with self._database.read() as connection:
            gone = connection.execute(query).first()
        if gone is None:
            return None
        return (
            f"The data set {gone.name} ({dataset_id}) was removed on {gone.deleted_at:%Y-%m-%d}: choose another, or "
            "register its folder again on the Data page."
        )

    def find(self, id_or_name: str) -> Dataset | None:
        """The data set of this id, else the newest of this name, with whatever spaces it is typed; else None."""
        return self._one(_t.c.id == id_or_name) or self._one(_t.c.name.in_((id_or_name, normalise_spaces(id_or_name))))

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
        with self.tables.lock:
            kept = self.tables.kept
            table = kept.pop(dataset.id, None) or self._load(dataset)
            kept[dataset.id] = table
            while len(kept) > _TABLES_KEPT:
                kept.pop(next(iter(kept)))
        if not table.root.is_dir():
            raise DataRefusedError(
                f"The images of {dataset.name} are no longer in {table.root}: move them back, or import the data set "
                f"from where they are now."
            )
        return table

    def unchanged_table(self, dataset_id: str) -> ImageTable:
        """The table of a data set whose files are still those that were imported (slim_core.data.table).

        Raises:
            NotFoundError: there is no such data set.
            DataRefusedError: its folder has moved, its metadata has changed, or images are missing or changed.
        """
        table, dataset = self.table(dataset_id), self.fetch(dataset_id)
        check_unchanged(dataset.name, dataset.recorded_files)
        return table

    def change_since(self, dataset: Dataset) -> str | None:
        """What of the files is no longer as it was imported, in a sentence; None where nothing is.

        Looked at are the metadata, a sample of the images and, where there is no metadata, what lies in the folders.
        """
        try:
            self.table_of(dataset)
            check_unchanged(dataset.name, dataset.recorded_files)
        except (DataRefusedError, NotFoundError) as error:
            return str(error)
        return news_of_folders(dataset.name, dataset.recorded_files)

    def versions(self, dataset: Dataset) -> list[Dataset]:
        """What was registered from the folder of a data set under the same name, the newest first; itself included."""
        return self.versions_at(dataset.root, dataset.imported_as)

    def versions_at(self, root: Path | str, imported_as: str) -> list[Dataset]:
        """What was registered from a folder under a name, the newest first."""
        with self._database.read() as connection:
            return versions_of(connection, str(root), imported_as)

    def kept_table(self, dataset: Dataset) -> ImageTable:
        """The table of a data set, also where its images have moved, or it was removed and its table is still there.

        Raises:
            NotFoundError, DataRefusedError: its table is gone, or is not the registered one.
        """
        with self.tables.lock:
            return self.tables.kept.get(dataset.id) or self._load(dataset)

    def forget(self, dataset_id: str) -> None:
        """Drop the table of a data set that was removed from memory."""
        with self.tables.lock:
            self.tables.kept.pop(dataset_id, None)

    @contextmanager
    def _kept(self, dataset_id: str, table: ImageTable) -> Iterator[None]:
        """Keep a table while its row is written in the block; where that fails, neither is there."""
        with self._artifacts.dataset_draft(dataset_id) as draft:
            try:
                self._write(dataset_id, table, draft)
                yield
            except BaseException:  # Ctrl-C, too
                with suppress(StoreUnavailableError):  # whether there is a row is known once workers start
                    if self._one(_t.c.id == dataset_id) is None:
                        self._artifacts.remove(dataset_id)
                raise

    def _write(self, dataset_id: str, table: ImageTable, draft: Path) -> None:
        try:
            table.save(draft)
            self._artifacts.publish(dataset_id, 1)
        except OSError as error:
            raise StoreUnavailableError(
                f"The table of {table.name} cannot be kept ({error.strerror or error}): free some space in "
                f"{self._home}."
            ) from error

    def _record_files_anew(self, dataset: Dataset, table: ImageTable, report: Any) -> None:
        """The same table was imported again: what its files are now counts from here on."""
        recorded = dataset.report | {_FILE_RECORDS: file_records(table, report.metadata)}
        with self._database.write() as connection:
            connection.execute(_t.update().where(_t.c.id == dataset.id).values(report=recorded))

    def _mend(self, dataset: Dataset, table: ImageTable) -> None:
        """Keep the table anew where the kept one is gone or changed."""
        with self.tables.lock:
            try:
                self._load(dataset)
            except (NotFoundError, DataRefusedError):
                with self._kept(dataset.id, table):
                    pass  # its row is there

    def _load(self, dataset: Dataset) -> ImageTable:
        try:
            table = ImageTable.load(self._artifacts.folder(dataset.id))
        except (ValueError, KeyError, TypeError, OSError) as error:  # Arrow's and those of JSON
            raise DataRefusedError(
                f"The kept table of {dataset.name} is damaged: import the data set again."
            ) from error
        if table.fingerprint != dataset.fingerprint:
            raise DataRefusedError(f"The kept table of {dataset.name} has been changed: import the data set again.")
        return table

    def _drawn_before(self, table: ImageTable) -> Carried:
        """What people drew on the version before this one, for the images that it still has."""
        with self._database.read() as connection:
            before = next(iter(versions_of(connection, str(table.root), table.name)), None)
            if before is None:
                return Carried()
            seq, shapes = newest_seq(connection, before.id), newest_shapes(connection, before.id)
        if not shapes:
            return Carried(seq=seq)
        try:
            return replace(carried(before.id, self.kept_table(before), table, shapes), seq=seq)
        except (NotFoundError, DataRefusedError):  # nobody knows any more which images they are on
            return Carried(before.id, left=tuple(f"image {row}" for row in shapes), seq=seq)

    def _insert(
        self, connection: Connection, dataset_id: str, table: ImageTable, report: Any, by: str, drawn: Carried
    ) -> None:
        earlier = _held_versions(connection, str(table.root), table.name)
        if earlier and newest_seq(connection, earlier[0].id) != drawn.seq:
            raise _DrawnMeanwhileError
        connection.execute(
            _t.insert().values(
                id=dataset_id,
                name=earlier[0].name if earlier else normalise_spaces(table.name)[:200],
                root=str(table.root),
                format=report.format,
                n_images=len(table),
                n_classes=table.n_classes,
                n_attributes=table.n_attributes,
                fingerprint=table.fingerprint,
                report=_recorded(table, report, drawn),
                created_by=by,
                created_at=self._database.now(connection),
            )
        )
        insert_shapes(connection, dataset_id, drawn.shapes)
        self._events.note(connection, by, "dataset.registered", dataset_id, {"name": table.name})

    def _by_fingerprint(self, fingerprint: str) -> Dataset | None:
        return self._one(_t.c.fingerprint == fingerprint)

    def _one(self, where: sa.ColumnElement[bool]) -> Dataset | None:
        with self._database.read() as connection:
            return _newest(connection, where)


def _recorded(table: ImageTable, report: Any, drawn: Carried) -> dict[str, Any]:
    """What is kept of an import: its report, what came along of the drawings, and the files as they are now."""
    found: dict[str, Any] = replace(report, findings=(*report.findings, *drawn.findings())).to_json()
    return found | {_FILE_RECORDS: file_records(table, report.metadata)}


def find_dataset(connection: Connection, dataset_id: str) -> Dataset | None:
    """The data set of this id, if there is one and it was not removed."""
    return _newest(connection, _t.c.id == dataset_id)


def hold_dataset(connection: Connection, dataset_id: str, *, alone: bool = False) -> None:
    """Keep a data set from being removed until the transaction ends, which adds something to it.

    ``alone``: others that add something wait until then.

    Raises:
        NotFoundError: it was removed a moment ago.
    """
    query = sa.select(_t.c.name).where(_t.c.id == dataset_id, _t.c.deleted_at.is_(None))
    if connection.execute(query.with_for_update(read=not alone)).first() is None:
        raise NotFoundError(f"The data set {dataset_id} was removed meanwhile: choose another on the Data page.")


def _held_versions(connection: Connection, root: str, imported_as: str) -> list[Dataset]:
    """``versions_of``, whose name stays what it is until the transaction ends, which takes it over."""
    ids = [one.id for one in versions_of(connection, root, imported_as)]
    connection.execute(sa.select(_t.c.id).where(_t.c.id.in_(ids)).order_by(_t.c.id).with_for_update(read=True))
    return versions_of(connection, root, imported_as)


def versions_of(connection: Connection, root: str, imported_as: str) -> list[Dataset]:
    """What was registered from a folder under a name, the newest first."""
    query = sa.select(*_COLUMNS).where(_t.c.root == root, _t.c.deleted_at.is_(None))
    found = connection.execute(query.order_by(_t.c.created_at.desc())).mappings()
    return [one for one in (Dataset(**row) for row in found) if one.imported_as == imported_as]


def normalise_spaces(name: str) -> str:
    """A name as it is kept: one space between its words, none around them."""
    return " ".join(name.split())


def rename(connection: Connection, dataset_id: str, name: str) -> None:
    """Rename a data set and its other versions, for all of which a name stands.

    Data sets are renamed one at a time, so that the second of two sees the name that the first has got.

    Raises:
        NotFoundError: there is no such data set.
        ConflictError: another data set has this name.
    """
    there = sa.select(_t.c.id).where(_t.c.deleted_at.is_(None)).order_by(_t.c.id)
    connection.execute(there.with_for_update(key_share=True))
    found = _newest(connection, _t.c.id == dataset_id)
    if found is None:
        raise NotFoundError(f"There is no data set {dataset_id}: choose one on the Data page.")
    versions = [one.id for one in versions_of(connection, found.root, found.imported_as)]
    others = sa.select(_t.c.id).where(_t.c.name == name, _t.c.deleted_at.is_(None), _t.c.id.not_in(versions))
    taken = connection.execute(others.limit(1)).scalar()
    if taken is not None:
        raise ConflictError(f"{name} is the name of the data set {taken}: choose another.")
    connection.execute(_t.update().where(_t.c.id.in_(versions)).values(name=name))


def _newest(connection: Connection, where: sa.ColumnElement[bool]) -> Dataset | None:
    query = sa.select(*_COLUMNS).where(where, _t.c.deleted_at.is_(None)).order_by(_t.c.created_at.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else Dataset(**row)
