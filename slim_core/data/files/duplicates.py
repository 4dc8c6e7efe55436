"""Images of the same content: files are compared by their size, then by how they begin, and only then as a whole."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from slim_core.data.files.probe import CHUNK, THREADS
from slim_core.data.progress import Progress

BEGINNING = 16_384  # bytes: photographs differ within them, and of many a size is shared by another
Digest = Callable[[str], bytes]


def find_duplicates(
    paths: Sequence[str], sizes: Sequence[int], kinds: np.ndarray, progress: Progress | None = None
) -> list[list[int]]:
    """Rows with the same content and more than one of (N,) kinds; files of a size below 0 are not read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    for row, size in enumerate(sizes):
        if size >= 0:
            by_size[size].append(row)
    alike = _parted(by_size.values(), kinds, _told(paths, _beginning, progress, "Comparing images of the same size"))
    whole = [rows for rows in alike if sizes[rows[0]] <= BEGINNING]
    longer = [rows for rows in alike if sizes[rows[0]] > BEGINNING]
    whole += _parted(longer, kinds, _told(paths, _whole, progress, "Comparing images that begin alike"))
    return sorted(rows for rows in whole if spans(rows, kinds))


def spans(rows: list[int], kinds: np.ndarray) -> bool:
    """Whether these rows are of more than one kind."""
    return len(rows) > 1 and len({kinds[row] for row in rows}) > 1


def _parted(
    groups: Iterable[list[int]], kinds: np.ndarray, digests: Callable[[list[int]], Iterator[bytes]]
) -> list[list[int]]:
    """Groups that span kinds, each parted by the digests of its rows."""
    suspects = [(at, row) for at, rows in enumerate(groups) if spans(rows, kinds) for row in rows]
    parts: dict[tuple[int, bytes], list[int]] = defaultdict(list)
    for (at, row), digest in zip(suspects, digests([row for _, row in suspects]), strict=True):
        parts[at, digest].append(row)
    return list(parts.values())


def _told(
    paths: Sequence[str], digest: Digest, progress: Progress | None, what: str
) -> Callable[[list[int]], Iterator[bytes]]:
    """The digests of rows, with progress. A task takes many files: one for each took most of the memory of a check."""

    def digests(rows: list[int]) -> Iterator[bytes]:
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        done = 0
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            for found in pool.map(lambda chunk: [digest(paths[row]) for row in chunk], chunks):
                yield from found
                done += len(found)
                if progress is not None:
                    progress(done, len(rows), what)

    return digests


def _beginning(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.blake2b(file.read(BEGINNING), digest_size=16).digest()


def _whole(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
