"""What an attention pass leaves on disk: arrays filled batch by batch, that outlive an interruption, and are merged.

Light: no torch, so that merging the shards of a pass needs no network.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slim_core import result_files
from slim_core.errors import is_full_disk
from slim_core.metrics import AIOU, ATTENTION_PRECISION, COVERAGE, IOU, N_MASKS, NO_EVIDENCE, N
from slim_core.result_files import array_file, atomic_write

log = logging.getLogger(__name__)

MASK_SCORES = (IOU, AIOU, ATTENTION_PRECISION)
KEEP_EVERY_S = 30.0  # an interrupted pass loses at most so much work
_STATE = "pass.json"
_AT_ONCE = 4096  # rows that are merged or looked through
_WITHOUT_SIGN, _LARGEST_HALF = np.uint16(0x7FFF), np.uint16(0x7BFF)  # the bits of a float16, and those of 65,504


class PassArrays:
    """The arrays and scores of n images, filled in their order.

    With a checkpoint folder they are kept there, about every half minute and when the pass is interrupted, and a
    pass of the same key resumes from them. Two passes that believe they own the folder do no harm: each writes the same
    values, under names of its own where it adds a file.
    """

    def __init__(self, out_dir: Path, n: int, checkpoint_dir: Path | None = None, key: str = "") -> None:
        """``key``: what must agree for a pass to resume from a checkpoint; else it starts anew."""
        self.n, self.done, self.seconds = n, 0, 0.0
        self._out_dir, self._checkpoint_dir, self._key = out_dir, checkpoint_dir, key
        self._folder = out_dir
        self._arrays: dict[str, np.memmap[Any, Any]] = {}
        self._scores: list[pd.DataFrame] = []  # since the last checkpoint
        self._kept: list[str] = []  # names of the files of scores kept before
        self._since = self._kept_at = time.monotonic()
        if checkpoint_dir is not None and not self._take_up(checkpoint_dir):
            self._folder = checkpoint_dir / f"pass-{secrets.token_hex(4)}"
            self._folder.mkdir()

    def add(self, values: dict[str, np.ndarray], scores: pd.DataFrame) -> None:
        """The next batch: name -> (B, ...), and its rows of scores; kept from time to time."""
        for name, part in values.items():
            if name not in self._arrays:
                self._begin(name, part)
            self._arrays[name][self.done : self.done + len(part)] = part
        self._scores.append(scores)
        self.done += len(scores)
        if time.monotonic() - self._kept_at > KEEP_EVERY_S:
            self.keep()

    def _begin(self, name: str, part: np.ndarray) -> None:
        """An array for all images; where it has no room, those before it make room for the next attempt."""
        try:
            path, shape = self._folder / array_file(name), (self.n, *part.shape[1:])
            self._arrays[name] = _new_array(path, part.dtype, shape)
        except OSError:
            for begun in [] if self.done else self._arrays:
                _give_back(self._folder / array_file(begun))
            raise

    def keep(self) -> None:
        """Make a checkpoint of the batches so far; a disk that does not take it is logged, and the pass continues."""
        if self._checkpoint_dir is None or not self._scores:
            return
        try:
            self._keep(self._checkpoint_dir)
        except OSError as error:
            log.warning("No checkpoint of the pass: %s", error)
        self._kept_at = time.monotonic()

    def _keep(self, checkpoint_dir: Path) -> None:
        for array in self._arrays.values():
            array.flush()
        name = f"scores-{self.done}-{secrets.token_hex(4)}.parquet"
        pd.concat(self._scores, ignore_index=True).to_parquet(self._folder / name, index=False)
        _to_disk(self._folder / name)
        state = {
            "key": self._key,
            "folder": self._folder.name,
            "done": self.done,
            "scores": [*self._kept, name],
            "arrays": sorted(self._arrays),
            "seconds": self.seconds_so_far(),
        }
        with atomic_write(checkpoint_dir / _STATE) as draft:
            draft.write_text(json.dumps(state))
            _to_disk(draft)
        self._kept.append(name)
        self._scores.clear()

    def seconds_so_far(self) -> float:
        """The work of all attempts together."""
        return self.seconds + time.monotonic() - self._since

    def _take_up(self, checkpoint_dir: Path) -> bool:
        """Resume from the folder's checkpoint; False where it has none of this pass."""
        try:
            state = json.loads((checkpoint_dir / _STATE).read_text())
            if state["key"] != self._key:
                return False
            self._folder = checkpoint_dir / state["folder"]
            kept = [pd.read_parquet(self._folder / name) for name in state["scores"]]
            arrays = {name: np.load(self._folder / array_file(name), mmap_mode="r+") for name in state["arrays"]}
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("The checkpoint of the pass cannot be read (%s): it starts anew", error)
            return False
        if sum(map(len, kept)) != state["done"] or any(len(array) != self.n for array in arrays.values()):
            log.warning("The checkpoint of the pass does not fit together: it starts anew")
            return False
        self._arrays, self._kept = arrays, list(state["scores"])
        self.done, self.seconds = int(state["done"]), float(state["seconds"])
        log.info("resuming at image %d of %d", self.done, self.n)
        return True

    def finish(self, rows: np.ndarray) -> pd.DataFrame:
        """Leave everything in the folder of the results. Returns the scores of all images, in the order of ``rows``."""
        for array in self._arrays.values():
            array.flush()
        if self._folder != self._out_dir:
            for name in self._arrays:
                place(self._folder / array_file(name), self._out_dir / array_file(name))
        scores = pd.concat([*(pd.read_parquet(self._folder / name) for name in self._kept), *self._scores])
        scores = scores.reset_index(drop=True)
        np.save(self._out_dir / result_files.ROWS, rows)
        scores.to_parquet(self._out_dir / result_files.SCORES, index=False)
        return scores

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of one array."""
        return tuple(self._arrays[name].shape)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def place(source: Path, target: Path) -> None:
    """The same file under a second name; a copy where the file system does not offer that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def summed_up(
    scores: pd.DataFrame,
    labels: np.ndarray,
    *,
    path: str,
    target_layer: str | None,
    map_shape: Sequence[int],
    n_features: int,
    seconds: float,
) -> dict[str, Any]:
    """The metrics of a pass (see slim_core.attention.attention_pass.attention_pass) from the scores of its n images.

    ``labels`` (n,) are the images' classes; ``seconds`` is the work of all attempts and shards together.
    """
    n = len(scores)
    return {
        N: n,
        "accuracy": float((scores["prediction"] == labels).mean()),
        NO_EVIDENCE: int(scores[NO_EVIDENCE].sum()),
        **summed_up_masks(scores),
        "path": path,
        "target_layer": target_layer,
        "map_shape": list(map_shape),
        "n_features": n_features,
        "seconds": seconds,
        "images_per_s": n / seconds,
    }


