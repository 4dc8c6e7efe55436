"""A model over rows of a table: the device, batches of images decoded once or as needed, predictions in order."""

from __future__ import annotations

import ctypes
import inspect
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import lru_cache, partial
from types import TracebackType

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.data.images.codec import ImageTransform, load_pixels
from slim_core.data.table import ImageTable, load_mask
from slim_core.errors import MemoryRefusedError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.models.model import Model, evaluating
from slim_core.models.runtime import Runtime
from slim_core.settings import settings

KEPT = 512 * 2**20  # bytes: blocks up to this size come from the heap, and as much stays at its end
MOST_OF_OLD = 32 * 2**20  # what the C library took before it left the limit to us (glibc 2.35)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Tell the C library so, once in this process; returns whether it took it (glibc alone does)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # another C library
    taken = mallopt(_MMAP_THRESHOLD, KEPT) or mallopt(_MMAP_THRESHOLD, MOST_OF_OLD)
    return bool(taken and mallopt(_TRIM_THRESHOLD, KEPT))


def open_device(name: str) -> torch.device:
    """The device called "cpu", "cuda" or "cuda:0".

    On the CPU torch is held to ``settings().threads``: its threads wait by spinning, so that one more than there are
    free cores makes all of them about ten times slower. Memory that it frees stays with this process.

    Raises:
        SpecRefusedError: this machine has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SpecRefusedError(f"There is no device {name!r}: use cpu, cuda or cuda:0.") from error
    if device.type not in ("cpu", "cuda"):
        raise SpecRefusedError(f"The device {name!r} is not supported: use cpu, cuda or cuda:0.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SpecRefusedError(
            f"The device {name!r} is not on this machine ({torch.cuda.device_count()} GPUs): use cpu or another index."
        )
    if device.type == "cpu":
        torch.set_num_threads(min(torch.get_num_threads(), settings().threads))
        keep_freed_memory()
    return device


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """The values of the CPU on the device; a GPU takes them from pinned memory, while the CPU goes on."""
    if device.type == "cuda":
        return values.pin_memory().to(device, non_blocking=True)
    return values.to(device)


@contextmanager
def own_random_state(device: torch.device) -> Iterator[None]:
    """Seeds set inside do not leak into the caller's random state."""
    devices = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def memory_guard(batch_size: int, *, smallest: int = 1) -> Iterator[None]:
    """Turn running out of memory into a sentence that names the batch to try next, of half the size.

    The batch is never made smaller behind the user's back: the same spec must give the same numbers.

    Args:
        batch_size: what is being tried.
        smallest: batch that is worth trying.

    Raises:
        MemoryRefusedError: the batch does not fit.
    """
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one
        where = _whose_memory(error)
        if where is None:
            raise
        half = batch_size // 2
        said = f"Batches of {counted(batch_size, 'image')} do not fit into the memory of the {where}"
        if half < smallest:
            raise MemoryRefusedError(
                f"{said}: end other programs on it, or take a smaller image size or another device.", {}
            ) from error
        raise MemoryRefusedError(f"{said}: submit it again with batch_size {half}.", {"batch_size": half}) from error


def _whose_memory(error: RuntimeError) -> str | None:
    """Whose memory ran out; None where it is another error. Torch gives the CPU's case no class of its own."""
    if isinstance(error, torch.OutOfMemoryError):
        return "GPU"
    return "machine" if "can't allocate memory" in str(error) else None


# without torch's compiler, whose import takes as long as that of torch, and which nothing is compiled with here
manual_seed = inspect.unwrap(torch.manual_seed)


CACHE_BYTES = 2 << 30  # Waterbirds at 224 px takes 1.8 GB
_AHEAD = 3  # batches decoded before they are asked for


