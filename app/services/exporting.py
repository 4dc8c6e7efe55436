"""An export for a browser: one file on disk, made in a folder of its own that is removed once it was sent."""

from __future__ import annotations

import shutil
import threading
import zipfile
from pathlib import Path

from app import session
from app.services import export_folder
from app.services.export_folder import ExportFolder
from slim_core.errors import ConflictError, SpecRefusedError
from slim_core.export.form import RECORD, Form, Source
from slim_core.export.writing import export
from slim_core.settings import settings

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
        export_folder.sweep(exports)
        return _written(source, form, ExportFolder(exports))
    finally:
        _one_at_a_time.release()


def _written(source: Source, form: Form, folder: ExportFolder) -> tuple[Path, ExportFolder]:
    try:
        made = export(session.store(), source.id, form.name, folder.path / f"{form.name}-{source.id}")
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
