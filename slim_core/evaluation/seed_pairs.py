"""The other trainings of two models that are compared: what they say of the change that one of each cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from slim_core.evaluation.comparison import grouping_of
from slim_core.metrics import WGA

if TYPE_CHECKING:
    from slim_core.evaluation.ancestry import Ancestry
    from slim_core.store import Run


def seed_pairs(
    ancestry: Ancestry, evaluations: Iterable[Run], before: Run, after: Run
) -> tuple[tuple[float, float], ...]:
    """Worst-group accuracy (before, after) of each training of the first model, in the same groups.

    Where the second model was made from the first, a pair is a first model and what was made from it: several that were
    made from one first model share its luck, and count once, as their mean. Else a pair has one seed, and what occurs
    twice with it counts once, as its mean, on either side.

    Args:
        ancestry: of all of them.
        evaluations: finished ones with their metrics, the two among them.
        before, after: those of the two models; others that differ from one of them by seeds alone are its repetitions.
    """
    kinds = [ancestry.identity(one) for one in (before, after)]
    if kinds[0] == kinds[1]:
        return ()
    known = [one for one in evaluations if (one.metrics or {}).get(WGA) is not None]
    firsts, seconds = ([one for one in known if ancestry.identity(one) == kind] for kind in kinds)
    is_made_from = before.spec["model"] in _models(ancestry, after)
    of_key: dict[tuple[object, str], list[Run]] = {}
    for first in firsts:
        key = first.spec["model"] if is_made_from else _seed(ancestry, first)
        of_key.setdefault((key, grouping_of(first)), []).append(first)
    found = []
    for (key, grouping), befores in of_key.items():
        afters = [
            second
            for second in seconds
            if grouping_of(second) == grouping
            and (key in _models(ancestry, second) if is_made_from else key == _seed(ancestry, second))
        ]
        if afters:
            found.append((_mean(befores), _mean(afters)))
    return tuple(found)


def _mean(evaluations: Sequence[Run]) -> float:
    """The mean of their worst-group accuracies."""
    return sum(float((one.metrics or {})[WGA]) for one in evaluations) / len(evaluations)


def _models(ancestry: Ancestry, evaluation: Run) -> set[str]:
    """Ids of the model of an evaluation and of all that it rests on; what its groups are estimated by made no model."""
    model = ancestry.runs.get(evaluation.spec["model"])
    return set() if model is None else {one.id for one in ancestry.lineage(model)}


def _seed(ancestry: Ancestry, evaluation: Run) -> object:
    """The seed of its model; None where that was deleted."""
    model = ancestry.runs.get(evaluation.spec["model"])
    return None if model is None else model.spec.get("seed")
