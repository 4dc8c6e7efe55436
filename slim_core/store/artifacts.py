"""The files of runs and data sets: written aside, then published by one rename; kept locally or behind an fsspec URL.

    runs/<id>/                 what a finished run left (local; with a URL, the local copy of it)
    datasets/<id>/             the table of a data set
    work/<id>/attempt-N/       what attempt N writes; becomes runs/<id>/ or datasets/<id>/
    work/<id>/checkpoints/     kept across attempts, removed when the run is done

With a URL, ``<url>/runs/<id>/attempt-N/...`` holds the files and ``<url>/runs/<id>/published.json``, written last,
says which attempt counts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Row

from slim_core import result_files
from slim_core.errors import NotFoundError, PathRefusedError, RunLostError
from slim_core.result_files import attempt_folder, attempt_of
from slim_core.store import schema
from slim_core.store.database import Database, StoreUnavailableError, disk_error, make_folder, new_id
from slim_core.store.remote import Remote
from slim_core.store.runs.rows import UNFINISHED, label_of

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_GONE = "gone"  # in the hidden name of what is being removed
_TAKEN = "taken"  # in that of what makes way for a later attempt
RECORDS = (result_files.PUBLISHED, result_files.LOG, result_files.SPEC, result_files.ENVIRONMENT, result_files.METRICS)


class Artifacts:
    """Folders by the id of a run, or of a data set, which begins with "d-".

    Only ids of small letters, digits and "-" are taken, so nothing leaves the home.

    ``database``: tells of a run whose artifacts are missing what it is, and what to do.
    """

    def __init__(self, home: Path, url: str | None = None, database: Database | None = None) -> None:
        self._database = database
        self._fresh: set[Path] = set()  # local copies known to be the published ones
        self._behind: dict[Path, dict[str, int]] = {}  # name -> bytes of what lies behind the URL and not here
        folder = local_folder(url) if url else home
        self._home = folder or home
        self._remote = Remote(url) if url and folder is None else None

    def require_place(self) -> None:
        """Refuse a URL behind which nothing could be published; nothing where the artifacts are a local folder.

        Raises:
            RemoteAwayError: its server does not answer now.
            StoreUnavailableError: it cannot be used.
        """
        if self._remote:
            self._remote.require()

    def attempt(self, run_id: str, n: int) -> Path:
        """The folder attempt ``n`` writes into, made where it is missing."""
        return make_folder(self._work(run_id) / attempt_folder(n))

    def checkpoints(self, run_id: str) -> Path:
        """The folder of a run's checkpoints, kept across its attempts, made where it is missing."""
        return make_folder(self._work(run_id) / "checkpoints")

    def log(self, run_id: str) -> Path | None:
        """The log.txt of the newest attempt of a run that has one, published or on this machine; None where none has.

        One after that which was published there is where its worker was killed before the run was done.
        """
        published = self._place(run_id)
        attempts = {attempt_of(path.name): path for path in self._work(run_id).glob(attempt_folder("*"))}
        attempts[_published(published)] = published
        found = (attempts[n] / result_files.LOG for n in sorted(attempts, reverse=True))
        return next((path for path in found if path.is_file()), None)

    def publish(self, run_id: str, attempt: int) -> Path:
        """Make what an attempt wrote the artifacts of its run, at once and as a whole.

        Raises:
            RunLostError: a later attempt has published already.
        """
        source = self._work(run_id) / attempt_folder(attempt)
        if not source.is_dir():
            raise NotFoundError(f"Run {run_id} has no attempt {attempt} to publish.")
        target = self._place(run_id)
        _refuse_earlier(target, attempt)
        _mark(source, attempt)
        make_folder(target.parent)
        if self._remote:
            self._remote.upload(source, _address(run_id), attempt)
            self._behind.pop(target, None)
        _put(source, target, attempt)
        return target

    def folder(self, run_id: str) -> Path:
        """The local folder of a finished run's artifacts, or of a data set's table; fetched first where it is not here.

        Raises:
            NotFoundError: nothing has been published under this id.
        """
        target, counts = self._place(run_id), self._newer(run_id)
        if self._remote and counts:
            make_folder(target.parent)
            try:  # the draft goes also where the server went away; where this process is killed, by the next fetch
                with result_files.draft_of(target, is_folder=True) as draft:
                    self._remote.download(_address(run_id), counts, draft)
                    while not _renamed(draft, target) and _published(target) != counts:
                        discard(target)
            except OSError as error:
                raise disk_error(error) from error
            self._fresh.add(target)
            self._behind.pop(target, None)
        return target

    def has(self, run_id: str, name: str) -> bool:
        """True where the run has published a file of this name; none is fetched for the answer."""
        try:
            behind = self._not_here(run_id)
        except NotFoundError:
            return False
        target = self._place(run_id)
        path = confined(target, name)
        return path.exists() if behind is None else path.relative_to(target.resolve()).as_posix() in behind

    def sizes(self, run_id: str) -> dict[str, int]:
        """Name -> bytes of each file that the run has published; none is fetched for the answer.

        Raises:
            NotFoundError: nothing has been published under this id.
        """
        behind = self._not_here(run_id)
        return sizes_in(self._place(run_id)) if behind is None else dict(behind)

    def remove(self, run_id: str) -> None:
        """Remove a run's artifacts, attempts and checkpoints, or a data set's table. Nothing else: images stay."""
        if self._remote:
            self._remote.remove(_address(run_id))
            self._behind.pop(self._place(run_id), None)
        for folder in self.places(run_id):
            discard(folder)

    def places(self, run_id: str) -> tuple[Path, Path]:
        """Where the files of a run or data set lie on this machine, if they do: the published ones, and attempts."""
        return self._place(run_id), self._work(run_id)

    def keep_records(self, run_id: str) -> None:
        """Remove what a run made, and keep what tells of it: log, spec, environment and metrics."""
        if self._remote:
            self._remote.keep_only(_address(run_id), RECORDS)
            self._behind.pop(self._place(run_id), None)
        for path in self._place(run_id).rglob("*"):
            if path.is_file() and path.name not in RECORDS:
                path.unlink(missing_ok=True)

    def tidy(self, run_id: str) -> None:
        """Remove the attempts and checkpoints of a finished run."""
        discard(self._work(run_id))

    @contextmanager
    def dataset_draft(self, dataset_id: str) -> Iterator[Path]:
        """A folder to write a data set's table into before it is published; the block ends once its row is there.

        The folder above it says until then that the data set is being registered, and is held by a lock: what a killed
        process has left is found by it (slim_core.store.removal).
        """
        work = make_folder(self._work(dataset_id))
        with result_files.locked(work):
            yield make_folder(work / attempt_folder(1))
            with suppress(StoreUnavailableError):  # it is registered; removed when workers start
                discard(work)

    def _newer(self, name: str) -> int:
        """The attempt that counts, where it has to be fetched first; 0 where it is here."""
        target = self._place(name)
        here = _published(target)
        if self._remote is None:
            return 0 if here else self._refuse(name)
        if here and target in self._fresh:
            return 0
        counts = self._remote.attempt(_address(name)) or self._refuse(name)
        if counts != here:
            return counts
        self._fresh.add(target)
        return 0

    def _not_here(self, run_id: str) -> dict[str, int] | None:
        """Name -> bytes of a run's files, asked once, where they lie behind the URL alone; None where they are here."""
        target = self._place(run_id)
        found = self._behind.get(target)
        if found is None:
            attempt = self._newer(run_id)
            if not self._remote or not attempt:
                return None
            found = self._behind[target] = self._remote.files(_address(run_id), attempt)
        return found

    def _refuse(self, name: str) -> NoReturn:
        raise NotFoundError(_why_missing(self._database, _address(name)))

    def _work(self, name: str) -> Path:
        return self._home / "work" / _checked(name)

    def _place(self, name: str) -> Path:
        return self._home / _address(name)


