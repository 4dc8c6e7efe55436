"""Answers in the fit of a last layer: of what people call the surroundings, no class is any likelier than another.

What CRAYON (IEEE BigData 2024) asks of a map, asked of the layer.
Where the head takes the mean of the map, what it makes of a region is its output for the mean features there. Where
the attention is right, what lies outside of it is no part of the class; where it is wrong, what it is on is none. So

    loss = mean cross-entropy of the images + weight * mean cross-entropy of these regions against all classes alike
           + strength / 2 |weights of the layer|^2,

which is convex as well. A region does not change the scale of the features. (docs/decisions/0013)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from slim_core.data.images.heat import minmax
from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display
from slim_core.training.last_layer.l2 import STRENGTHS, best_strength, fit_probe
from slim_core.training.last_layer.refit import (
    AnswerSource,
    Grid,
    Layer,
    PooledImages,
    Refit,
    RefitData,
    check_classes,
)

USUAL_WEIGHT = 0.01  # of 0.003, 0.01 and 0.03, on seeds 20 to 24


class AnsweredOptions(AnswerSource):
    """Whose answers, how much they count, and the penalties tried."""

    weight: Annotated[float, Display(step=0.01)] = Field(
        default=USUAL_WEIGHT,
        ge=0,
        le=100,
        title="Weight",
        description="Of what people call surroundings, against the images.",
    )
    strengths: Grid = STRENGTHS


class Answered(Refit):
    """As l2, with regions that tell nothing of the class; the penalty by the worst class of images not fitted."""

    label = "l2 logistic regression and answered attention (uses answers)"
    Options = AnsweredOptions
    labels_used = "answers"

    @classmethod
    def answers(cls, options: Mapping[str, Any]) -> AnswerSource:
        """Those of its campaign."""
        return AnswerSource.among(options)

    def fit(self, data: RefitData) -> Layer:
        """The fit of the best penalty, to all of the images and regions.

        Raises:
            SpecRefusedError: a class has no image; or each answer is about an image with an empty map.
        """
        check_classes(data)
        assert data.surroundings is not None
        if not len(data.surroundings):
            raise no_region()
        beside = self._of_every_class(data.surroundings, data.n_classes)
        strength, _ = best_strength(data, data.fitted, self.options["strengths"], self.seed, beside)
        return fit_probe(data.fitted, strength, beside)

    def _of_every_class(self, surroundings: np.ndarray, n_classes: int) -> PooledImages:
        """Each of m regions once with every class: together they weigh as ``weight`` says, the images weighing 1."""
        m, share = len(surroundings), self.options["weight"] / (len(surroundings) * n_classes)
        labels = np.repeat(np.arange(n_classes), m)
        return PooledImages(np.tile(surroundings, (n_classes, 1)), labels, np.full(m * n_classes, share))


def no_region() -> SpecRefusedError:
    return SpecRefusedError(
        "The attention of every answered image is empty, so that no region of them is right or wrong: answer others, "
        "or refit by l2."
    )


def regions(maps: np.ndarray, attended: np.ndarray, outside: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Mean features of what is no part of the class in m images: outside right attention, and on what wrong one is.

    Args:
        maps: (m, U, V) raw maps S, 0 or more.
        attended, outside: (m, K) attention features sum(A S), and environment features sum(A (1 - S')), with S' the map
            scaled to 0..1 (METHOD S1).
        right: (m,) bool, what was answered.

    Returns:
        (k, K) float32, images with an empty map left out.
    """
    weights = [(1 - minmax(S)).sum() if is_right else S.sum() for S, is_right in zip(maps, right, strict=True)]
    sums, seen = np.where(right[:, None], outside, attended), maps.any((1, 2))
    found: np.ndarray = sums[seen] / np.asarray(weights, np.float64)[seen, None]
    return found.astype(np.float32)
