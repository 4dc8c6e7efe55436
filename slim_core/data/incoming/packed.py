"""Images and masks that SLIM writes into its home itself, from uploads, Parquet, Arrow files and COCO's segmentations.

Images inside the files of a data set are written out once, after that was allowed: beside nothing of the user's, into
``imported/`` of SLIM_HOME, each under a fingerprint of its content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from slim_core.data.files.free_space import free_bytes
from slim_core.data.report import FormatRefusedError, Progress
from slim_core.data.table import ImageTable
from slim_core.result_files import draft_of

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


@dataclass(frozen=True)
class Packed:
    """The images of N rows, in their order."""

    where: str  # the files, for messages
    n: int
    n_bytes: int  # as the files say; what they hold is counted as it comes
    images: Callable[[], Iterator[bytes | str]]  # the content of each, or where it lies beside; "" = neither


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
