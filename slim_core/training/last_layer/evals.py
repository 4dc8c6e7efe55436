"""EVaLS: fit on the images of highest and of lowest loss, choose by environments that EIIL infers.

Ghaznavi et al., "Trained Models Tell Us How to Make Them Robust to Spurious Correlation without Group Annotation",
2024 (EVaLS). One half of the images: per class the k of highest and the k of lowest loss are fitted. On the other half
EIIL infers environments; k and the l1 penalty are chosen by the worst (class x environment), or by the worst group
(EVaLS-GL) where the selection says so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Config
from slim_core.training.last_layer.eiil import STEPS, environments, with_environments
from slim_core.training.last_layer.logistic import mean_layer, scale, standardised
from slim_core.training.last_layer.refit import (
    USUAL_C,
    CGrid,
    Floats,
    Integers,
    Layer,
    PooledImages,
    Refit,
    RefitData,
    Sizes,
    worst_and_average,
)


class EvalsOptions(Config):
    """Its hyper-parameters; one of each list is chosen by the worst (class x environment)."""

    ks: Sizes = Field(
        default=(10, 20, 50, 100, 200),
        title="k",
        description="Numbers of images of highest and of lowest loss per class that are tried.",
    )
    c_grid: CGrid = USUAL_C
    steps: int = Field(default=STEPS, ge=1, le=1_000_000, title="Steps", description="Steps of the inference by EIIL.")


class Evals(Refit):
    """No labels beyond the classes, unless the selection is by group."""

    label = "Loss sampling and inferred environments (EVaLS)"
    Options = EvalsOptions

    def fit(self, data: RefitData) -> Layer:
        """The best of every k and C."""
        to_fit, to_choose = data.parts(self.seed)
        images, choose = data.fitted.take(to_fit), self._with_cells(data, to_choose)
        mean, std = scale(images.features)
        X = (choose.features - mean) / std
        whole = standardised(images, images.labels, data.n_classes, mean, std)
        losses = cross_entropies(data.layer, images)
        tried = []
        for k in sizes_within(images.labels, self.options["ks"], data.n_classes):
            part = whole.take(extremes(losses, images.labels, k))
            for C in self.options["c_grid"]:
                data.check_stop()
                layer = mean_layer(part, C, 1, self.seed)
                tried.append((worst_and_average(layer.predict(X), choose), layer))
        return max(tried, key=lambda pair: pair[0])[1].folded(mean, std)

    def _with_cells(self, data: RefitData, images: PooledImages) -> PooledImages:
        """The images to choose by with class x environment for groups, where they have none."""
        if images.groups is not None:
            return images
        found = environments(
            data.layer.logits(images.features),
            images.labels,
            self.seed,
            steps=self.options["steps"],
            check_stop=data.check_stop,
        )
        return replace(images, groups=with_environments(images.labels, found))


def cross_entropies(layer: Layer, images: PooledImages) -> Floats:
    """(n,) losses of the images under a layer, in nats."""
    losses: Floats = -np.log(np.maximum(layer.of_labels(images), 1e-12))
    return losses


def sizes_within(labels: Integers, ks: tuple[int, ...], n_classes: int) -> list[int]:
    """The k tried: as given, at most half of the smallest class.

    Raises:
        SpecRefusedError: a class has fewer than two images.
    """
    smallest = int(np.bincount(labels, minlength=n_classes).min())
    if smallest < 2:
        raise SpecRefusedError(
            f"EVaLS takes images of highest and of lowest loss, and a class has {smallest} of the {len(labels)} images "
            f"to fit: fit on images that hold at least 2 of each class."
        )
    return sorted({min(k, smallest // 2) for k in ks})


def extremes(losses: Floats, labels: Integers, k: int) -> Integers:
    """Positions of the k images of highest and the k of lowest loss in each class, ascending."""
    members = (np.flatnonzero(labels == c) for c in np.unique(labels))
    ranked = [rows[np.argsort(losses[rows], kind="stable")] for rows in members]
    return np.sort(np.concatenate([np.concatenate([rows[:k], rows[-k:]]) for rows in ranked]))
