"""Reads the files of a table: headers of all, pixels of all or of a seeded sample, and doubles by content.

Files are compared by their size, then by how they begin, and only then as a whole. What is wrong with single images may
be left out. What was found of many files is kept by the size and date of each.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from slim_core.data import Thoroughness
from slim_core.data.images.codec import (
    DARK_UP_TO,
    STORED,
    ImageMissingError,
    ImageTooLargeError,
    brightest,
    grey_mask,
    has_more_frames,
    image_header,
    open_image,
    orientation_of,
)
from slim_core.data.report import Findings, FormatRefusedError, LeftOut, Progress
from slim_core.data.table import BOX_COLUMNS, SPLITS, ImageTable
from slim_core.errors import ImageRefusedError, quoted
from slim_core.settings import Settings

NOT_DECODED = -1  # of Probe.brightest
THREADS = 8  # decoding and reading release the interpreter's lock
MANY = 2_000  # files from which processes of their own pay
MOST_KEPT = 200_000  # probes that this process keeps: a check of a page is followed by the import
IDLE_S = 2.0  # after which they leave: joblib lets them wait for five minutes, and whoever started them, at its end
CHUNK = 200  # files a process takes at once, and between two reports of progress
REPORT_S = 1.0  # seconds between two of them at most: files may be large
BEGINNING = 16_384  # bytes: photographs differ within them, and of many a size is shared by another
Digest = Callable[[str], bytes]
FULL_DECODE_LIMIT = 20_000  # images; above it a sample of this many is decoded, the headers of all are still read
SAMPLE_SEED = 0
MAY_HOLD_FRAMES = (".gif", ".tif", ".tiff", ".webp")
LONG = 2  # a longer side in shorter ones, from which the middle square is less than half
FEW_DARK = 0.01  # of the images: as many are dark scenes, not a range of values that was misread
ASPECT_TOLERANCE = 0.02  # relative difference of width / height up to which a mask fits its image
CAUSES = {  # the word people type -> the finding, and what its images are
    "missing": ("missing-files", "missing"),
    "broken": ("broken-files", "broken"),
    "large": ("large-files", "too large"),
    "duplicates": ("duplicates", "a duplicate of one in another split"),
}
NOT_SQUARE, UNCHECKED_FILES = "not-square", "unchecked-files"  # codes that pages act upon
MOST_NAMED = 1_000  # images of one cause whose line and path are kept


@dataclass(frozen=True, slots=True)
class Probe:
    """What one file turned out to be: by its header, or by all its pixels."""

    fault: str = ""  # "", or the code of a finding
    detail: str = ""  # the sentence on the fault
    bytes: int = -1  # size of the file
    width: int = 0  # pixels, as stored
    height: int = 0
    mtime_ns: int = -1  # when it was changed, nanoseconds since 1970
    decoded: bool = False  # all its pixels were read
    orientation: int = 1  # of its EXIF, 1 to 8: images.orientation_of
    brightest: int = NOT_DECODED  # of its pixels: images.brightest
    has_more_frames: bool = False  # of which the first is read


_kept: dict[str, Probe] = {}  # path -> what was seen of it, where it was sound


def _known(path: str, decode: bool) -> Probe | None:
    """What this process has seen of a file, where that still counts."""
    probe = _kept.get(path)
    if probe is None or (decode and not probe.decoded):
        return None
    return probe if _is_as_seen(path, probe) else None


def _keep(paths: Sequence[str], probes: Sequence[Probe]) -> None:
    """Keep what is sound. A fault may end while the file stays as it is: that of a disk, a right or a limit."""
    if len(_kept) + len(paths) > MOST_KEPT:
        _kept.clear()
    _kept.update((path, probe) for path, probe in zip(paths, probes, strict=True) if not probe.fault)


def _is_as_seen(path: str, probe: Probe) -> bool:
    try:
        about = os.lstat(path)  # a link is probed each time: it may lead elsewhere by now
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(about.st_mode) and (about.st_size, about.st_mtime_ns) == (probe.bytes, probe.mtime_ns)


@dataclass(frozen=True)
class Prober:
    """How files are probed."""

    settings: Settings
    progress: Progress | None = None

    def probe(self, paths: Sequence[str], full: np.ndarray, what: str) -> list[Probe]:
        """A probe of each of N files; those of ``full`` (N,) bool are decoded, of the others the header is read.

        What was seen is kept as it comes: a check that was interrupted resumes there, and a file that has not changed
        since is not read again.
        """
        seen = {row: _known(path, bool(full[row])) for row, path in enumerate(paths)}
        known = {row: probe for row, probe in seen.items() if probe is not None}
        new = [row for row in range(len(paths)) if row not in known]
        probed = self._in_threads if len(new) < MANY else self._on_all_cores
        with closing(probed([paths[row] for row in new], full[new])) as probes:
            known.update(zip(new, self._reported(probes, len(paths), len(known), what), strict=True))
        return [known[row] for row in range(len(paths))]

    def _in_threads(self, paths: Sequence[str], full: np.ndarray) -> Generator[Probe]:
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            probes = pool.map(lambda path, decode: probe_file(path, bool(decode), self.settings), paths, full)
            for path, probe in zip(paths, probes, strict=True):
                _keep([path], [probe])
                yield probe

    def _on_all_cores(self, paths: Sequence[str], full: np.ndarray) -> Generator[Probe]:
        from joblib import Parallel, delayed  # 0.1 s, which small sets save

        starts = range(0, len(paths), CHUNK)
        chunks = (delayed(_probe_some)(paths[i : i + CHUNK], full[i : i + CHUNK], self.settings) for i in starts)
        cores = Parallel(n_jobs=-1, backend="loky", return_as="generator", idle_worker_timeout=IDLE_S)
        for start, probes in zip(starts, cores(chunks), strict=True):
            _keep(paths[start : start + CHUNK], probes)
            yield from probes

    def _reported(self, probes: Iterable[Probe], n: int, n_known: int, what: str) -> Iterator[Probe]:
        reported_at = time.monotonic()
        for done, probe in enumerate(probes, n_known + 1):
            yield probe
            if self.progress and (done % CHUNK == 0 or done == n or time.monotonic() - reported_at > REPORT_S):
                self.progress(done, n, what)
                reported_at = time.monotonic()


def _probe_some(paths: Sequence[str], full: np.ndarray, settings: Settings) -> list[Probe]:
    return [probe_file(path, bool(decode), settings) for path, decode in zip(paths, full, strict=True)]


def probe_file(name: str, decode: bool, settings: Settings) -> Probe:
    """What a file turns out to be; ``decode``: all its pixels are read, not the header alone."""
    try:
        about = os.lstat(name)
        if stat.S_ISLNK(about.st_mode):
            if not settings.allows(name):
                return Probe("path-escape", f"{name} links to {os.path.realpath(name)}: put the file itself there.")
            about = os.stat(name)
        if not stat.S_ISREG(about.st_mode):  # a pipe would wait for ever
            raise FileNotFoundError
        return _inside(name, about, decode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Probe("missing-files", f"{name[:200]} is missing: put the file back, or remove its row.")
    except OSError as error:  # a name of 5,000 letters, a folder that this user may not open
        return Probe("missing-files", f"{name[:200]} cannot be opened ({error.strerror}): rename or free it.")


def _inside(path: str, about: os.stat_result, decode: bool) -> Probe:
    probe = Probe(bytes=about.st_size, mtime_ns=about.st_mtime_ns, decoded=decode)
    try:
        if decode:
            image = open_image(path)
            (width, height), orientation = image.size, orientation_of(image)
            probe = replace(probe, brightest=brightest(image))
        else:
            width, height, orientation = image_header(path)
        more = path.lower().endswith(MAY_HOLD_FRAMES) and has_more_frames(path)
    except ImageMissingError as error:
        return Probe("missing-files", str(error))
    except ImageRefusedError as error:
        fault = "large-files" if isinstance(error, ImageTooLargeError) else "broken-files"
        return replace(probe, fault=fault, detail=str(error))
    return replace(probe, width=width, height=height, orientation=orientation, has_more_frames=more)


def find_duplicates(
    paths: Sequence[str], sizes: Sequence[int], kinds: np.ndarray, progress: Progress | None = None
) -> list[list[int]]:
    """Rows with the same content and more than one of (N,) kinds; files of a size below 0 are not read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, size in enumerate(sizes):
        if size >= 0:
            by_size[size].append(row)
    groups = list(by_size.values())
    for digest, alike in ((_beginning, "of the same size"), (_whole, "that begin alike")):
        suspects = [(at, row) for at, rows in enumerate(groups) if spans(rows, kinds) for row in rows]
        parts: dict[tuple[int, bytes], list[int]] = defaultdict(list)
        digests = _digests([paths[row] for _, row in suspects], digest, progress, f"Comparing images {alike}")
        for (at, row), found in zip(suspects, digests, strict=True):
            parts[at, found].append(row)
        groups = list(parts.values())
    return sorted(rows for rows in groups if spans(rows, kinds))


