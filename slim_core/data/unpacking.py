"""Images and masks that SLIM writes into its home itself, from uploads, Parquet and COCO's segmentations.

Images inside the files of a data set are written out once, after that was allowed: beside nothing of the user's, into
``imported/`` of SLIM_HOME, each under a fingerprint of its content. An archive that somebody sends is not trusted: only
images and tables are taken out of it, by names that stay inside, as plain files, and no more bytes than are allowed:
an entry is never unpacked beyond the size it declares. Folders are counted too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

import pandas as pd

from slim_core.data.draft import Packed
from slim_core.data.images.codec import instead_of, is_web_page, stand_in_refusal
from slim_core.data.importers.csv_table import SUFFIXES
from slim_core.data.importers.folders import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from slim_core.data.report import FormatRefusedError, Progress
from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError, quoted
from slim_core.result_files import draft_of, free_bytes

UPLOADS, IMPORTED = "uploads", "imported"  # folders of SLIM_HOME
DRAFT = "unpacking"  # in them, what is on its way: by one name, each import finds what a kill has left of another
CODE = "packed-images"  # of the finding that asks
OPTION, YES = "unpack", "yes"  # the option of every format that allows it
MOST_IMAGES = 1_000_000  # of a data set: each becomes a file
MOST_GB = 100  # of all of them together
MOST_IMAGE_MB = 100
FREE_GB = 1  # of the disk that stay free
_GB = 10**9
_REPORT_EVERY = 500  # images between two reports of progress
_SUFFIXES = {
    b"\xff\xd8": ".jpg", b"\x89P": ".png", b"RI": ".webp", b"GI": ".gif", b"BM": ".bmp", b"II": ".tif", b"MM": ".tif",
}  # fmt: skip


def upload_of(root: Path, home: Path) -> Path | None:
    """The folder of the one upload that ``root`` lies in; None where it lies elsewhere."""
    uploads = home.resolve() / UPLOADS
    if not root.is_relative_to(uploads) or root == uploads:
        return None
    return uploads / root.relative_to(uploads).parts[0]


def imported_images(table: ImageTable, home: Path) -> frozenset[Path]:
    """The images and masks of a table that its import has written out: no files of the user's.

    One file stands for the same content in all data sets.
    """
    inside = f"{home.resolve() / IMPORTED}{os.sep}"
    files = pd.concat([table.frame["path"], table.frame["mask"]])
    return frozenset(map(Path, files[files.str.startswith(inside)]))


@dataclass
class _Writing:
    """Images on their way into a folder."""

    folder: Path
    draft: Path  # where they lie until all are written: another import must not count on what may be taken back
    left: float = field(default_factory=lambda: MOST_GB * _GB)  # bytes that may still come
    new: set[str] = field(default_factory=set)  # paths of those in the draft, where each has the same name

    def path_of(self, image: bytes | str) -> str:
        """Where an image lies from now on."""
        return image if isinstance(image, str) else self._kept(image)

    def _kept(self, content: bytes) -> str:
        self.left -= len(content)
        if self.left < 0 or len(content) > MOST_IMAGE_MB * 1_000_000:
            raise FormatRefusedError(
                "packed-size",
                f"The images unpack to more than {MOST_GB} GB, or one of them to more than {MOST_IMAGE_MB} MB: write "
                "them to a folder yourself, and name that.",
            )
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        path = os.path.join(self.folder, digest[:2], digest + _SUFFIXES.get(content[:2], ".png"))
        if path not in self.new and not os.path.isfile(path):
            self._drafted(path).write_bytes(content)
            self.new.add(path)
        return path

    def publish(self) -> None:
        """All at once, each in one step: another import may have written the same."""
        for path in self.new:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.replace(self._drafted(path), path)

    def _drafted(self, path: str) -> Path:
        return self.draft / os.path.basename(path)


def unpacked(packed: Packed, home: Path, *, allowed: bool, progress: Progress | None = None) -> tuple[list[str], str]:
    """(N,) where the images of the rows lie now, and a sentence on it. Those that lay inside the files are in ``home``.

    Raises:
        FormatRefusedError: it was not allowed, they are too many or too large, or the disk has no room for them.
            Nothing is left of them then.
    """
    folder = home.resolve() / IMPORTED
    if not allowed:
        raise FormatRefusedError(
            CODE,
            f"The {packed.n:,} images lie inside {packed.where}, about {in_mb(packed.n_bytes)}: to write them to "
            f"{folder}, once, set the option {OPTION}={YES}.",
        )
    _require_room(packed, home)
    try:
        with draft_of(folder / DRAFT, is_folder=True) as draft:
            writing = _Writing(folder, draft)
            try:
                paths = _written(packed, writing, progress)
            except BaseException as error:
                if not isinstance(error, Exception):  # such as Ctrl-C: the next try goes on from there
                    writing.publish()
                raise
            writing.publish()
    except OSError as error:
        raise _no_room(packed, home, error.strerror or str(error)) from error
    return paths, f"The images that lay inside {packed.where} were written to {folder}."


def _written(packed: Packed, writing: _Writing, progress: Progress | None) -> list[str]:
    paths: list[str] = []
    for image in packed.images():
        paths.append(writing.path_of(image))
        if progress and (len(paths) % _REPORT_EVERY == 0 or len(paths) == packed.n):
            progress(len(paths), packed.n, "Unpacking the images")
    return paths


def _require_room(packed: Packed, home: Path) -> None:
    if packed.n > MOST_IMAGES or packed.n_bytes > MOST_GB * _GB:
        raise FormatRefusedError(
            "packed-size",
            f"{packed.n:,} images, about {in_mb(packed.n_bytes)}, lie inside {packed.where}, more than the "
            f"{MOST_IMAGES:,} or {MOST_GB} GB that are unpacked: write them to a folder, and name that folder.",
        )
    home.mkdir(parents=True, exist_ok=True)
    free = free_bytes(home)
    if free is not None and packed.n_bytes + FREE_GB * _GB > free:
        raise _no_room(packed, home, f"{in_mb(free)} are free")


def _no_room(packed: Packed, home: Path, reason: str) -> FormatRefusedError:
    return FormatRefusedError(
        "packed-room",
        f"The images of {packed.where}, about {in_mb(packed.n_bytes)}, cannot be written to {home} ({reason}): free "
        "some space there, or set SLIM_HOME to a larger disk.",
    )


def in_mb(n_bytes: int) -> str:
    """ "12 MB", or "3.4 GB"."""
    return f"{max(1, round(n_bytes / 1e6))} MB" if n_bytes < _GB else f"{n_bytes / _GB:.1f} GB"


MOST_FILES = 20_000
MOST_UPLOAD_MB = 400  # unpacked
MOST_JSON_MB = 30  # of that: read in the process of the dashboard, it takes 25 times as much memory
MOST_FOLDERS, DEEPEST = 20_000, 30  # of the files; folders inside each other: thousands could not be removed again
OF_THE_HUB = "data"  # the folder in which a repository of Hugging Face keeps its files: no name of a data set
TAKEN = (*IMAGE_SUFFIXES, *UNREAD_SUFFIXES, *SUFFIXES, ".json")  # the import says what it does not read
PACKED_BY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of bzip2 and LZMA, zipfile unpacks gigabytes at once
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar", ".bz2", ".xz")  # suffixes of files that hold others
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError)


def unpack_upload(archive: BytesIO, name: str, home: Path) -> Path:
    """The folder that an archive's images and tables lie in now; the same by the same name is unpacked once.

    Args:
        archive: a zip file, open for reading from its start.
        name: what its sender calls it; gives the folder its name.
        home: SLIM_HOME.

    Raises:
        DataRefusedError: it is not a zip archive, is broken or locked, holds nothing to use, leads out of its folder,
            holds a file twice, more than MOST_FILES files, MOST_FOLDERS folders, MOST_UPLOAD_MB MB or MOST_JSON_MB MB
            of JSON, or folders more than DEEPEST deep.
            Nothing is left of it then.
    """
    digest = hashlib.file_digest(archive, "sha256").hexdigest()[:12]
    stem = "".join(letter for letter in Path(name).stem[:60] if letter.isalnum() or letter in " -_").strip() or "data"
    folder = home.resolve() / UPLOADS / digest / stem
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with draft_of(home.resolve() / UPLOADS / DRAFT, is_folder=True) as draft:
                _unpack_into(draft, archive, name)
                _publish_upload(draft, folder)
        except OSError as error:
            raise DataRefusedError(
                f"{quoted(name)} cannot be unpacked ({error.strerror or error}): free some space in "
                f"{home.resolve() / UPLOADS}, or rename its files."
            ) from error
    return _without_wrapper(folder)


def refusal_of(path: Path) -> str | None:
    """What to do about an archive that is named where a folder is meant; None for every other file."""
    if path.name.lower().endswith(SUFFIXES) or path.suffix.lower() not in ARCHIVES:
        return None
    return stand_in_refusal(path, "an archive") or f"{path} is an archive: unpack it, and name its folder."


def _publish_upload(aside: Path, folder: Path) -> None:
    try:
        os.replace(aside, folder)
    except OSError:
        if not folder.is_dir():  # somebody who sent the same was first
            raise


def _unpack_into(folder: Path, archive: BytesIO, name: str) -> None:
    archive.seek(0)
    if is_web_page(archive.read(512)):
        raise DataRefusedError(f"{quoted(name)} {instead_of('an archive')}")
    try:
        with _opened_zip(archive) as opened:
            _take(folder, opened, name)
    except _BROKEN as error:
        reason = str(error) or type(error).__name__
        raise DataRefusedError(f"{quoted(name)} cannot be unpacked ({reason}): make a plain zip archive.") from error


def _opened_zip(archive: IO[bytes]) -> zipfile.ZipFile:
    """macOS writes the names in UTF-8 and does not say so; others mean cp437 then, as the standard has it."""
    try:
        return zipfile.ZipFile(archive, metadata_encoding="utf-8")
    except UnicodeDecodeError:
        archive.seek(0)
        return zipfile.ZipFile(archive)


def _take(folder: Path, archive: zipfile.ZipFile, name: str) -> None:
    entries = [entry for entry in archive.infolist() if _is_wanted(entry)]
    if not entries:
        raise DataRefusedError(f"{quoted(name)} holds no images or tables: put them into the archive.")
    if len(entries) > MOST_FILES:
        raise DataRefusedError(
            f"{quoted(name)} holds {len(entries):,} files, more than {MOST_FILES:,}: unpack it on this machine, and "
            f"register the folder."
        )
    locked = next((one.filename for one in entries if one.flag_bits & 1), "")
    if locked or not all(one.compress_type in PACKED_BY for one in entries):
        what = f"{quoted(locked)} locked by a password" if locked else "files packed by bzip2, LZMA or the like"
        raise DataRefusedError(f"{quoted(name)} holds {what}: make a plain zip archive.")
    # no file is unpacked beyond what its entry says
    if sum(one.file_size for one in entries) > MOST_UPLOAD_MB * 1_000_000:
        raise DataRefusedError(
            f"{quoted(name)} unpacks to more than {MOST_UPLOAD_MB} MB: unpack it on this machine, and register the "
            "folder."
        )
    if sum(one.file_size for one in entries if one.filename.lower().endswith(".json")) > MOST_JSON_MB * 1_000_000:
        raise DataRefusedError(
            f"{quoted(name)} holds more than {MOST_JSON_MB} MB of JSON: unpack it on this machine, and register the "
            f"folder."
        )
    paths = [_inside(entry.filename, name) for entry in entries]
    _require_few_folders(paths, name)
    _require_one_of_each(paths, name)
    for entry, inside in zip(entries, paths, strict=True):
        path = folder / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target)


def _require_few_folders(paths: list[Path], name: str) -> None:
    """Each folder takes room on the disk, and costs an archive the letters of its name alone."""
    depth = max(len(path.parts) - 1 for path in paths)
    if depth > DEEPEST:
        raise DataRefusedError(
            f"{quoted(name)} has {depth:,} folders inside each other, more than {DEEPEST}: put its images higher up."
        )
    n = len({parent for path in paths for parent in path.parents if parent.parts})
    if n > MOST_FOLDERS:
        raise DataRefusedError(
            f"{quoted(name)} holds {n:,} folders, more than {MOST_FOLDERS:,}: unpack it on this machine, and register "
            f"the folder."
        )


def _require_one_of_each(paths: list[Path], name: str) -> None:
    taken = Counter([*paths, *{parent for path in paths for parent in path.parents}])
    if twice := next((path for path in paths if taken[path] > 1), None):
        raise DataRefusedError(f"{quoted(name)} holds {quoted(str(twice))} twice: leave one of them out.")


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    """Images and tables with a name; no links, and nothing that begins with a dot or that macOS adds."""
    parts = _parts(entry.filename)
    if not parts:  # zipfile fails where it asks such an entry whether it is a folder
        return False
    hidden = any(part.startswith(".") and part != ".." for part in parts) or parts[:1] == ("__MACOSX",)
    plain = not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)
    return plain and not hidden and entry.filename.lower().endswith(TAKEN)


def _parts(filename: str) -> tuple[str, ...]:
    return PurePosixPath(filename.replace("\\", "/")).parts


def _inside(filename: str, name: str) -> Path:
    parts = _parts(filename)
    if ".." in parts or parts[0].startswith("/") or parts[0].endswith(":"):
        raise DataRefusedError(
            f"{quoted(name)} holds {quoted(filename)}, which leads out of its folder: make the archive from inside it."
        )
    return Path(*parts)


def _without_wrapper(folder: Path) -> Path:
    """The folder inside, where it is all that there is and names the data."""
    inside = list(folder.iterdir())
    is_wrapper = len(inside) == 1 and inside[0].is_dir() and inside[0].name != OF_THE_HUB
    return inside[0] if is_wrapper else folder
