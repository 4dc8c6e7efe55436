"""Methods that refit the last layer (METHOD section 4): on validation, or on a fifth of train that was held out.

Each refit of one reference takes its features from one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slim_core.runs.loop_runs import LoopRuns, Trained, retrain_spec
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import FeaturesSpec
from slim_core.training.last_layer.config import FittedOn
from slim_core.training.last_layer.selective import EARLY

if TYPE_CHECKING:
    from slim_core.store import Run

HELD_OUT = 0.2
EARLY_SHARE = 0.2  # of the epochs, after which SELF takes the early model


def refitted(refit: str, fitted_on: FittedOn, *, by_environments: bool = False) -> Callable[[LoopRuns], Trained]:
    """The method that refits the ERM model of a loop so.

    ``by_environments``: its groups are class x environment, as people answered about them, not those of the attribute.
    """

    def train(loop: LoopRuns) -> Trained:
        reference = loop.reference if fitted_on == "val" else trained_on_the_rest(loop)
        fields = {
            "refit": refit,
            "fitted_on": fitted_on,
            "attention": _features(loop, reference).id,
            "refit_options": {EARLY: _early(loop, reference).id} if refit == "self" else {},
            "environments": loop.subset("slim", asked="environments").id if by_environments else None,
        }
        spec = retrain_spec(reference, None, "last-layer", loop.config.seed, fields)
        by = " by environments" if by_environments else ""
        return Trained(loop.at.run(spec, name=f"Last layer by {refit} on {fitted_on}{by}"))

    return train


def trained_on_the_rest(loop: LoopRuns) -> Run:
    """ERM on four fifths of train."""
    return loop.trained("ERM, a fifth held out", hold_out=HELD_OUT)


def _features(loop: LoopRuns, reference: Run) -> Run:
    """Of train and val; of the reference that SLIM starts from the pass that SLIM needs, too."""
    if reference.id == loop.reference.id:
        return loop.attention
    spec = FeaturesSpec(dataset=reference.dataset_id, model=reference.id, splits=("train", "val"))
    return loop.at.run(spec, name=f"Features of {reference.name}")


def _early(loop: LoopRuns, reference: Run) -> Run:
    """The same training, ended after a fifth of its epochs."""
    fields = {key: value for key, value in reference.spec.items() if key != "milestones"}
    fields |= {"epochs": max(1, round(EARLY_SHARE * reference.spec["epochs"])), "selection": "last"}
    return loop.at.run(parse_spec(fields), name=f"{reference.name}, ended early")
