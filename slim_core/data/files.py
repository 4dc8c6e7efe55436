"""Reads the files of a table once: headers of all, pixels of all or of a seeded sample, and doubles by content."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slim_core.data.checks import is_allowed
from slim_core.data.images import ImageMissingError, ImageTooLargeError, image_size, open_image
from slim_core.data.report import Findings
from slim_core.data.table import ImageTable
from slim_core.errors import ImageRefusedError
from slim_core.settings import Settings

Progress = Callable[[int, int, str], None]
FULL_DECODE_LIMIT = 20_000  # images; above it a sample of this many is decoded, the headers of all are still read
SAMPLE_SEED = 0
THREADS = 8  # decoding and reading release the interpreter's lock
ASPECT_TOLERANCE = 0.02  # relative difference of width / height up to which a mask fits its image


@dataclass(frozen=True)
class _Look:
    """What one file turned out to be."""

    fault: str = ""  # "", or the code of a finding
    detail: str = ""
    bytes: int = -1
    width: int = 0
    height: int = 0


def check_files(
    table: ImageTable, settings: Settings, findings: Findings, progress: Progress | None = None
) -> tuple[ImageTable, str]:
    """The table without the masks that cannot be used, and one sentence on how thoroughly the files were read."""
    sample = decode_sample(len(table))
    full = np.zeros(len(table), bool)
    full[sample] = True
    paths = [table.image_path(row) for row in range(len(table))]
    looks = _look_at_all(paths, full, settings, progress, "Checking the images")
    _report_faults(table, looks, findings)
    _report_doubles(table, paths, looks, findings)
    table = _check_masks(table, looks, full, settings, findings, progress)
    return table, _thoroughness(len(table), len(sample))


def _thoroughness(n: int, n_decoded: int) -> str:
    if n_decoded == n:
        return f"All {n:,} images were decoded."
    return f"The headers of all {n:,} images were read, and {n_decoded:,} drawn by seed {SAMPLE_SEED} decoded."


def decode_sample(n: int, limit: int = FULL_DECODE_LIMIT) -> np.ndarray:
    """Rows to decode fully: all up to the limit, else a seeded sample of that many, ascending."""
    if n <= limit:
        return np.arange(n)
    return np.sort(np.random.default_rng(SAMPLE_SEED).choice(n, limit, replace=False))


def _look_at_all(
    paths: Sequence[Path], full: np.ndarray, settings: Settings, progress: Progress | None, what: str
) -> list[_Look]:
    looks: list[_Look] = []
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        work: Iterable[_Look] = pool.map(lambda i: _look_at(paths[i], bool(full[i]), settings), range(len(paths)))
        for look in work:
            looks.append(look)
            if progress and (len(looks) % 200 == 0 or len(looks) == len(paths)):
                progress(len(looks), len(paths), what)
    return looks


def _look_at(path: Path, decode: bool, settings: Settings) -> _Look:
    try:
        if path.is_symlink() and not is_allowed(path, settings):
            return _Look("path-escape", f"{path} links to {os.path.realpath(path)}: put the file itself there.")
        if not path.is_file():  # a pipe would wait for ever
            return _Look("missing-files", f"{path} is missing: put the file back, or take its row out.")
        width, height = image_size(path, max_pixels=settings.max_pixels)
        if decode:
            open_image(path, max_pixels=settings.max_pixels)
        return _Look("", "", os.path.getsize(path), width, height)
    except ImageMissingError as error:
        return _Look("missing-files", str(error))
    except ImageTooLargeError as error:
        return _Look("large-files", str(error))
    except ImageRefusedError as error:
        return _Look("broken-files", str(error))
    except OSError as error:  # a name of 5,000 letters, a folder that this user may not open
        return _Look("missing-files", f"{str(path)[:200]} cannot be opened ({error.strerror}): rename or free it.")


FAULTS = {
    "missing-files": "are missing",
    "broken-files": "are broken or cut short",
    "large-files": "are too large",
    "path-escape": "are links out of the allowed folders",
}


def _report_faults(table: ImageTable, looks: list[_Look], findings: Findings) -> None:
    for code, text in FAULTS.items():
        rows = [row for row, look in enumerate(looks) if look.fault == code]
        if rows:
            findings.error(
                code,
                f"{len(rows):,} of {len(table):,} images {text} ({findings.where(rows)}); "
                f"the first: {looks[rows[0]].detail}",
                rows,
            )


def _report_doubles(table: ImageTable, paths: list[Path], looks: list[_Look], findings: Findings) -> None:
    """Warn where the same content is in two splits: such test images were seen in training."""
    doubles = doubles_across_splits(paths, [look.bytes for look in looks], table.splits)
    if doubles:
        first, second = doubles[0][0], doubles[0][1]
        rows = sorted({row for rows in doubles for row in rows})
        findings.warning(
            "duplicates",
            f"{len(rows):,} images have a double in another split ({findings.where(rows)}; "
            f"{findings.where([first, second])} hold the same bytes): accuracy on them says "
            f"nothing, so take one of each out.",
            rows,
        )


def doubles_across_splits(paths: Sequence[Path], sizes: Sequence[int], splits: np.ndarray) -> list[list[int]]:
    """Rows with the same content in more than one split; files are compared by size first, then by hash."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, size in enumerate(sizes):
        if size >= 0:
            by_size[size].append(row)
    suspects = [row for rows in by_size.values() if _spans_splits(rows, splits) for row in rows]
    by_content: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for row, digest in zip(suspects, pool.map(lambda row: _digest(paths[row]), suspects), strict=True):
            by_content[sizes[row], digest].append(row)
    return [rows for rows in by_content.values() if _spans_splits(rows, splits)]


def _spans_splits(rows: list[int], splits: np.ndarray) -> bool:
    return len(rows) > 1 and len({splits[row] for row in rows}) > 1


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


def _check_masks(
    table: ImageTable,
    images: list[_Look],
    full: np.ndarray,
    settings: Settings,
    findings: Findings,
    progress: Progress | None,
) -> ImageTable:
    """Leave out masks that are missing, broken or of another shape than their image, and say how many."""
    masks = table.frame["mask"].to_numpy(str)
    rows = [int(row) for row in np.flatnonzero(masks != "")]
    looks = _look_at_all(
        [table.root / masks[row] for row in rows], full[rows], settings, progress, "Checking the masks"
    )
    unusable = {row: look for row, look in zip(rows, looks, strict=True) if not _fits(look, images[row])}
    if not unusable:
        return table
    first = next(iter(unusable.values())).detail or "its shape is not its image's."
    named = list(unusable)
    findings.warning(
        "masks",
        f"{len(named):,} of {len(rows):,} masks are left out ({findings.where(named)}); the first: {first}",
        named,
    )
    masks = masks.copy()
    masks[named] = ""
    return replace(table, frame=table.frame.assign(mask=masks))


def _fits(mask: _Look, image: _Look) -> bool:
    if mask.fault:
        return False
    if image.fault:
        return True  # nothing to compare with, and the image is refused anyway
    return abs(mask.width * image.height / (mask.height * image.width) - 1) <= ASPECT_TOLERANCE
