"""Methods that refit the last layer (METHOD section 4): on validation, or on a fifth of train that was held out.

Each refit of one reference takes its features from one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from slim_core.runs.loop_runs import LoopRuns, Trained
from slim_core.runs.retraining import REFIT, retrain_spec
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import FeaturesSpec
from slim_core.steps.train.recipes import to_convergence
from slim_core.training.last_layer.config import FittedOn
from slim_core.training.last_layer.selective import EARLY

if TYPE_CHECKING:
    from slim_core.store import Run

HELD_OUT = 0.2
EARLY_SHARE = 0.2  # of the epochs, after which SELF takes the early model


def refitted(refit: str, fitted_on: FittedOn) -> Callable[[LoopRuns], Trained]:
    """The method that refits the ERM model of a loop so."""

    def train(loop: LoopRuns) -> Trained:
        start = trained_on_the_rest(loop) if fitted_on == "held-out" else loop.start
        fields = {
            "refit": refit,
            "fitted_on": fitted_on,
            "attention": _features(loop, start).id,
            "refit_options": {EARLY: _early(loop, start).id} if refit == "self" else {},
        }
        spec = retrain_spec(start, None, "last-layer", loop.config.drawn_seed, fields)
        return Trained(loop.at.run(spec, name=f"Last layer by {refit} on {fitted_on}"))

    return train


def trained_on_the_rest(loop: LoopRuns) -> Run:
    """ERM on four fifths of train, for as long as what SLIM retrains."""
    if loop.config.frozen:  # the same network, whose features are known
        fields = {**REFIT, "hold_out": HELD_OUT, "attention": loop.attention.id}
        spec = retrain_spec(loop.reference, None, "last-layer", loop.config.seed, fields)
        return loop.at.run(spec, name="Linear probe, a fifth held out")
    how = to_convergence(loop.config.model) if loop.config.converged else {}
    return loop.trained("ERM, a fifth held out", **how, hold_out=HELD_OUT)


def _features(loop: LoopRuns, start: Run) -> Run:
    """Of train and val; of the reference, whose attention SLIM needs, they come with that pass.

    A network that is frozen has those of the reference, whatever its last layer.
    """
    if loop.config.frozen or start.id == loop.reference.id:
        return loop.attention
    spec = FeaturesSpec(dataset=start.dataset_id, model=start.id, splits=("train", "val"))
    return loop.at.run(spec, name=f"Features of {start.name}")


def _early(loop: LoopRuns, start: Run) -> Run:
    """The same training, ended after a fifth of its epochs: with the milestones of the whole, not those of so few."""
    epochs = round(EARLY_SHARE * (start.metrics or {})["epochs"])
    fields = {**start.spec, "epochs": max(1, epochs), "patience": None, "selection": "last"}
    return loop.at.run(parse_spec(fields), name=f"{start.name}, ended early")
