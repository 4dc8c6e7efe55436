"""What stands beside a result: its other seeds, what asks nobody, what was paid; and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.services import queueing
from app.services.queueing import trained_by
from app.services.results.comparison import outcomes_of
from slim_core.evaluation import two_models
from slim_core.evaluation.comparison import grouping_of
from slim_core.evaluation.two_models import seed_pairs
from slim_core.metrics import WGA
from slim_core.runs.methods import best_on_validation
from slim_core.runs.trainings import without_answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.services.loop_state import Loop, Result
    from app.services.results.comparison import Compared
    from slim_core.evaluation.two_models import Named, Verdict
    from slim_core.store import Run

RANDOM = "random"  # the strategy
STARTS_FROM = ("mode", "start", "reference")  # of a training


@dataclass(frozen=True)
class Facts:
    """Worst-group accuracy: ``pairs`` (before, after) as from seed_pairs; ``random``: of each random subset.

    ``unasked``: of what asks nobody, of each seed. Neither stands beside a result that is one of the kind itself.
    """

    pairs: tuple[tuple[float, float], ...] = ()
    random: tuple[float, ...] = ()
    unasked: tuple[float, ...] = ()


def of(loop: Loop, compared: Compared) -> Facts:
    """The facts of the loop's result; nothing where it is no pair."""
    result, known = loop.result, compared.evaluations
    if result is None or result.after is None:
        return Facts()

    def rates(evaluations: Iterable[str]) -> tuple[float, ...]:
        found = ((known[one].metrics or {}).get(WGA) for one in evaluations)
        return tuple(float(one) for one in found if one is not None)  # of no known group there is no worst one

    alike = _alike(result.after, compared)
    controls = [one.after.id for one in loop.results if one.before and one.after and is_control(one, result)]
    random = () if is_control(result, result) else rates(one for one in controls if one in alike)
    unasked_too = () if queueing.is_itself_unasked(result) else rates(_unasked(result, alike, compared))
    return Facts(_seeds(result, compared), random, unasked_too)


def _alike(after: Run, compared: Compared) -> dict[str, Run]:
    """The evaluations of the same split in the same groups, by id."""
    known = compared.evaluations
    if after.id not in known:
        return {}
    asked = (after.spec["split"], grouping_of(known[after.id]))
    return {key: one for key, one in known.items() if (one.spec["split"], grouping_of(one)) == asked}


def _unasked(result: Result, alike: Mapping[str, Run], compared: Compared) -> list[str]:
    """The evaluations of the models that validation chooses, one of each seed, of those that ask nobody."""
    runs = compared.ancestry.runs
    trained = {one.spec["model"]: one.id for one in alike.values() if one.spec["model"] in runs}
    by_seed: dict[int, list[Run]] = {}
    for model in (runs[each] for each in trained):
        if queueing.is_unasked(model, runs.get(model.spec.get("subset") or ""), result):
            by_seed.setdefault(int(model.spec["seed"]), []).append(model)
    return [trained[best_on_validation(tried).id] for tried in by_seed.values()]


def _seeds(result: Result, compared: Compared) -> tuple[tuple[float, float], ...]:
    known = compared.evaluations
    if result.before is None or result.after is None or not {result.before.id, result.after.id} <= set(known):
        return ()
    return seed_pairs(compared.ancestry, known.values(), known[result.before.id], known[result.after.id])


def is_control(one: Result, result: Result) -> bool:
    """Whether a pair is the random subset for another: as large, of its reference, retrained so without answers."""
    if one.subset is None or result.subset is None or one.model is None or result.model is None:
        return False
    starts = [[each.spec.get(name) for name in STARTS_FROM] for each in (one.model, result.model)]
    same_way = starts[0] == starts[1] and trained_by(one.model) == without_answers(trained_by(result.model))
    same_size = one.subset.spec["size"] == result.subset.spec["size"]
    return one.subset.spec["strategy"] == RANDOM and same_size and same_way and one.reference.id == result.reference.id


def verdict(loop: Loop, compared: Compared, *, named: Named = str) -> Verdict | None:
    """Whether the result is better than its reference; None where it is no pair, or not read yet.

    ``named``: as in slim_core.evaluation.two_models.
    """
    if loop.before is None or loop.after is None or loop.after.id not in compared.rows.index:
        return None
    cost: dict[Any, Any] = compared.rows.loc[loop.after.id].to_dict()
    facts = of(loop, compared)
    outcomes = outcomes_of(loop.before, loop.after)
    beside = {"A random subset of the same size": facts.random}
    if loop.result is not None:
        beside[queueing.unasked_for(loop.result.reference).name] = facts.unasked
    there = {name: rates for name, rates in beside.items() if rates}
    return two_models.verdict(
        loop.before, loop.after, cost, outcomes=outcomes, pairs=facts.pairs, beside=there, named=named
    )
