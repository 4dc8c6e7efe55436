"""What stands beside SLIM (METHOD section 4): the methods that train the whole network, and those of a subset."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slim_core.curation import default_subset_size
from slim_core.curation.options import SLIM
from slim_core.errors import NothingToRepeatError, SpecRefusedError
from slim_core.metrics import WORST_CLASS
from slim_core.runs.loop_runs import AskedAbout, LoopRuns, Trained
from slim_core.runs.refits import refitted
from slim_core.runs.retraining import usual_fit
from slim_core.steps.specs import Option
from slim_core.steps.train.recipes import jtt_grid, regularised, to_convergence

if TYPE_CHECKING:
    from slim_core.store import Run


def erm(loop: LoopRuns) -> Trained:
    """The reference model, whose attention people judge."""
    return Trained(loop.reference)


def retrained_on(
    loop: LoopRuns, strategy: str, asked: AskedAbout = "images", options: Mapping[str, Option] | None = None
) -> Trained:
    """The model retrained on the subset of a strategy; ``asked`` and ``options``: as of ``LoopRuns.subset``."""
    subset = loop.subset(strategy, asked=asked, options=options)
    return Trained(loop.retrained(subset), subset)


def slim(loop: LoopRuns) -> Trained:
    """SLIM as it retrains where nobody says: of a frozen network answers enter the fit of the last layer, too."""
    subset = loop.subset(SLIM)
    return Trained(loop.retrained(subset, **usual_fit(loop.store, loop.start, subset)), subset)


def slim_once(loop: LoopRuns) -> Trained:
    """SLIM as whole networks get it where nobody says otherwise: classes balanced once, in a fifth of train."""
    size = default_subset_size(len(loop.table.rows("train")))
    return retrained_on(loop.with_curation(size, {"environments": "space"}), "slim")


def erm_converged(loop: LoopRuns) -> Trained:
    """ERM until the worst class on validation has not risen for a fifth of the epochs so far."""
    return Trained(loop.converged_erm)


def erm_same_steps(loop: LoopRuns) -> Trained:
    """ERM over as many images as all of SLIM's trainings see together."""
    subset = loop.subset("slim")
    seen = _epochs(loop.retrained(subset)) * _images(subset)
    whole = {run.id: _epochs(run) for run in (loop.reference, loop.start)}
    epochs = sum(whole.values()) + math.ceil(seen / len(loop.table.rows("train")))
    return Trained(loop.trained("ERM, as many steps as SLIM", epochs=epochs, patience=None))


def erm_retrained(loop: LoopRuns) -> Trained:
    """The model retrained on all of train as the others are on their subsets: what a second training does by itself."""
    return Trained(loop.retrained(None))


def rwy(loop: LoopRuns) -> Trained:
    """ERM to convergence, classes drawn equally often."""
    return Trained(loop.trained("RWY", **to_convergence(loop.config.model), sampling="class-balanced"))


def subg(loop: LoopRuns) -> Trained:
    """The model retrained on every group cut to the smallest, its epoch chosen by the worst group."""
    subset = loop.subset("subg", size=len(loop.table.rows("train")))
    return Trained(loop.retrained(subset, selection="worst_group"), subset)


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
        return refitted("jtt", "train")(loop)
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
    chosen = the_best(seconds)
    return replace(chosen, tried=(*chosen.tried, *without_errors))


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


def best_on_validation(runs: Sequence[Run], metric: str = WORST_CLASS) -> Run:
    """The train run whose kept epoch has the highest ``metric`` on validation; of equals the first."""
    return max(runs, key=lambda run: ((run.metrics or {}).get("val") or {}).get(metric) or 0.0)


def the_best(every: Sequence[Run], subset: Run | None = None, metric: str = WORST_CLASS) -> Trained:
    """The train run that ``metric`` on validation prefers; the others count as cost. ``subset``: of all of them."""
    best = best_on_validation(every, metric)
    return Trained(best, subset, tuple(run for run in every if run.id != best.id))


def best_of(*ways: Callable[[LoopRuns], Trained]) -> Callable[[LoopRuns], Trained]:
    """Several ways to a model, of which the worst class on validation chooses; those left count as cost."""

    def train(loop: LoopRuns) -> Trained:
        found = [way(loop) for way in ways]
        best = the_best([each.model for each in found])
        return replace(best, subset=next(each.subset for each in found if each.model.id == best.model.id))

    return train


def _epochs(model: Run) -> int:
    """It went through: fewer than its spec allows, where it converged."""
    return int((model.metrics or {})["epochs"])


def _images(subset: Run) -> int:
    return int((subset.metrics or {})["images"])
