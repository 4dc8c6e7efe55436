"""Predictions of a model over rows of a table, in order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.models.devices import memory_guard, open_device
from slim_core.models.model import Model
from slim_core.models.pixels import Pixels, split_batches, to_input
from slim_core.models.runtime import Runtime
from slim_core.models.target_layer import evaluating


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
    done, images = 0, np.empty(0, np.uint8)
    guard = memory_guard(batch_size, lambda n: forward(model.net, to_input(images[:n], model.transform, device)))
    with evaluating(model.net), torch.inference_mode(), guard if guarded else nullcontext():
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
