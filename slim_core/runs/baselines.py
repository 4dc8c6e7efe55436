"""How each method gets from the runs of a loop to a model (METHOD section 4): whole networks, last layers, subsets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slim_core.curation.options import SLIM
from slim_core.errors import NothingToRepeatError, SpecRefusedError
from slim_core.metrics import WORST_CLASS
from slim_core.runs.loop_runs import LoopRuns, Trained
from slim_core.runs.trainings import retrain_spec, usual_fit
from slim_core.steps.specs import FeaturesSpec, Option
from slim_core.steps.train.recipes import jtt_grid, regularised, to_convergence

if TYPE_CHECKING:
    from slim_core.store import Run

WEAK = 0.001  # of the l2 penalty: a tenth of the weakest that is tried where validation chooses


def erm(loop: LoopRuns) -> Trained:
    """ERM until the worst class on validation no longer rises; of a last layer, the penalty by validation."""
    return Trained(loop.converged_erm)


def erm_weak(loop: LoopRuns) -> Trained:
    """A last layer under a weak penalty, which validation does not choose."""
    return Trained(loop.retrained(None, refit_options={"strengths": (WEAK,)}))


def class_balanced(loop: LoopRuns) -> Trained:
    """ERM to convergence, classes drawn equally often; in the fit of a last layer, they count equally."""
    if loop.config.frozen:
        return Trained(loop.retrained(None, refit_options={"class_balanced": True}))
    return Trained(loop.trained("RWY", **to_convergence(loop.config.model), sampling="class-balanced"))


def group_dro(loop: LoopRuns) -> Trained:
    """GroupDRO to convergence, its epoch chosen by the worst group."""
    how = to_convergence(loop.config.model) | {"objective": "group-dro", "selection": "worst_group"}
    return Trained(loop.trained("GroupDRO", **how))


def jtt(loop: LoopRuns) -> Trained:
    """ERM of T epochs, then training with its errors repeated; T and how often by the worst class on validation.

    Raises:
        SpecRefusedError: after none of the T epochs does it make an error on train.
    """
    if loop.config.frozen:
        return _refitted(loop, "jtt")
    grid, seconds, without_errors = jtt_grid(loop.config.model), [], []
    for epochs, upweight in grid:
        name, fields = jtt_first(epochs)
        first = loop.trained(name, **fields)
        name, fields = jtt_second(first, upweight)
        try:
            seconds.append(loop.trained(name, **fields))
        except NothingToRepeatError:
            without_errors.append(first)
    if not seconds:
        raise SpecRefusedError(
            f"JTT has no errors to repeat: its first model predicts all training images correctly after "
            f"{' as after '.join(f'{epochs} epochs' for epochs, _ in grid)}: train with more weight decay, or leave "
            f"jtt out."
        )
    best = best_on_validation(seconds)
    return Trained(best, tried=(*(run for run in seconds if run.id != best.id), *without_errors))


def jtt_first(epochs: int) -> tuple[str, dict[str, Any]]:
    """Name, and fields of TrainSpec, of the first training of JTT."""
    return f"JTT, the first {epochs} epochs", {"epochs": epochs, "selection": "last"}


def jtt_second(first: Run, upweight: int) -> tuple[str, dict[str, Any]]:
    """Name, and fields of TrainSpec, of the second training, in which the errors of the first are repeated."""
    options = {"errors_of": first.id, "upweight": upweight}
    fields = {**to_convergence(first.spec["model"]), "objective": "jtt", "objective_options": options}
    return f"JTT, errors of {first.spec['epochs']} epochs {upweight} times", fields


def cnc(loop: LoopRuns) -> Trained:
    """ERM that is strongly regularised, then Correct-N-Contrast on its predictions to convergence."""
    first = loop.trained("CnC, the strongly regularised ERM", **regularised(loop.config.model))
    how = to_convergence(loop.config.model)
    options = {"predictions_of": first.id}
    return Trained(loop.trained("CnC", **how, objective="cnc", objective_options=options))


def dfr(loop: LoopRuns) -> Trained:
    """The last layer of the model that subsets are retrained from, fitted anew by DFR on validation."""
    return _refitted(loop, "dfr")


def _refitted(loop: LoopRuns, refit: str) -> Trained:
    fields = {"refit": refit, "attention": _features(loop, loop.start).id}
    spec = retrain_spec(loop.start, None, "last-layer", loop.config.drawn_seed, fields)
    return Trained(loop.at.run(spec, name=f"Last layer by {refit}"))


def _features(loop: LoopRuns, start: Run) -> Run:
    """Of train and val; of the reference, whose attention SLIM needs, they come with that pass.

    A network that is frozen has those of the reference, whatever its last layer.
    """
    if loop.config.frozen or start.id == loop.reference.id:
        return loop.attention
    spec = FeaturesSpec(dataset=start.dataset_id, model=start.id, splits=("train", "val"))
    return loop.at.run(spec, name=f"Features of {start.name}")


def by_strategy(
    strategy: str, *, is_answered: bool = True, options: Mapping[str, Option] | None = None
) -> Callable[[LoopRuns], Trained]:
    """The method that retrains on the subset of a strategy; ``is_answered`` and ``options``: as of LoopRuns.subset."""

    def train(loop: LoopRuns) -> Trained:
        subset = loop.subset(strategy, is_answered=is_answered, options=options)
        return Trained(loop.retrained(subset), subset)

    return train


slim_no_answers = by_strategy(SLIM, is_answered=False)


def slim(loop: LoopRuns) -> Trained:
    """SLIM as it retrains where nobody says: of a frozen network answers enter the fit of the last layer, too."""
    subset = loop.subset(SLIM)
    return Trained(loop.retrained(subset, **usual_fit(loop.store, loop.start, subset)), subset)


def best_on_validation(runs: Sequence[Run], metric: str = WORST_CLASS) -> Run:
    """The train run whose kept epoch has the highest ``metric`` on validation; of equals the first."""
    return max(runs, key=lambda run: ((run.metrics or {}).get("val") or {}).get(metric) or 0.0)
