"""Which epoch of a training is kept: what its model reaches on the validation rows, and the score that makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slim_core.data.groups import Grouping
from slim_core.data.table import ImageTable
from slim_core.metrics import ADJUSTED, AVERAGE, GROUPS, WGA, WORST_CLASS, classification_metrics
from slim_core.models.model import Model
from slim_core.models.pixels import Pixels
from slim_core.models.prediction import predict
from slim_core.training.config import SELECTED_BY

_KEPT = (WGA, AVERAGE, ADJUSTED, WORST_CLASS)  # of the metrics, in the history


def validation_metrics(
    model: Model,
    table: ImageTable,
    rows: np.ndarray,
    grouping: Grouping,
    trained_on: np.ndarray,
    *,
    batch_size: int,
    device: str,
    tick: Callable[[], None],
    check_stop: Callable[[], None],
    pixels: Pixels,
) -> dict[str, Any] | None:
    """Metrics of the model as it is now; None where there are no rows.

    Args:
        model: what is judged.
        table: N images.
        rows: (n_val,) positions it is judged on.
        grouping: groups of all N images.
        trained_on: (n,) positions of the training images, with repeats: the weights of the adjusted average.
        batch_size: images of a forward pass.
        device: "cpu", "cuda" or "cuda:0".
        tick: called after each batch.
        check_stop: called before each batch; raises to end the training.
        pixels: the images, decoded.

    Returns:
        wga, average, adjusted_average and worst_class, the groups' accuracies, and loss: the mean cross-entropy.
    """
    if not len(rows):
        return None
    probabilities = predict(
        model,
        table,
        rows,
        batch_size=batch_size,
        device=device,
        on_progress=lambda _done, _total: tick(),
        check_stop=check_stop,
        pixels=pixels,
        guarded=False,
    )  # (n_val, C)
    labels = table.labels[rows]
    metrics = classification_metrics(labels, probabilities, grouping.take(rows), grouping.counts(trained_on))
    likelihood = probabilities[np.arange(len(labels)), labels].clip(1e-12)
    kept = {key: metrics[key] for key in _KEPT}
    return {**kept, GROUPS: metrics[GROUPS], "loss": float(-np.log(likelihood).mean())}


def selection_score(selection: str, epoch: int, val: dict[str, Any] | None) -> tuple[float, float]:
    """(the selection's metric, minus the validation loss): ties go to the smaller loss, and to the later epoch.

    Without validation rows, and under the selection "last", the last epoch scores highest.
    """
    if val is None or selection == "last":
        return float(epoch), 0.0
    value = val[SELECTED_BY[selection]]
    return (float("-inf") if value is None else value), -val["loss"]
