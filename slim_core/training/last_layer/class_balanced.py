"""A new last layer by class-balanced batches of images the network has not seen: no labels beyond the classes.

LaBonte, Muthukumar, Kumar, "Towards Last-Layer Retraining for Group Robustness with Fewer Annotations", NeurIPS 2023:
class-balanced last-layer retraining. On Waterbirds' validation split, which is half and half by place inside each
class, this is nearly group-balanced and says nothing about other data.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from slim_core.parameters import Config, Display
from slim_core.training.last_layer.refit import Layer, Refit, RefitData, worst_and_average
from slim_core.training.schedule import by_cosine


class ClassBalancedOptions(Config):
    """Its hyper-parameters."""

    lr: Annotated[float, Display(step=1e-3)] = Field(
        default=3e-3, gt=0, title="Learning rate", description="Of the first epoch; it falls to 0 along a cosine."
    )
    epochs: int = Field(default=100, ge=1, le=10_000, title="Epochs", description="Passes over the fitted images.")
    batch_size: int = Field(default=32, ge=1, le=65_536, title="Batch size", description="Images in one step of SGD.")


class ClassBalanced(Refit):
    """From zero weights; the epoch by the worst class of images that are not fitted."""

    label = "Class-balanced batches, a new layer"
    Options = ClassBalancedOptions

    def fit(self, data: RefitData) -> Layer:
        """The layer of the best epoch; of equals the last."""
        from slim_core.training.last_layer.gradient import BalancedSgd

        to_fit, to_choose = data.parts(self.seed)
        images = data.fitted.take(to_fit)
        zero = Layer(np.zeros_like(data.layer.weight), np.zeros_like(data.layer.bias))
        sgd = BalancedSgd(zero, images, self.options["batch_size"], self.seed)
        best, best_score = zero, (-1.0, -1.0)
        for epoch in range(self.options["epochs"]):
            data.check_stop()
            layer = sgd.steps([self._lr_at(epoch)] * math.ceil(len(images) / self.options["batch_size"]))
            score = worst_and_average(layer.predict(to_choose.features), to_choose)
            if score >= best_score:
                best, best_score = layer, score
        return best

    def _lr_at(self, epoch: int) -> float:
        return float(self.options["lr"]) * by_cosine(epoch, self.options["epochs"])
