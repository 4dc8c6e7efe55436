"""Deep feature reweighting: l1 logistic regression on draws in which every group is cut to the smallest.

Kirichenko, Izmailov, Wilson, "Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations", ICLR 2023:
C of {1 .7 .3 .1 .07 .03 .01} by worst-group accuracy on half of validation, then the mean of 10 to 20 refits on all of
it (DFR-val).
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from slim_core.data.groups import UNGROUPED
from slim_core.data.labels_used import GROUPS_IN_VALIDATION
from slim_core.parameters import Config
from slim_core.training.last_layer.l1 import fit_balanced
from slim_core.training.last_layer.refit import USUAL_C, CGrid, Layer, PooledImages, Refit, RefitData


class DfrOptions(Config):
    """Its settings."""

    c_grid: CGrid = USUAL_C
    refits: int = Field(default=20, ge=1, le=1000, title="Refits", description="Balanced draws that are averaged.")


class Dfr(Refit):
    """Balanced over the true groups; the penalty by the worst group of images that are not fitted."""

    label = "Deep feature reweighting (DFR, uses group labels)"
    Options = DfrOptions
    labels_used = GROUPS_IN_VALIDATION
    fitted_on = "val"

    def fit(self, data: RefitData) -> Layer:
        """Images whose group is not known do not count."""
        data.check_groups()
        known = replace(data, fitted=_known(data.fitted), val=_known(data.val))
        return fit_balanced(
            known, known.fitted.cells, grid=self.options["c_grid"], n_refits=self.options["refits"], seed=self.seed
        )


def _known(images: PooledImages) -> PooledImages:
    """Those whose group is known."""
    return images.take(images.cells != UNGROUPED)