class Pixels:
    """The images of a table under one transform, as uint8 of shape (size, size, 3).

    Images are decoded when they are first asked for, in threads. As many of ``rows`` as fit into ``cache_bytes`` are
    kept; the others are decoded anew each time and never held.

    Errors: reading a missing, broken or too large image raises ImageRefusedError with its path.
    """

    def __init__(
        self,
        table: ImageTable,
        transform: ImageTransform,
        *,
        rows: np.ndarray | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """``rows``: those that will be read, more than once; None: all N."""
        self.table = table
        self.transform = transform
        kept = np.arange(len(table)) if rows is None else np.unique(rows)
        kept = kept[: cache_bytes // (3 * transform.size**2)]
        self._slot = np.full(len(table), -1, np.int64)  # (N,) place in the cache, -1: not kept
        self._slot[kept] = np.arange(len(kept))
        self._cache = np.zeros((len(kept), transform.size, transform.size, 3), np.uint8)  # pages are taken when written
        self._known = np.zeros(len(kept), bool)
        self._pool = ThreadPoolExecutor(min(16, os.cpu_count() or 1), "pixels")

    def __enter__(self) -> Pixels:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; images not yet decoded are given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, row: int) -> np.ndarray:
        slot = self._slot[row]
        if slot >= 0 and self._known[slot]:
            kept: np.ndarray = self._cache[slot]
            return kept
        pixels = load_pixels(self.table.image_path(row), self.transform)
        if slot >= 0:
            self._cache[slot] = pixels
            self._known[slot] = True
        return pixels

    def _gathered(self, rows: np.ndarray) -> Callable[[], np.ndarray]:
        """Start reading some rows; the result waits for them: (B, size, size, 3) uint8."""
        slots = self._slot[rows]
        if (slots >= 0).all() and self._known[slots].all():
            return lambda: self._cache[slots]
        futures: list[Future[np.ndarray]] = [self._pool.submit(self._one, int(row)) for row in rows]
        return lambda: np.stack([future.result() for future in futures])

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(B, size, size, 3) uint8."""
        return self._gathered(np.asarray(rows, np.int64))()

    def masks(self, rows: np.ndarray) -> list[np.ndarray | None]:
        """Object masks (size, size) float32 in the same geometry; None where a row has none."""
        return list(self._pool.map(lambda row: load_mask(self.table, int(row), self.transform), rows))

    def batches(self, parts: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """(rows, pixels) of each part, while the next ones are being decoded."""
        waiting: deque[tuple[np.ndarray, Callable[[], np.ndarray]]] = deque()
        for part in parts:
            waiting.append((part, self._gathered(part)))
            if len(waiting) > _AHEAD:
                rows, ready = waiting.popleft()
                yield rows, ready()
        for rows, ready in waiting:
            yield rows, ready()


def split_batches(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """The rows in order, in parts of ``batch_size``; a last part of one joins the one before (batch norm needs two)."""
    parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts


def to_input(pixels: np.ndarray, transform: ImageTransform, device: torch.device) -> Tensor:
    """(B, H, W, 3) uint8 -> normalised (B, 3, H, W) float32 in channels-last memory order on the device."""
    mean, std = (to_device(torch.tensor(values), device) * 255 for values in (transform.mean, transform.std))
    values = to_device(torch.from_numpy(pixels), device).float().sub_(mean).div_(std)
    return values.permute(0, 3, 1, 2)


def predict(
    model: Model, table: ImageTable, rows: np.ndarray, *, batch_size: int = 256, runtime: Runtime | None = None
) -> np.ndarray:
    """Softmax probabilities (n, C) float32 of the rows, in their order.

    Raises:
        ImageRefusedError: an image cannot be read.
        SpecRefusedError: no such device, its memory does not hold a batch, or the model's logits are not finite.
    """
    runtime, check = runtime or Runtime(), partial(require_finite, table=table)
    with Pixels(table, model.transform, cache_bytes=0) as pixels:
        return probabilities_of(model, rows, pixels, batch_size=batch_size, runtime=runtime, check=check)


def probabilities_of(
    model: Model,
    rows: np.ndarray,
    pixels: Pixels,
    *,
    batch_size: int,
    runtime: Runtime,
    guarded: bool = True,
    check: Callable[[np.ndarray, np.ndarray], None] = lambda _outputs, _rows: None,
) -> np.ndarray:
    """``predict`` from images that are open already; NaN where the logits are not finite.

    ``guarded=False`` is for a caller that turns running out of memory into a sentence itself; ``check`` may refuse the
    probabilities of a batch and its rows, before the next batch.
    """
    probabilities = np.zeros((len(rows), model.n_classes), np.float32)
    device = open_device(runtime.device)
    model.net.to(device)
    done = 0
    guard = memory_guard(batch_size) if guarded else nullcontext()
    with evaluating(model.net), torch.inference_mode(), guard:
        for part, images in pixels.batches(split_batches(np.asarray(rows, np.int64), batch_size)):
            runtime.check_stop()
            logits = forward(model.net, to_input(images, model.transform, device))
            probabilities[done : done + len(part)] = logits.softmax(1).cpu().numpy()
            check(probabilities[done : done + len(part)], part)
            done += len(part)
            runtime.on_progress(done, len(rows))
    return probabilities


def require_finite(outputs: np.ndarray, rows: np.ndarray, table: ImageTable) -> None:
    """Refuse logits or probabilities (n, C) of the rows that are not finite: the highest of NaN is the first class.

    Raises:
        SpecRefusedError: an output is not finite; the first such image is named.
    """
    is_bad = ~np.isfinite(outputs).all(axis=1)
    if is_bad.any():
        raise SpecRefusedError(
            f"The logits of the model are not finite for {table.image_path(int(rows[is_bad.argmax()]))}: "
            f"its weights are damaged, or its training diverged; train it again with a smaller learning rate."
        )


def forward(net: nn.Module, images: Tensor) -> Tensor:
    """Logits (B, C) float32."""
    logits: Tensor = net(images)
    return logits.float()
