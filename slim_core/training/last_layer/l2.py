"""A linear probe: l2 logistic regression on standardised pooled features.

The loss is convex, and the solver ends at its minimum: a probe has converged, and no epoch and no seed is chosen.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pydantic import Field

from slim_core.parameters import Config
from slim_core.training.last_layer.refit import (
    Floats,
    Grid,
    Layer,
    PooledImages,
    Refit,
    RefitData,
    best_of,
    check_classes,
    scale,
    worst_and_average,
)

_MAX_ITER = 500
STRENGTHS = Field(
    default=(3.0, 1.0, 0.3, 0.1, 0.03, 0.01),
    title="Strengths",
    description="Weights of the l2 penalty against the mean loss that are tried.",
)


class L2Options(Config):
    """Its hyper-parameters; of the strengths one is chosen by the worst class."""

    strengths: Grid = STRENGTHS
    class_balanced: bool = Field(
        default=False, title="Class-balanced", description="Classes count equally, however many images they have."
    )


class L2(Refit):
    """Softmax regression on the images as often as they count; the penalty by the worst class of images not fitted."""

    label = "l2 logistic regression"
    Options = L2Options

    def fit(self, data: RefitData) -> Layer:
        """The fit of the best penalty, to all of the images."""
        check_classes(data)
        images = _balanced(data.fitted) if self.options["class_balanced"] else data.fitted
        strength, _ = best_strength(data, images, self.options["strengths"], self.seed)
        return fit_probe(images, strength)


def _balanced(images: PooledImages) -> PooledImages:
    """The images, counted so that each class weighs the same and all of them as much as before."""
    of_class = np.bincount(images.labels, weights=images.times)
    shares = images.times / of_class[images.labels] / len(of_class)
    return replace(images, counts=shares * images.times.sum())


def best_strength(
    data: RefitData, images: PooledImages, strengths: Sequence[float], seed: int, beside: PooledImages | None = None
) -> tuple[float, tuple[float, float]]:
    """The strength whose probe is best on images that are not fitted, and its (worst class or group, average) there.

    ``images``: those of ``data.fitted``, maybe counted otherwise; ``beside``: as of ``fit_probe``.
    """
    to_fit, to_choose = data.parts(seed)
    part, scores = images.take(to_fit), {}

    def score(strength: float) -> tuple[float, float]:
        data.check_stop()
        scores[strength] = worst_and_average(fit_probe(part, strength, beside).predict(to_choose.features), to_choose)
        return scores[strength]

    best = best_of(strengths, score, "strength")
    return best, scores[best]


def fit_probe(images: PooledImages, strength: float, beside: PooledImages | None = None) -> Layer:
    """The minimum of the mean cross-entropy, images as often as they count, + strength / 2 |weight|^2.

    The weight that is penalised is that of standardised features, and of two classes the difference of their rows; the
    layer is for features as they are. What is fitted ``beside`` the images counts as a share of all of them: it changes
    neither the scale of the features nor what the penalty is weighed against.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, std = scale(images.features)
    features, labels, times = images.features, images.labels, images.times
    if beside is not None:
        features, labels = (np.concatenate(both) for both in ((features, beside.features), (labels, beside.labels)))
        times = np.concatenate([times, beside.times * times.sum()])
    C = 1 / (strength * images.times.sum()) if strength else np.inf
    solver = LogisticRegression(C=C, max_iter=_MAX_ITER)
    with warnings.catch_warnings():  # an unfinished fit at a weak penalty loses to the others in the choice
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit((np.asarray(features, np.float64) - mean) / std, labels, sample_weight=times)
    return _a_row_a_class(solver.coef_, solver.intercept_).folded(mean, std)


def _a_row_a_class(coef: Floats, intercept: Floats) -> Layer:
    """Of two classes scikit-learn keeps one row, the logit of the second."""
    if len(coef) > 1:
        return Layer(coef, intercept)
    return Layer(np.concatenate([-coef, coef]) / 2, np.concatenate([-intercept, intercept]) / 2)
