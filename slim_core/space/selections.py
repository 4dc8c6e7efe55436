"""Some of a space's images: those nearest to one, and selections under short ids that an address can name.

An id (?selection=<id>) is a hash of the run and of what is selected: the same selection has the same address, whoever
makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import NotFoundError
from slim_core.result_files import atomic_write

CHUNK_ROWS = 4096  # of features that are read at once
KEPT = 2000  # files; the ones longest unused go first
_ID = re.compile(r"[0-9a-f]{12}")


class Selections:
    """One small file a selection: the id of its run, a line break, and one bit an image, compressed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, run_id: str, mask: NDArray[np.bool_]) -> str:
        """Keep which of a run's n images are selected, (n,) bool; returns the id."""
        content = f"{run_id} {len(mask)}\n".encode() + np.packbits(mask).tobytes()
        name = hashlib.sha256(content).hexdigest()[:12]
        path = self._folder / name
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            os.utime(path)
        except FileNotFoundError:
            with atomic_write(path) as draft:
                draft.write_bytes(zlib.compress(content, 1))
            self._prune()
        return name

    def load(self, name: str, run_id: str) -> NDArray[np.bool_]:
        """What is selected of a run's n images, (n,) bool.

        Raises:
            NotFoundError: no selection of this id is kept, it is damaged, or it is one of another run.
        """
        path = self._folder / name
        if not _ID.fullmatch(name) or not path.is_file():
            raise NotFoundError(f"There is no selection {name[:40]!r}: select the images again.")
        try:
            head, _, bits = zlib.decompress(path.read_bytes()).partition(b"\n")
            run, n = head.decode().split()
        except (zlib.error, ValueError) as error:  # as where the power went before all of it was on the disk
            path.unlink(missing_ok=True)  # else the same selection could not be kept again
            raise NotFoundError(f"The selection {name} was damaged: select the images again.") from error
        if run != run_id:
            raise NotFoundError(f"The selection {name} is one of the space {run}: open that one.")
        return np.unpackbits(np.frombuffer(bits, np.uint8), count=int(n)).astype(bool)

    def _prune(self) -> None:
        used: list[tuple[float, Path]] = []
        for path in self._folder.iterdir():
            if _ID.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):  # another session removed it just now
                    used.append((path.stat().st_mtime, path))
        for _, path in sorted(used)[:-KEPT]:
            path.unlink(missing_ok=True)


def nearest(
    features: NDArray[np.floating], positions: NDArray[np.int64], at: int, n: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The n others nearest to image ``at`` (0..m-1), nearest first, equal ones in their order; and how far away.

    Args:
        features: (N, K), of any float type; may be memory-mapped: all are read, a part at a time.
        positions: (m,) which of the N are asked about.
        at: one of the m.
        n: how many.
    """
    one, distance = np.asarray(features[positions[at]], np.float32), np.empty(len(positions), np.float32)
    for start in range(0, len(positions), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        distance[part] = np.linalg.norm(np.asarray(features[positions[part]], np.float32) - one, axis=1)
    distance[at] = np.inf
    order = np.argsort(distance, kind="stable")[: min(n, len(positions) - 1)]
    return order, distance[order]
