"""The last layer of the SLIM reference: l1 logistic regression, balanced over classes (METHOD S10, after DFR)."""

from __future__ import annotations

from slim_core.training.last_layer.logistic import fit_balanced
from slim_core.training.last_layer.refit import Layer, Refit, RefitData

C_GRID = (1.0, 0.7, 0.5, 0.3, 0.1, 0.07, 0.05, 0.03, 0.01, 0.007, 0.003)  # inverse strengths of the l1 penalty
N_REFITS = 20


class L1(Refit):
    """The mean of 20 refits on class-balanced draws; the penalty by the worst class of images that are not fitted."""

    label = "l1 logistic regression, balanced over classes"

    def fit(self, data: RefitData) -> Layer:
        """An image that counts several times is as many images."""
        return fit_balanced(data, data.fitted.labels, grid=C_GRID, n_refits=N_REFITS, seed=self.seed)
