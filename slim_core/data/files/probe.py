"""Probes image files: what each one is, on all cores, and only once where the probes of many are kept."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slim_core.data.files.probe_cache import UNKNOWN, Probe, ProbeCache
from slim_core.data.images.codec import (
    STORED,
    ImageMissingError,
    ImageTooLargeError,
    brightest,
    image_header,
    open_image,
    orientation_of,
)
from slim_core.data.report import Progress
from slim_core.errors import ImageRefusedError
from slim_core.settings import Settings

THREADS = 8  # decoding and reading release the interpreter's lock
MANY = 2_000  # files from which processes of their own pay, and from which what was seen is kept
IDLE_S = 2.0  # after which they leave: joblib lets them wait for five minutes, and whoever started them, at its end
CHUNK = 200  # files a process takes at once, and between two reports of progress
REPORT_S = 1.0  # seconds between two of them at most: files may be large


@dataclass(frozen=True)
class Prober:
    """How files are probed."""

    settings: Settings
    root: Path  # of the data set: what was seen of its files is kept under its name
    progress: Progress | None = None

    def probe(self, paths: Sequence[str], full: np.ndarray, what: str) -> list[Probe]:
        """A probe of each of N files; those of ``full`` (N,) bool are decoded, of the others the header is read.

        Of MANY files what was seen is kept as it comes: a check that was interrupted resumes there, and a file that
        has not changed since is not read again.
        """
        if len(paths) < MANY:
            with closing(self._in_threads(paths, full)) as probes:
                return list(self._reported(probes, len(paths), 0, what))
        with closing(ProbeCache.of(self.settings.home, self.root)) as kept:
            known = kept.find(paths, full, self.settings.max_pixels)
            new = [row for row in range(len(paths)) if row not in known]
            with closing(self._on_all_cores([paths[row] for row in new], full[new], kept)) as probes:
                known.update(zip(new, self._reported(probes, len(paths), len(known), what), strict=True))
        return [known[row] for row in range(len(paths))]

    def _in_threads(self, paths: Sequence[str], full: np.ndarray) -> Generator[Probe]:
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            yield from pool.map(lambda i: probe_file(paths[i], bool(full[i]), self.settings), range(len(paths)))

    def _on_all_cores(self, paths: Sequence[str], full: np.ndarray, kept: ProbeCache) -> Generator[Probe]:
        from joblib import Parallel, delayed  # 0.1 s, which small sets save

        starts = range(0, len(paths), CHUNK)
        chunks = (delayed(_probe_some)(paths[i : i + CHUNK], full[i : i + CHUNK], self.settings) for i in starts)
        cores = Parallel(n_jobs=-1, backend="loky", return_as="generator", idle_worker_timeout=IDLE_S)
        for start, probes in zip(starts, cores(chunks), strict=True):
            kept.keep(paths[start : start + CHUNK], probes)
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
        return _inside(name, about, decode, settings)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return Probe("missing-files", f"{name[:200]} is missing: put the file back, or remove its row.")
    except OSError as error:  # a name of 5,000 letters, a folder that this user may not open
        return Probe("missing-files", f"{name[:200]} cannot be opened ({error.strerror}): rename or free it.")


def _inside(path: str, about: os.stat_result, decode: bool, settings: Settings) -> Probe:
    fault = detail = ""
    width = height = 0
    orientation, peak = STORED, UNKNOWN
    try:
        if decode:
            image = open_image(path, max_pixels=settings.max_pixels)
            (width, height), orientation, peak = image.size, orientation_of(image), brightest(image)
        else:
            width, height, orientation = image_header(path, max_pixels=settings.max_pixels)
    except ImageMissingError as error:
        return Probe("missing-files", str(error))
    except ImageRefusedError as error:
        fault, detail = "large-files" if isinstance(error, ImageTooLargeError) else "broken-files", str(error)
    return Probe(fault, detail, about.st_size, width, height, about.st_mtime_ns, decode, orientation, peak)
