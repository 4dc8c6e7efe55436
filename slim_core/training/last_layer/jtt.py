"""Just train twice, of a linear probe: the images that a first probe gets wrong count more often in a second.

Liu et al., "Just Train Twice: Improving Group Robustness without Training Group Information", ICML 2021. Theirs trains
whole networks, the first of them briefly or with a strong weight decay, so that it makes the errors of the shortcut;
of a probe, whose loss is convex, the penalty alone is left for that. slim_core.training.objectives.jtt is theirs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from slim_core.errors import NothingToRepeatError
from slim_core.parameters import Config
from slim_core.training.last_layer.l2 import STRENGTHS, best_strength, fit_probe
from slim_core.training.last_layer.refit import Grid, Layer, PooledImages, Refit, RefitData, Sizes, check_classes


class JttOptions(Config):
    """Its hyper-parameters; one of each list is chosen by the worst class."""

    strengths: Grid = STRENGTHS
    firsts: Grid = Field(
        default=(100.0, 10.0),
        title="First strengths",
        description="Penalties of the first fit that are tried.",
    )
    upweights: Sizes = Field(
        default=(5, 20), title="Repeats of an error", description="Numbers of repeats that are tried."
    )


class Jtt(Refit):
    """Both fits by l2 logistic regression; everything by the worst class of images that are not fitted."""

    label = "Just train twice (JTT)"
    Options = JttOptions

    def fit(self, data: RefitData) -> Layer:
        """The second fit, to all of the images; of equal choices the first.

        First fits without an error leave nothing to repeat, and do not count.

        Raises:
            NothingToRepeatError: none of them makes one.
        """
        check_classes(data)
        best: tuple[tuple[float, float], PooledImages, float] | None = None
        for first in self.options["firsts"]:
            wrong = fit_probe(data.fitted, first).predict(data.fitted.features) != data.fitted.labels
            if not wrong.any():
                continue
            for upweight in self.options["upweights"]:
                images = _repeated(data.fitted, wrong, upweight)
                strength, score = best_strength(data, images, self.options["strengths"], self.seed)
                if best is None or score > best[0]:
                    best = score, images, strength
        if best is None:
            raise NothingToRepeatError(
                f"The first fit of JTT predicts all training images correctly ({len(data.fitted)}) under every penalty "
                f"that is tried, so none can be repeated: give larger first strengths, or choose another refit."
            )
        return fit_probe(*best[1:])


def _repeated(images: PooledImages, wrong: np.ndarray, upweight: int) -> PooledImages:
    return replace(images, counts=np.where(wrong, upweight, 1) * images.times)
