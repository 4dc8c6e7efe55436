"""Correct-N-Contrast: images of one class that an earlier training predicts differently are pulled together.

Zhang, Sohoni, Zhang, Finn, Re, "Correct-N-Contrast: a Contrastive Approach for Improving Robustness to Spurious
Correlations", ICML 2022. The earlier run is a strongly regularised ERM; its predictions stand for an unknown attribute.
Anchor: an image it gets right; positives: same class, other prediction; negatives: other class, same prediction. The
loss is 0.75 times the supervised contrastive one on pooled features (tau 0.1 on Waterbirds, 0.05 on CelebA) plus 0.25
times the cross-entropy. Theirs builds batches of 17 or 64 positives and negatives an anchor. Here an epoch draws each
class x prediction equally often, and the anchors, positives and negatives are those of a batch: the same pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Config, Display
from slim_core.training.objectives.objective import Batch, Objective, Predicted

if TYPE_CHECKING:
    from torch import Tensor

EARLIER = "predictions_of"


class CncOptions(Config):
    """The earlier run, and the contrastive loss."""

    predictions_of: Annotated[str, Display(run="train")] = Field(
        min_length=1, title="Predictions of", description="Train run whose predictions stand for the attribute."
    )
    tau: Annotated[float, Display(step=0.05)] = Field(
        default=0.1, gt=0, le=10, title="Tau", description="Temperature of the contrastive loss."
    )
    contrast: Annotated[float, Display(step=0.05)] = Field(
        default=0.75, ge=0, le=1, title="Contrast", description="Share of the contrastive loss, beside cross-entropy."
    )


class Cnc(Objective):
    """Supervised contrastive loss over the classes, across the earlier run's predictions, beside the cross-entropy."""

    label = "Correct-N-Contrast (CnC)"
    Options = CncOptions
    needs_pooled = True
    draws = "each class and earlier prediction equally often"

    @classmethod
    def parents(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """The earlier training."""
        return {"earlier": options[EARLIER]}

    @classmethod
    def cells(cls, options: Mapping[str, Any], labels: np.ndarray, predicted: Predicted) -> np.ndarray:
        """Class x prediction: C y + p.

        Raises:
            SpecRefusedError: the earlier run makes no mistake, so that there are no positives.
        """
        found = predicted(options[EARLIER])
        if (found == labels).all():
            raise SpecRefusedError(
                f"The earlier run {options[EARLIER]} predicts all {len(labels)} training images correctly, so none "
                f"can be contrasted: use one with fewer epochs or more weight decay."
            )
        cells: np.ndarray = (labels.max() + 1) * labels + found  # every class has training images
        return cells

    def loss(self, batch: Batch) -> Tensor:
        """A batch without an anchor that has both positives and negatives has the cross-entropy alone."""
        from torch.nn import functional

        assert batch.pooled is not None and batch.cells is not None  # needs_pooled and cells say so
        entropy = functional.cross_entropy(batch.logits, batch.labels)
        predictions = batch.cells % self.context.n_classes
        contrast = contrastive_loss(batch.pooled, batch.labels, predictions, self.context.options["tau"])
        share: float = self.context.options["contrast"]
        return entropy if contrast is None else share * contrast + (1 - share) * entropy


def contrastive_loss(pooled: Tensor, labels: Tensor, predictions: Tensor, tau: float) -> Tensor | None:
    """Mean over anchors of -1/|P| sum_p log(exp(z z_p / tau) / sum over P and N of exp(z z_j / tau)); None: no anchor.

    Args:
        pooled: (B, K), divided by their norm here.
        labels: (B,).
        predictions: (B,) of the earlier run.
        tau: the temperature.
    """
    from torch.nn import functional

    z = functional.normalize(pooled.float(), dim=1)
    same_class, same_prediction = labels[:, None] == labels, predictions[:, None] == predictions
    positive, negative = same_class & ~same_prediction, ~same_class & same_prediction  # (B, B)
    anchors = (labels == predictions) & positive.any(1) & negative.any(1)
    if not anchors.any():
        return None
    similar, P, N = (z @ z.T / tau)[anchors], positive[anchors], negative[anchors]
    beside = similar.masked_fill(~(P | N), float("-inf")).logsumexp(1, keepdim=True)
    return -((similar - beside) * P).sum(1).div(P.sum(1)).mean()
