"""Which epoch of a training is kept: what its model reaches on the validation rows, and its score."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from slim_core.metrics import ADJUSTED, AVERAGE, GROUPS, WGA, WORST_CLASS, classification_metrics
from slim_core.models.inference import Pixels, probabilities_of
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.training.config import SELECTED_BY
from slim_core.training.data import TrainData
from slim_core.training.processes.team import ALONE, Team

_KEPT = (WGA, AVERAGE, ADJUSTED, WORST_CLASS)  # of the metrics, in the history


def validation_metrics(
    model: Model, data: TrainData, pixels: Pixels, *, batch_size: int, runtime: Runtime, team: Team = ALONE
) -> dict[str, Any] | None:
    """Metrics of the model as it is now on the validation rows; None where there are none.

    The adjusted average is weighted as that of an evaluation is, by the data set's training images: also where a subset
    of them, in which groups are balanced, is trained on.

    Returns:
        wga, average, adjusted_average and worst_class, the groups' accuracies, and loss: the mean cross-entropy.
    """
    rows = data.val_rows
    if not len(rows):
        return None
    share = team.share(slice(0, len(rows)))
    # not refused where it is not finite: the loss, which is not either then, names what a training can be given instead
    own = probabilities_of(model, rows[share], pixels, batch_size=batch_size, runtime=runtime, guarded=False)
    probabilities = team.gather(torch.from_numpy(own).to(team.device), share, len(rows)).cpu().numpy()  # (n_val, C)
    labels, groups = data.table.labels[rows], data.grouping
    of_train = groups.counts(data.table.rows("train"))
    metrics = classification_metrics(labels, probabilities, groups.take(rows), of_train)
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
