"""Everything that the database holds, in one file: taken at one moment while work goes on, and put into an empty one.

A zip of about.json, tables/<name>.jsonl (a row a line), artifacts.jsonl (what each finished run has left: files and
bytes) and the tables of the data sets; with ``artifacts`` also the files of the runs. Images are in none. The rows are
plain JSON, so that a backup of SQLite can be put into PostgreSQL.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import ConflictError, NotFoundError, SlimError
from slim_core.result_files import PUBLISHED, draft_of, not_written
from slim_core.settings import Settings, redact_url
from slim_core.store import Store, schema
from slim_core.store.artifacts import local_folder, sizes_in
from slim_core.store.database import Database, StoreUnavailableError, make_folder
from slim_core.store.home import keep_private
from slim_core.store.migrations import migrate, of_another_schema
from slim_core.store.remote import Remote
from slim_core.store.runs.rows import WHOLE
from slim_core.version import code_version

FORMAT = "slim-backup-1"
TRANSIENT = ("leases", "workers")  # who looks at what, and who is there: of the moment
AT_ONCE = 2_000  # rows of a statement
_FILE = re.compile(r"(runs|datasets)/([a-z0-9][a-z0-9-]{0,63})/(.+)")
_ABOUT, _ARTIFACTS = "about.json", "artifacts.jsonl"
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, KeyError, ValueError)


class BackupRefusedError(SlimError):
    """A file is no backup, or not one for this version; or it cannot be written."""


@dataclass(frozen=True)
class BackedUp:
    """What a backup holds."""

    rows: dict[str, int]  # table -> rows
    known: dict[str, int]  # table -> what people see of it: no shard of a run, nothing that was deleted


@dataclass(frozen=True)
class Restored(BackedUp):
    """What came of a backup that was put back."""

    missing: tuple[str, ...]  # runs and data sets whose files are not here


def back_up(store: Store, path: Path, *, artifacts: bool = False, overwrite: bool = False) -> BackedUp:
    """Write a backup, whole or not at all.

    Args:
        store: what is backed up.
        path: the file.
        artifacts: also the files of finished runs, which may be large.
        overwrite: a file of this name is replaced once the new one is whole.

    Raises:
        BackupRefusedError: the file cannot be written, or is there already.
        StoreUnavailableError: the database does not answer.
    """
    if path.exists() and not overwrite:  # perhaps the only copy of another database, or of this one before a mistake
        raise BackupRefusedError(f"{path} is there already: name another file, or add --overwrite.")
    try:
        with draft_of(path, is_folder=False) as draft:
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
                written, places = _write_tables(store, archive)
                _write_files(store, archive, places, artifacts=artifacts)
                about = {"format": FORMAT, "schema": schema.HEAD, "code": code_version(), "rows": written.rows}
                about |= {"at": datetime.now(UTC).isoformat(), "settings": _settings(store.settings)}
                archive.writestr(_ABOUT, json.dumps(about, indent=1))
            os.replace(draft, path)
    except OSError as error:
        raise BackupRefusedError(not_written(path, error)) from error
    return written


def restore(settings: Settings, path: Path) -> Restored:
    """Put a backup into the database of these settings, which must be empty, and its files beside it.

    They go where the artifacts are, into a folder or behind a URL; what is there is left as it is.

    Raises:
        BackupRefusedError: the file is no backup, is damaged, or is of another schema.
        ConflictError: the database is not empty.
        StoreUnavailableError: the home, the database or the artifacts cannot be written. The database is still empty
            then: once they can, the same restore goes on behind the files that were put back.
    """
    keep_private(make_folder(settings.home))
    database, folder = Database(settings.database), local_folder(settings.artifacts)
    try:
        with _opened(path) as archive:
            about = _about(archive, path)
            places = [json.loads(line)["place"] for line in archive.read(_ARTIFACTS).splitlines()]
            migrate(database)
            with database.write() as connection:
                _require_empty(connection, database)
                rows = {table.name: _read_table(connection, archive, table) for table in _tables()}
                _set_sequences(connection, database)
                if rows != about["rows"]:
                    raise BackupRefusedError(f"{path} is damaged: rows that it lists are missing.")
                # Files first: once the rows count, a restore that was killed or met a full disk cannot be repeated.
                of_place = _files_of(archive, places)
                missing = _read_files(archive, folder, of_place) if folder else _upload(archive, settings, of_place)
            with database.read() as connection:
                known = _known(connection)
    finally:
        database.close()
    keep_private(settings.home)
    return Restored(rows, known, missing)


def _write_tables(store: Store, archive: zipfile.ZipFile) -> tuple[BackedUp, list[str]]:
    """(what was written; "runs/<id>" and "datasets/<id>" of what was finished then), all of one moment."""
    rows: dict[str, int] = {}
    with store.database.snapshot() as connection:
        for table in _tables():
            rows[table.name] = _write_table(connection, archive, table)
        runs, datasets = schema.runs.c, schema.datasets.c
        done = sa.select(runs.id).where(runs.status == "done", runs.deleted_at.is_(None))
        kept = sa.select(datasets.id).where(datasets.deleted_at.is_(None))
        places = [f"runs/{one}" for one in connection.execute(done).scalars()]
        places += [f"datasets/{one}" for one in connection.execute(kept).scalars()]
        written = BackedUp(rows, _known(connection))
    return written, places


def _known(connection: Connection) -> dict[str, int]:
    """How many runs, campaigns and answers people know of."""
    runs, campaigns = schema.runs.c, schema.campaigns.c
    which = {
        schema.runs: (runs.deleted_at.is_(None), WHOLE),
        schema.campaigns: (campaigns.deleted_at.is_(None),),
        schema.answers: (),
    }
    counts = {one: sa.select(sa.func.count()).select_from(one).where(*clauses) for one, clauses in which.items()}
    return {one.name: int(connection.execute(query).scalar_one()) for one, query in counts.items()}


def _write_table(connection: Connection, archive: zipfile.ZipFile, table: sa.Table) -> int:
    n = 0
    found = connection.execution_options(yield_per=AT_ONCE).execute(sa.select(table).order_by(*table.primary_key))
    with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as file:
        for row in found.mappings():
            file.write(json.dumps(dict(row), default=datetime.isoformat).encode() + b"\n")
            n += 1
    return n


def _write_files(store: Store, archive: zipfile.ZipFile, places: Iterable[str], *, artifacts: bool) -> None:
    """The manifest, and the files that go into the backup; what is deleted meanwhile is left out."""
    lines: list[str] = []
    for place in places:
        area, _, name = place.partition("/")
        with contextlib.suppress(NotFoundError, FileNotFoundError):
            if area == "runs" and not artifacts:
                lines.append(_line(place, store.artifacts.sizes(name)))
                continue
            folder = store.artifacts.folder(name)
            sizes = sizes_in(folder)
            for file in sizes:
                archive.write(folder / file, f"{place}/{file}")
            lines.append(_line(place, sizes))  # now it is whole
    archive.writestr(_ARTIFACTS, "".join(f"{line}\n" for line in lines))


def _line(place: str, sizes: Mapping[str, int]) -> str:
    return json.dumps({"place": place, "files": len(sizes), "bytes": sum(sizes.values())})


def _settings(settings: Settings) -> dict[str, str]:
    """For whoever puts it back; without passwords, and nothing is taken from it."""
    given = settings.model_dump(exclude_none=True)  # whose secrets are asterisks as text
    addresses = {name: value for name, value in given.items() if name.endswith(("_url", "_uri"))}
    redacted = {
        name: ",".join(map(redact_url, [value] if isinstance(value, str) else value))
        for name, value in addresses.items()
    }
    return {name: str(value) for name, value in given.items()} | redacted


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    if not path.exists():
        raise BackupRefusedError(f"There is no file {path}: name one that slim backup wrote.")
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, *_DAMAGED) as error:
        raise BackupRefusedError(f"{path} is not a backup ({error}): name a file that slim backup wrote.") from error
    try:
        with archive:
            yield archive
    except _DAMAGED as error:
        raise BackupRefusedError(f"{path} is damaged ({error}): take another backup.") from error


def _about(archive: zipfile.ZipFile, path: Path) -> Mapping[str, Any]:
    about: Mapping[str, Any] = json.loads(archive.read(_ABOUT))
    if about.get("format") != FORMAT or not isinstance(about.get("schema"), str):
        raise BackupRefusedError(f"{path} is not a backup of this kind: name a file that slim backup wrote.")
    if about["schema"] != schema.HEAD:
        raise BackupRefusedError(of_another_schema(str(path), about["schema"]))
    return about


def _require_empty(connection: Connection, database: Database) -> None:
    """Refuse a database that has rows; nobody adds one before the transaction ends."""
    if not database.is_sqlite:  # whoever adds a row notes an event, and two may restore at once
        connection.execute(sa.text("LOCK TABLE events IN EXCLUSIVE MODE"))
    used = [one.name for one in _tables() if _has_rows(connection, one)]
    if used:
        raise ConflictError(
            f"The database {database.redacted_url} holds {', '.join(used)}: name an empty one, by another SLIM_HOME or "
            f"SLIM_DATABASE_URL."
        )


def _has_rows(connection: Connection, table: sa.Table) -> bool:
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None


def _tables() -> list[sa.Table]:
    """Those that a backup has, parents before what refers to them."""
    return [table for table in schema.metadata.sorted_tables if table.name not in TRANSIENT]


def _read_table(connection: Connection, archive: zipfile.ZipFile, table: sa.Table) -> int:
    times = [column.name for column in table.columns if isinstance(column.type, schema.UtcTime)]
    n, rows = 0, list[dict[str, Any]]()
    with archive.open(f"tables/{table.name}.jsonl") as file:
        for line in file:
            row = json.loads(line)
            rows.append(row | {name: datetime.fromisoformat(row[name]) for name in times if row.get(name)})
            if len(rows) == AT_ONCE:
                n += _insert(connection, table, rows)
    return n + _insert(connection, table, rows)


def _insert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    n = len(rows)
    if rows:
        values = {name: sa.bindparam(name, type_=_bound_as(table.c[name])) for name in rows[0]}
        connection.execute(table.insert().values(values), rows)
        rows.clear()
    return n


def _bound_as(column: sa.Column[Any]) -> sa.types.TypeEngine[Any]:
    """A JSON column that is empty is NULL, not the JSON null."""
    return sa.JSON(none_as_null=True) if isinstance(column.type, sa.JSON) else column.type


def _set_sequences(connection: Connection, database: Database) -> None:
    """PostgreSQL counts on from where the rows end; SQLite does so by itself."""
    if database.is_sqlite:
        return
    for table in schema.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            newest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(sa.select(sa.func.setval(sequence, newest, sa.false())))


Files = Mapping[str, list[tuple[str, str]]]  # of each folder: names in the archive, and in the folder


def _files_of(archive: zipfile.ZipFile, places: Iterable[str]) -> Files:
    """The files of each run and data set in the backup.

    ``places``: of which all files are in the backup; those of a run that was deleted meanwhile are not.
    """
    by_place: dict[str, list[tuple[str, str]]] = {place: [] for place in places}
    for member in archive.namelist():
        found = _FILE.fullmatch(member)
        if found and not {"..", ""} & set(PurePosixPath(found[3]).parts) and not found[3].startswith("/"):
            by_place.get(f"{found[1]}/{found[2]}", []).append((member, found[3]))
    return by_place


def _read_files(archive: zipfile.ZipFile, folder: Path, of_place: Files) -> tuple[str, ...]:
    """Each folder of a run or data set that is not here yet, whole or not at all. Returns those that are nowhere."""
    with _disk_explained(folder):
        for place, members in of_place.items():
            if members and not (folder / place).exists():
                draft = make_folder((folder / place).parent) / f".{(folder / place).name}.restored"
                shutil.rmtree(draft, ignore_errors=True)  # one name: what a kill has left is removed here
                try:
                    _extract(archive, draft, members)
                    draft.rename(folder / place)
                finally:
                    shutil.rmtree(draft, ignore_errors=True)
    return tuple(place for place in of_place if not (folder / place).is_dir())


def _upload(archive: zipfile.ZipFile, settings: Settings, of_place: Files) -> tuple[str, ...]:
    """As ``_read_files``, for artifacts behind a URL."""
    remote, missing = Remote(settings.artifacts), list[str]()
    for place, members in of_place.items():
        if remote.attempt(place):
            continue
        if not members:
            missing.append(place)
            continue
        aside = make_folder(settings.home / "work") / place.partition("/")[2]
        with _disk_explained(aside.parent), draft_of(aside, is_folder=True) as draft:
            _extract(archive, draft, members)
            remote.upload(draft, place, int(json.loads((draft / PUBLISHED).read_bytes())["attempt"]))
    return tuple(missing)


def _extract(archive: zipfile.ZipFile, folder: Path, members: Iterable[tuple[str, str]]) -> None:
    for member, name in members:
        make_folder((folder / name).parent)
        with archive.open(member) as source, (folder / name).open("wb") as file:
            shutil.copyfileobj(source, file)


@contextlib.contextmanager
def _disk_explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(
            f"The files of the backup cannot be written to {folder} ({error.strerror or error}): free some space "
            "there, then restore again."
        ) from error