def _address(name: str) -> str:
    return f"{'datasets' if _checked(name).startswith('d-') else 'runs'}/{name}"


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise PathRefusedError(f"{name!r} is not an id: ids are lower-case letters, digits and '-'.")
    return name


def local_folder(url: str) -> Path | None:
    """The folder on this machine that a URL names, as a path or as file://; None of any other."""
    return Path(url.removeprefix("file://")) if "://" not in url or url.startswith("file://") else None


def confined(folder: Path, name: str) -> Path:
    """The file of this name inside the folder.

    Raises:
        PathRefusedError: the name leads out of it.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise PathRefusedError(f"{name!r} leads out of {folder.name}: name a file inside it.")
    return path


def sizes_in(folder: Path) -> dict[str, int]:
    """Name -> bytes of each file in a folder and those below it, in order; links are left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def ids_in(*areas: Path) -> set[str]:
    """The ids of the runs and data sets of which there is a folder in one of these."""
    return {path.name for area in areas if area.is_dir() for path in area.iterdir() if _ID.fullmatch(path.name)}


def _mark(folder: Path, attempt: int) -> None:
    try:
        (folder / result_files.PUBLISHED).write_text(json.dumps({"attempt": attempt}))
    except OSError as error:
        raise StoreUnavailableError(
            f"The artifacts in {folder} cannot be published ({error.strerror}): free some space, then retry the run."
        ) from error