def n_clipped(folder: Path, on_progress: Callable[[int, int], None], check_stop: Callable[[], None]) -> int:
    """Images of a pass with a value in their map or features that float16 does not hold, and that was clipped.

    What was clipped is known by being the largest number there is. All is read once more for it: 0.3 s of a core for
    each GB, which is little beside the pass, and one way for what was computed, merged, resumed or taken over.

    Args:
        folder: of a pass or of a merge.
        on_progress: (rows of all arrays looked through, rows in all).
        check_stop: called now and then; raises to end it.
    """
    names = (result_files.MAPS, result_files.MAPS_PREDICTED, *result_files.FEATURES.values())
    arrays = [np.load(folder / name, mmap_mode="r") for name in names if (folder / name).exists()]
    clipped = np.zeros(len(arrays[0]), bool)
    for n_before, array in enumerate(arrays):
        for first in range(0, len(array), _AT_ONCE):
            check_stop()
            on_progress(n_before * len(clipped) + first, len(arrays) * len(clipped))
            bits = np.asarray(array[first : first + _AT_ONCE]).view(np.uint16).reshape(-1, array[0].size)
            clipped[first : first + _AT_ONCE] |= ((bits & _WITHOUT_SIGN) == _LARGEST_HALF).any(axis=1)
    return int(clipped.sum())


def summed_up_masks(scores: pd.DataFrame) -> dict[str, Any]:
    """n_masks, coverage and the mean of each of MASK_SCORES; ``scores`` (n rows): with these columns."""
    n_masks = int(scores[IOU].notna().sum())
    means = {name: _mean(scores[name].to_numpy()) for name in MASK_SCORES}
    return {N_MASKS: n_masks, COVERAGE: n_masks / len(scores), **means}


def _mean(values: np.ndarray) -> float | None:
    """The mean of the values that are not NaN; None where all are."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _new_array(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """An array of zeros on disk, which has its room there from now on.

    Without, each page takes its room when it is first written; where the disk is full by then, the process ends with a
    bus error, which nothing can catch and nobody understands.

    Raises:
        OSError: the disk has no room for it; nothing is left there.
    """
    array: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        _reserve(path)
    except OSError as error:
        _give_back(path)
        raise OSError(error.errno, error.strerror, str(path)) from error
    return array


def _give_back(path: Path) -> None:
    """Remove a file that is mapped: its room is free at once, for the database has to write down how the run ended."""
    os.truncate(path, 0)
    path.unlink()


def _reserve(path: Path) -> None:
    """Take the room of a file on its disk, as far as system and disk know how to."""
    if not hasattr(os, "posix_fallocate"):  # macOS
        return
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        except OSError as error:
            if is_full_disk(error) or error.errno == errno.EFBIG:
                raise


def merge_arrays(
    parts: Sequence[Path], out_dir: Path, on_progress: Callable[[int, int], None], check_stop: Callable[[], None]
) -> None:
    """Join each .npy of the folders, in their order, along the first axis: streamed, whatever their size.

    Args:
        parts: folders of passes over consecutive images, with the same arrays.
        out_dir: an existing folder; gets the joined arrays, byte for byte those of one pass over all images.
        on_progress: (rows of all arrays joined, rows in all).
        check_stop: called now and then; raises to end the merge.
    """
    names = sorted(path.name for path in parts[0].glob("*.npy"))
    sources = {name: [np.load(part / name, mmap_mode="r") for part in parts] for name in names}
    total, done = sum(len(array) for arrays in sources.values() for array in arrays), 0
    for name, arrays in sources.items():
        shape = (sum(map(len, arrays)), *arrays[0].shape[1:])
        joined = _new_array(out_dir / name, arrays[0].dtype, shape)
        start = 0
        for array in arrays:
            for first in range(0, len(array), _AT_ONCE):
                check_stop()
                chunk = array[first : first + _AT_ONCE]
                joined[start + first : start + first + len(chunk)] = chunk
                done += len(chunk)
                on_progress(done, total)
            start += len(array)
        joined.flush()


def merge_scores(parts: Sequence[Path], out_dir: Path) -> pd.DataFrame:
    """Join the scores of passes over consecutive images. Returns all of them: about 70 bytes an image."""
    scores = pd.concat([pd.read_parquet(part / result_files.SCORES) for part in parts], ignore_index=True)
    scores.to_parquet(out_dir / result_files.SCORES, index=False)
    return scores
