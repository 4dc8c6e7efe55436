"""SELF: fine-tune the last layer on the images over which an early and the final model disagree most.

LaBonte, Muthukumar, Kumar, "Towards Last-Layer Retraining for Group Robustness with Fewer Annotations", NeurIPS 2023:
selective last-layer finetuning by early-stop disagreement. Images are ranked by KL(early || final), the early model at
10 to 50 % of the training; the first n of {20, 100, 500} fine-tune the last layer as it is for 250 steps of
class-balanced batches, at a learning rate of {1e-4, 1e-3, 1e-2}. Theirs choose both by the worst group of validation;
here the selection says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Config, Display
from slim_core.training.last_layer.refit import (
    Floats,
    Grid,
    Integers,
    Layer,
    PooledImages,
    Refit,
    RefitData,
    Sizes,
    worst_and_average,
)

EARLY = "early"


class SelfOptions(Config):
    """The early model, and hyper-parameters of which one is chosen by the worst class."""

    early: Annotated[str, Display(run="train")] = Field(
        min_length=1,
        title="Early model",
        description="Train run like the reference model's, with 10 to 50 % of its epochs.",
    )
    sizes: Sizes = Field(
        default=(20, 100, 500), title="Images", description="Numbers of images to fine-tune on that are tried."
    )
    lrs: Grid = Field(
        default=(1e-4, 1e-3, 1e-2), title="Learning rates", description="Of the fine-tuning, those tried."
    )
    steps: int = Field(default=250, ge=1, le=100_000, title="Steps", description="Of SGD.")
    batch_size: int = Field(default=128, ge=1, le=65_536, title="Batch size", description="Images in one step of SGD.")


class Self(Refit):
    """From the layer as it is; how many images and the learning rate by the worst class of images not fitted."""

    label = "Where an early model disagrees (SELF)"
    Options = SelfOptions

    @classmethod
    def parents(cls, options: Mapping[str, Any]) -> dict[str, str]:
        """The early model."""
        return {"earlier": options[EARLY]}

    def fit(self, data: RefitData) -> Layer:
        """Sizes whose images lack a class are left out."""
        to_fit, to_choose = data.parts(self.seed)
        images = data.fitted.take(to_fit)
        assert data.earlier is not None
        early = data.earlier(self.options[EARLY])[to_fit]
        ranked = np.argsort(-divergence(early, data.layer.probabilities(images.features)), kind="stable")
        tried = [self._tuned(data, images.take(chosen), lr) for chosen in self._chosen(data, images, ranked)
                 for lr in self.options["lrs"]]  # fmt: skip
        return max(tried, key=lambda layer: worst_and_average(layer.predict(to_choose.features), to_choose))

    def _chosen(self, data: RefitData, images: PooledImages, ranked: Integers) -> list[Integers]:
        """Positions of the images of each size that hold every class."""
        sizes = sorted({min(size, len(ranked)) for size in self.options["sizes"]})
        found = [ranked[:size] for size in sizes if len(np.unique(images.labels[ranked[:size]])) == data.n_classes]
        if not found:
            raise SpecRefusedError(
                f"The {sizes[-1]} images over which the early model disagrees most hold not every class: "
                f"try larger sizes, or an earlier model."
            )
        return found

    def _tuned(self, data: RefitData, images: PooledImages, lr: float) -> Layer:
        from slim_core.training.last_layer.gradient import BalancedSgd

        sgd = BalancedSgd(data.layer, images, self.options["batch_size"], self.seed)
        return sgd.steps(_until_stopped(data, lr, self.options["steps"]))


def _until_stopped(data: RefitData, lr: float, n: int) -> Iterator[float]:
    for _ in range(n):
        data.check_stop()
        yield lr


def divergence(early: Floats, final: Floats) -> Floats:
    """(n,) KL(early || final) in nats of probabilities (n, C)."""
    tiny = 1e-12
    found: Floats = (early * (np.log(early + tiny) - np.log(final + tiny))).sum(1)
    return found
