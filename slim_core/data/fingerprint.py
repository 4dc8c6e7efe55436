"""Whether the files of a data set are still those that were imported: recorded at import, checked before each run.

Checked are the metadata files and a seeded sample of the images: whether each is there, its size and its time of
change; only where these differ is its content hashed. That costs one stat a file (128 images and the metadata, some
milliseconds on a local disk), however large the data set is.

Where there is no metadata, the names in each folder are recorded too, so that images that came or went are noticed.

Caught: a folder or metadata that has moved, metadata whose content has changed, and missing or changed images where
they are more than a few per cent (with one in fifty, 93 % of the time). Not caught here: single images. One that is
missing or broken ends the run with its path when it is read; one that was replaced by another sound image is not
noticed, nor are masks. The fingerprint by which runs are distinguished covers the table, not the pixels: after a new
import of changed images at the same paths, run again what was run before.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError

SAMPLE = 128  # images
SAMPLE_SEED = 0
REMEDY = "import the data set again"
MOST_FOLDERS = 2_000


def file_records(table: ImageTable, metadata: Sequence[str | Path]) -> dict[str, Any]:
    """What ``check_unchanged`` compares with, as plain JSON: path, size, time and content of the files as of now."""
    rows = np.arange(len(table))
    if len(rows) > SAMPLE:
        rows = np.sort(np.random.default_rng(SAMPLE_SEED).choice(len(rows), SAMPLE, replace=False))
    images = [table.image_path(int(row)) for row in rows]
    return {
        "metadata": [_record(Path(path)) for path in metadata if Path(path).is_file()],
        "images": [_record(path) for path in images if path.is_file()],
        "folders": [] if metadata else [_listing(path) for path in _folders(table) if path.is_dir()],
    }


def news_of_folders(name: str, recorded: Mapping[str, Any] | None) -> str | None:
    """A sentence where images came or went in the folders of a data set without metadata; None where not.

    Such a data set stays what was registered: its runs go on with the images of then.
    """
    changed = [one for one in (recorded or {}).get("folders", ()) if _is_otherwise(one)]
    if not changed:
        return None
    folder = Path(changed[0]["path"])
    there = f"{_listing(folder)['n']:,}" if folder.is_dir() else "none"
    others = f"; {len(changed) - 1:,} more of its folders have changed" if len(changed) > 1 else ""
    return (
        f"{folder} of {name} had {changed[0]['n']:,} files and folders at the import and now has {there}{others}: "
        f"{REMEDY} to use what is there."
    )


def _folders(table: ImageTable) -> list[Path]:
    """The folders in which images lie, and those above them in the data set."""
    inside = {Path(name) for name in {path.rpartition("/")[0] for path in table.frame["path"]}}
    above = {parent for folder in inside for parent in folder.parents}
    return [table.root / folder for folder in sorted(inside | above)][:MOST_FOLDERS]


def _listing(folder: Path) -> dict[str, Any]:
    names = sorted(one.name for one in os.scandir(folder) if not one.name.startswith("."))
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return {"path": str(folder), "mtime_ns": folder.stat().st_mtime_ns, "n": len(names), "content": digest}


def _is_otherwise(record: Mapping[str, Any]) -> bool:
    folder = Path(record["path"])
    if not folder.is_dir():
        return True
    touched: bool = folder.stat().st_mtime_ns != record["mtime_ns"]
    return touched and str(_listing(folder)["content"]) != str(record["content"])


def check_unchanged(name: str, recorded: Mapping[str, Any] | None) -> None:
    """Compare the files of the data set called ``name`` with those recorded at import; without a record it passes.

    Raises:
        DataRefusedError: they differ from those that were imported; names a path and the remedy.
    """
    if not recorded:
        return
    for record in recorded["metadata"]:
        path = Path(record["path"])
        if not path.is_file():
            raise DataRefusedError(f"{path} of {name} is missing since the import: put it back, or {REMEDY}.")
        if _differs(path, record):
            raise DataRefusedError(f"{path} has changed since {name} was imported: put the old file back, or {REMEDY}.")
    images = [(Path(record["path"]), record) for record in recorded["images"]]
    missing = [path for path, _ in images if not path.is_file()]
    if missing:
        are, them, they = ("is", "it", "it is") if len(missing) == 1 else ("are", "them", "they are")
        raise DataRefusedError(
            f"{len(missing)} of the {len(images)} checked images of {name} {are} missing, for example {missing[0]}: "
            f"move {them} back, or {REMEDY} from where {they} now."
        )
    changed = [path for path, record in images if _differs(path, record)]
    if changed:
        have, files = ("has", "file") if len(changed) == 1 else ("have", "files")
        raise DataRefusedError(
            f"{len(changed)} of the {len(images)} checked images of {name} {have} changed since the import, for "
            f"example {changed[0]}: put the old {files} back, or {REMEDY}."
        )


def _record(path: Path) -> dict[str, Any]:
    about = path.stat()
    return {"path": str(path), "size": about.st_size, "mtime_ns": about.st_mtime_ns, "content": _content(path)}


def _differs(path: Path, record: Mapping[str, Any]) -> bool:
    about = path.stat()
    if about.st_size != record["size"]:
        return True
    return about.st_mtime_ns != record["mtime_ns"] and _content(path) != str(record["content"])


def _content(path: Path) -> str:
    return sha256_of(path)[:16]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
