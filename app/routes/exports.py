"""Exports by address: one file on disk, made when it is asked for in a folder of its own that is removed once it was
sent, piece by piece.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import urlencode

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from app import session
from app.routes.assets import below
from app.routes.guard import guarded
from app.session import Viewer
from slim_core import locks
from slim_core.errors import ConflictError, SpecRefusedError
from slim_core.export import writing
from slim_core.export.forms import RECORD, Form, Source
from slim_core.export.writing import form_named, source_of
from slim_core.settings import settings
from slim_core.store.database import make_folder

LOCK = "lock"  # in each folder, held until it is removed: a process that ends, however it ends, lets go of it
UNHELD_S = 60.0  # how long a folder may be there before it is held


class ExportFolder:
    """A new folder of one's own, which no other thread or process sweeps away before it is removed.

    Raises:
        StoreUnavailableError: it cannot be made or written.
    """

    def __init__(self, exports: Path) -> None:
        self.path = make_folder(exports / secrets.token_hex(8))
        self._lock = _lock_of(self.path)
        with suppress(OSError):  # a disk without locks: then none is ever found free, and nothing is swept
            _take(self._lock)

    def remove(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep(exports: Path) -> None:
    """Remove the folders that nobody holds any more."""
    for folder in exports.iterdir() if exports.is_dir() else ():
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    try:
        if time.time() - folder.stat().st_mtime < UNHELD_S:
            return False
        with _lock_of(folder) as lock:
            _take(lock)
    except OSError:  # it is held, or gone meanwhile
        return False
    return True


def _lock_of(folder: Path) -> IO[str]:
    return (folder / LOCK).open("a")


def _take(lock: IO[str]) -> None:
    locks.take(lock.fileno())


FOLDER = "exports"  # in SLIM_HOME; empty but while something is sent
MOST_BYTES = 2 << 30  # of what a run has left; larger ones are exported by command
_one_at_a_time = threading.Lock()


def command(of: str, form: Form) -> str:
    """The command that writes the same, into a folder below the one where it is typed."""
    return f"slim export {of} {form.name} {form.name}-{of}"


def packed(source: Source, form: Form) -> tuple[Path, ExportFolder]:
    """The file of an export that has one, else all of them as a zip; and the folder that the caller removes then.

    What a crash has left is removed before.

    Raises:
        SpecRefusedError: the form is written by command alone, or the run is too large.
        ConflictError: another export is being written.
    """
    _require(source, form)
    if not _one_at_a_time.acquire(blocking=False):
        raise ConflictError("Another export is being written: try again in a moment.")
    exports = settings().home.resolve() / FOLDER
    try:
        sweep(exports)
        return _written(source, form, ExportFolder(exports))
    finally:
        _one_at_a_time.release()


def _written(source: Source, form: Form, folder: ExportFolder) -> tuple[Path, ExportFolder]:
    try:
        made = writing.export(session.store(), source.id, form.name, folder.path / f"{form.name}-{source.id}")
        return _pack(made), folder
    except BaseException:
        folder.remove()
        raise


def _require(source: Source, form: Form) -> None:
    by_command = f"write it with slim export {source.id} {form.name}, on the machine of the dashboard"
    if not form.downloads:
        raise SpecRefusedError(f"The form {form.name} is not sent to browsers: {by_command}.")
    size = sum(path.stat().st_size for path in source.folder.iterdir()) if source.is_run else 0
    if size > MOST_BYTES:
        raise SpecRefusedError(f"The files of {source.id} have {size / 1e9:.1f} GB, too much to send: {by_command}.")


def _pack(made: Path) -> Path:
    """The only file of the export, or the zip beside it."""
    files = [path for path in made.rglob("*") if path.is_file() and path.name != RECORD]
    if len(files) == 1:
        return files[0]
    packed = made.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as archive:  # stored: arrays and weights hardly shrink
        for path in [*files, made / RECORD]:
            archive.write(path, path.relative_to(made.parent))
    shutil.rmtree(made)
    return packed


def export_url(of: str, form: str, token: str) -> str:
    """Address of an export of a run or a campaign."""
    return below(f"/api/export/{of}/{form}?{urlencode({'token': token})}")


@guarded("viewer")
def export(request: Request, viewer: Viewer, body: dict[str, object]) -> Response:  # noqa: ARG001
    """GET /api/export/{run or campaign}/{form}: its only file, or a zip."""
    form = form_named(request.path_params["form"])
    source = source_of(session.store(), request.path_params["of"])
    viewer.require_dataset(source.dataset_id)
    if not source.is_run:
        viewer.require_campaign(source.id)
    path, folder = packed(source, form)
    name = path.name if path.suffix == ".zip" else f"{source.id}-{path.name}"
    return TemporaryFileResponse(path, folder, name)


class TemporaryFileResponse(FileResponse):
    """A file whose folder is removed then, whether it was sent or not.

    A background task would not run where the range of a request is refused, or where the browser leaves.
    """

    def __init__(self, path: Path, folder: ExportFolder, name: str) -> None:
        super().__init__(path, filename=name, headers={"Cache-Control": "no-store"})
        self._folder = folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_in_threadpool(self._folder.remove)