def spans(rows: list[int], kinds: np.ndarray) -> bool:
    """Whether these rows are of more than one kind."""
    return len(rows) > 1 and len({kinds[row] for row in rows}) > 1


def _digests(paths: Sequence[str], digest: Digest, progress: Progress | None, what: str) -> Iterator[bytes]:
    """Of each file. A task takes many of them: one for each took most of the memory of a check."""
    chunks = [paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK)]
    done = 0
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        for found in pool.map(lambda chunk: [digest(path) for path in chunk], chunks):
            yield from found
            done += len(found)
            if progress is not None:
                progress(done, len(paths), what)


def _beginning(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read(BEGINNING), digest_size=16).digest()


def _whole(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()


@dataclass(frozen=True)
class CheckedTable:
    """A table whose files were read."""

    table: ImageTable  # without the masks that cannot be used
    how: str  # one sentence on how thoroughly the files were read
    unfit: dict[str, np.ndarray]  # code of a finding -> its rows, of images that may be left out for it
    of_two_classes: list[list[int]]  # rows of the same content that are not of one class


def check_files(
    table: ImageTable, prober: Prober, findings: Findings, thoroughness: Thoroughness = "sample"
) -> CheckedTable:
    """Probe the images and masks of a table; what is found is added to ``findings``."""
    if thoroughness == "none":
        findings.note(UNCHECKED_FILES, UNCHECKED)
        return CheckedTable(table, UNCHECKED, {}, [])
    full = np.zeros(len(table), bool)
    sample = np.arange(len(table)) if thoroughness == "all" else decode_sample(len(table))
    full[sample] = True
    paths = paths_of(table)
    probes = prober.probe(paths, full, "Checking the images")
    unfit = _report_faults(table, probes, findings)
    doubles = _doubles(table, paths, probes, prober.progress)
    unfit |= _report_doubles(table, doubles, findings)
    for code, (is_so, sentence) in OF_AN_IMAGE.items():
        findings.some("warning", code, np.flatnonzero(list(map(is_so, probes))), sentence, total=len(table))
    _report_not_square(probes, findings)
    _report_dark(probes, findings)
    table = _check_masks(table, probes, full, prober, findings)
    _report_boxes(table, probes, findings)
    of_two_classes = [rows for rows in doubles if spans(rows, table.labels)]
    return CheckedTable(table, _how(len(table), len(sample)), unfit, of_two_classes)


UNCHECKED = "No image was opened: a missing or broken one ends a run, with its path."


def paths_of(table: ImageTable, column: str = "path") -> list[str]:
    """(N,) where the images lie, or their masks."""
    root = str(table.root)
    return [os.path.join(root, name) for name in table.frame[column]]


def _how(n: int, n_decoded: int) -> str:
    if n_decoded == n:
        return f"All {n:,} images were decoded."
    return f"The headers of all {n:,} images were read; {n_decoded:,} sampled with seed {SAMPLE_SEED} were decoded."


def decode_sample(n: int) -> np.ndarray:
    """Rows to decode fully: all up to FULL_DECODE_LIMIT, else a seeded sample of that many, ascending."""
    if n <= FULL_DECODE_LIMIT:
        return np.arange(n)
    return np.sort(np.random.default_rng(SAMPLE_SEED).choice(n, FULL_DECODE_LIMIT, replace=False))


FAULTS = {  # of one image, of several
    "missing-files": ("is missing", "are missing"),
    "broken-files": ("is broken or cut short", "are broken or cut short"),
    "large-files": ("is too large", "are too large"),
    "path-escape": ("links out of the allowed folders", "link out of the allowed folders"),
}


OF_AN_IMAGE: dict[str, tuple[Callable[[Probe], bool], str]] = {  # code -> which images, and what is said of them
    "turned-images": (  # other programs show them turned; they are read as they are stored
        lambda one: one.orientation > STORED,
        "{n} [image has|images have] an EXIF orientation ({where}), which SLIM ignores: it reads pixels as they are "
        "stored, while browsers and other programs show them turned; where that matters, turn the files themselves, "
        "such as by `exiftran -ai`, `jhead -autorot` or Pillow's `exif_transpose`.",
    ),
    "more-frames": (
        lambda one: one.has_more_frames,
        "{n} [image holds|images hold] more than one frame or page ({where}): only the first is read, so save the "
        "others as separate images.",
    ),
}


def _report_faults(table: ImageTable, probes: list[Probe], findings: Findings) -> dict[str, np.ndarray]:
    faults = np.array([probe.fault for probe in probes])
    found = {code: rows for code in FAULTS if len(rows := np.flatnonzero(faults == code))}
    for code, rows in found.items():
        findings.error(
            code,
            f"{len(rows):,} of {len(table):,} images {FAULTS[code][len(rows) > 1]} ({findings.where(rows)}); "
            f"the first: {probes[rows[0]].detail}",
            rows,
        )
    return found


def _doubles(table: ImageTable, paths: list[str], probes: list[Probe], progress: Progress | None) -> list[list[int]]:
    """Rows of the same content that are in several splits or of several classes."""
    kinds = np.array([f"{split}-{label}" for split, label in zip(table.splits, table.labels, strict=True)])
    return find_duplicates(paths, [-1 if probe.fault else probe.bytes for probe in probes], kinds, progress)


def _report_doubles(table: ImageTable, found: list[list[int]], findings: Findings) -> dict[str, np.ndarray]:
    """Warn where the same content is in two splits: such test images were seen in training."""
    doubles = [rows for rows in found if spans(rows, table.splits)]
    if not doubles:
        return {}
    first, second = doubles[0][0], doubles[0][1]
    rows = sorted({row for rows in doubles for row in rows})
    findings.warning(
        "duplicates",
        f"{len(rows):,} images have a duplicate in another split ({findings.where(rows)}; "
        f"{findings.where([first, second])} hold the same bytes): accuracy on them says "
        f"nothing, so remove one of each.",
        rows,
    )
    return {"duplicates": np.array(sorted(row for rows in doubles for row in _all_but_the_last(rows, table.splits)))}


def report_two_classes(checked: CheckedTable, keeps: np.ndarray, findings: Findings) -> None:
    """Warn where the same content is of two classes: of the images that stay, ``keeps`` (N,) bool."""
    table, kept = checked.table, [[row for row in rows if keeps[row]] for rows in checked.of_two_classes]
    doubles = [rows for rows in kept if spans(rows, table.labels)]
    if doubles:
        rows = sorted({row for rows in doubles for row in rows})
        names = [quoted(table.label_names[label]) for label in dict.fromkeys(table.labels[doubles[0]].tolist())]
        findings.warning(
            "two-classes",
            f"{len(rows):,} images have a duplicate in another class ({findings.where(rows)}; "
            f"{findings.where(doubles[0])} are {' and '.join(names)}): at most one of the labels is right, so correct "
            "the others, or remove such images.",
            rows,
        )


def _report_not_square(probes: list[Probe], findings: Findings) -> None:
    """One of each size first, and the longest of these; a warning where a crop leaves less than half of one."""
    longer = np.array([max(one.width, one.height) / max(1, min(one.width, one.height)) for one in probes])
    rows = np.argsort(-longer, kind="stable")[: (longer > 1 + ASPECT_TOLERANCE).sum()].tolist()
    of_size: Counter[tuple[int, int]] = Counter()
    turn = {}
    for row in rows:
        turn[row] = of_size[probes[row].width, probes[row].height]
        of_size[probes[row].width, probes[row].height] += 1
    findings.some(
        "warning" if longer.max(initial=0) > LONG else "note",
        NOT_SQUARE,
        sorted(rows, key=turn.__getitem__),
        "{n} of {total:,} images [is|are] not square ({where}). Training crops [it|them] to the middle: choose pad or "
        "squeeze on Train if objects lie elsewhere.",
        total=len(probes),
    )


def _report_dark(probes: list[Probe], findings: Findings) -> None:
    """Warn of images that are nearly black as they are read, such as 12 bits that lie in a file of 16; note a few."""
    peaks = np.array([probe.brightest for probe in probes])
    rows, n_decoded = np.flatnonzero((peaks != NOT_DECODED) & (peaks <= DARK_UP_TO)), int((peaks != NOT_DECODED).sum())
    findings.some(
        "warning",
        "dark-images",
        rows if len(rows) >= FEW_DARK * n_decoded else [],
        "{n} of {decoded:,} decoded images [is|are] nearly black ({where}): no value is above {peak} of 255. Files of "
        "16 bits whose values use fewer bits look like this: scale them to the whole range (12 bits: times 16), or "
        "take such images out if they show nothing.",
        decoded=n_decoded,
        peak=peaks[rows].max(initial=0),
    )


def _all_but_the_last(rows: list[int], splits: np.ndarray) -> list[int]:
    """Of images with the same content all but one: that of test goes before that of val, that of val before train's."""
    return sorted(rows, key=lambda row: (-SPLITS.index(splits[row]), row))[1:]


def _check_masks(
    table: ImageTable,
    images: list[Probe],
    full: np.ndarray,
    prober: Prober,
    findings: Findings,
) -> ImageTable:
    """Leave out masks that are missing, broken or of another shape than their image, and say how many."""
    masks = table.frame["mask"].to_numpy(str)
    rows = [int(row) for row in np.flatnonzero(masks != "")]
    paths = paths_of(table, "mask")
    probes = prober.probe([paths[row] for row in rows], full[rows], "Checking the masks")
    found = dict(zip(rows, probes, strict=True))
    unusable = {row: probe for row, probe in found.items() if not _fits(probe, images[row])}
    _report_empty({row: probe for row, probe in found.items() if row not in unusable}, paths, findings)
    if not unusable:
        return table
    first = next(iter(unusable.values())).detail or "its size differs from that of its image."
    named = list(unusable)
    findings.warning(
        "masks",
        f"{len(named):,} of {len(rows):,} masks are left out ({findings.where(named)}); the first: {first}",
        named,
    )
    masks = masks.copy()
    masks[named] = ""
    return replace(table, frame=table.frame.assign(mask=masks))


def _report_empty(masks: Mapping[int, Probe], paths: Sequence[str], findings: Findings) -> None:
    """Warn of masks without an object, such as those that have it in their transparency alone, which is not read."""
    decoded = [row for row, probe in masks.items() if probe.brightest != NOT_DECODED]
    # Of 16 bits that number objects, the probe has seen the upper 8 alone.
    empty = [row for row in decoded if masks[row].brightest == 0 and not grey_mask(Path(paths[row])).any()]
    findings.some(
        "warning",
        "empty-masks",
        empty,
        "{n} of {decoded:,} decoded [mask is|masks are] black all over ({where}): all attention counts as beside the "
        "object there. Write the object in white, or name no mask where it is not known.",
        decoded=len(decoded),
    )


def _report_boxes(table: ImageTable, images: list[Probe], findings: Findings) -> None:
    """Warn of boxes that hold no pixel of their image, such as those that were drawn on a larger original."""
    boxes = table.frame[list(BOX_COLUMNS)].to_numpy(np.float64)
    sizes = np.array([[image.width, image.height] for image in images])
    known = ~np.isnan(boxes).any(axis=1) & (table.frame["mask"] == "").to_numpy() & (sizes > 0).all(axis=1)
    known &= (boxes[:, 2:] > 0).all(axis=1)  # of one without an area the table's own check tells
    is_outside = ((boxes[:, :2] >= sizes) | (boxes[:, :2] + boxes[:, 2:] <= 0)).any(axis=1)
    findings.some(
        "warning",
        "stray-boxes",
        np.flatnonzero(known & is_outside),
        "{n} of {total:,} [box lies outside its image|boxes lie outside their images] ({where}): all attention counts "
        "as beside the object there. Boxes are in pixels of the image file: where they were drawn on images of another "
        "size, scale all of them.",
        total=known.sum(),
    )


def _fits(mask: Probe, image: Probe) -> bool:
    if mask.fault:
        return False
    if image.fault:
        return True  # nothing to compare with, and the image is refused anyway
    return abs(mask.width * image.height / (mask.height * image.width) - 1) <= ASPECT_TOLERANCE


def causes_of(words: Collection[str]) -> tuple[str, ...]:
    """The words, if each is a cause.

    Raises:
        FormatRefusedError: a word is no cause.
    """
    unknown = [word for word in words if word not in CAUSES]
    if unknown:
        raise FormatRefusedError(
            "leave-out", f"Images cannot be left out for {unknown[0]!r}: use one or more of {', '.join(CAUSES)}."
        )
    return tuple(word for word in CAUSES if word in words)


def causes_for(codes: Collection[str]) -> tuple[str, ...]:
    """The causes by which the images of findings of these codes can be left out."""
    return tuple(cause for cause, (code, _) in CAUSES.items() if code in codes)


def without(
    checked: CheckedTable, causes: Collection[str], findings: Findings
) -> tuple[ImageTable, tuple[LeftOut, ...]]:
    """The table without the images of these causes, and which they were; ``findings`` then tells of the rest."""
    facts, keeps = [], np.ones(len(checked.table), bool)
    for cause in causes:
        code, said = CAUSES[cause]
        rows = checked.unfit.get(code, np.array([], np.int64))
        findings.drop(code)
        if len(rows):
            lines, paths = findings.named(rows[:MOST_NAMED])
            facts.append(LeftOut(cause, len(rows), lines, paths))
            images = f"{len(rows):,} images are" if len(rows) > 1 else "1 image is"
            findings.note("left-out", f"{images} left out: {said} ({findings.where(rows)}).", rows)
            keeps[rows] = False
    report_two_classes(checked, keeps, findings)
    if keeps.all():
        return checked.table, tuple(facts)
    findings.narrow(keeps)
    return replace(checked.table, frame=checked.table.frame[keeps].reset_index(drop=True)), tuple(facts)