def _published(folder: Path) -> int:
    """Number of the attempt a published folder came from; 0 where there is none."""
    try:
        return int(json.loads((folder / result_files.PUBLISHED).read_text())["attempt"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # not there, or damaged: then all may be
        return 0


def _refuse_earlier(target: Path, attempt: int) -> None:
    if _published(target) > attempt:
        raise RunLostError(f"A later attempt of {target.name} has been published: this one is dropped.")


def _put(source: Path, target: Path, attempt: int) -> None:
    """Rename a published folder to where it belongs, in place of that of an earlier attempt.

    What makes way is looked at once more when nobody else can change it: after the first look this process may
    have been suspended for so long that a later attempt has published, is done and has tidied up.
    """
    made_way = []
    while not _renamed(source, target):
        _refuse_earlier(target, attempt)
        if (taken := _aside(target, _TAKEN)) is None:
            continue
        if (later := _published(taken)) > attempt:
            _put(taken, target, later)
            _refuse_earlier(target, attempt)
        made_way.append(taken)
    for taken in made_way:
        shutil.rmtree(taken, ignore_errors=True)


def _renamed(source: Path, target: Path) -> bool:
    """Rename a folder; False where a folder with files is in the way."""
    try:
        os.rename(source, target)
    except OSError as error:
        if target.is_dir() and source.is_dir():
            return False
        raise StoreUnavailableError(f"{source} cannot be moved to {target} ({error.strerror}).") from error
    return True


def discard(folder: Path) -> None:
    """Remove a folder or a file: out of sight at once, then file by file.

    Raises:
        StoreUnavailableError: it may not be removed.
    """
    aside = _aside(folder, _GONE)
    if aside is not None and aside.is_dir():
        shutil.rmtree(aside, ignore_errors=True)
    elif aside is not None:
        aside.unlink(missing_ok=True)


def _aside(folder: Path, why: str) -> Path | None:
    """The folder or file under a hidden name of its own; None where it is gone."""
    aside = folder.with_name(f".{folder.name}.{new_id(why)}")
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailableError(f"{folder} cannot be removed ({error.strerror}): check its permissions.") from error
    return aside


def put_back(area: Path) -> None:
    """What made way in a folder for an attempt whose process was killed before it was there."""
    for taken in area.glob(f".*.{_TAKEN}-*"):
        target = area / taken.name[1:].rpartition(".")[0]
        if (attempt := _published(taken)) > _published(target):
            with suppress(RunLostError):
                _put(taken, target, attempt)
        shutil.rmtree(taken, ignore_errors=True)


def finish_discards(folder: Path) -> None:
    """Remove what was put out of sight in a folder to be removed, by a process that was killed over it."""
    for left in folder.glob(f".*.{_GONE}-*"):
        shutil.rmtree(left, ignore_errors=True)


def _why_missing(database: Database | None, place: str) -> str:
    """The sentence about ``place``: "runs/<id>" or "datasets/<id>"; without a database nothing is known of them."""
    area, _, name = place.partition("/")
    row = None if database is None else _row(database, area, name)
    if row is None:
        return f"There are no artifacts of {name}: it has not finished, or they were deleted."
    if area == "datasets" and row.deleted_at is not None:
        return f"The data set {row.name} ({name}) was removed: choose another, or register its folder again."
    if area == "datasets":
        return (
            f"There is no table of the data set {row.name} ({name}): put {place} back from a backup, or import its "
            f"folder {row.root} again."
        )
    what = f"There are no artifacts of {name}, the {row.kind} run {row.name or row.kind}"
    if row.deleted_at is not None:
        return f"{what}: it was deleted, so choose another."
    if row.status == "done":
        return (
            f"{what}: put {place} back from a backup, or press Run again on its Jobs page and continue with the new "
            "run."
        )
    if row.status in UNFINISHED:
        return f"{what}: it is {label_of(row.status)}, so retry it on its Jobs page."
    return f"{what}: it is {label_of(row.status)}, so wait until it is done."


def _row(database: Database, area: str, name: str) -> Row[tuple[object, ...]] | None:
    table = schema.datasets if area == "datasets" else schema.runs
    wanted = ("name", "root", "deleted_at") if area == "datasets" else ("name", "kind", "status", "deleted_at")
    with database.read() as connection:
        return connection.execute(sa.select(*(table.c[one] for one in wanted)).where(table.c.id == name)).first()
