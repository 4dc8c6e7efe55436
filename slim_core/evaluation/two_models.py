"""Two models on the same images: what changed in each group, and whether the worst one did by more than chance.

The 95 % intervals of two accuracies may overlap where the difference is no chance: most images are easy for both models
or hard for both, and only those on which the models differ say which one is better (docs/decisions/0014).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import ArtifactDamagedError, NotFoundError
from slim_core.evaluation.comparison import grouping_of
from slim_core.metrics import groups_of, worst_judged
from slim_core.store.results import EvaluationResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.evaluation.comparison import Ancestry
    from slim_core.store import Run, Store

LEVEL = 0.05  # of the tests, two-sided


def outcomes_of(store: Store, before: Run, after: Run) -> NDArray[np.int64] | None:
    """``outcomes`` of two finished evaluations with the same groups, also where their images were moved away.

    Returns:
        None also where a file of theirs cannot be read.
    """
    try:
        kept = [EvaluationResult(store.artifacts.folder(run.id)).predictions() for run in (before, after)]
    except (NotFoundError, ArtifactDamagedError):
        return None
    first, second = (one[["row", "group"]].assign(correct=one["prediction"] == one["label"]) for one in kept)
    return outcomes(first, second, len(groups_of(before.metrics or {})))


def outcomes(before: pd.DataFrame, after: pd.DataFrame, n_groups: int) -> NDArray[np.int64] | None:
    """(G, 2, 2) images of each group, by whether the first model is right (0, 1) and whether the second is.

    Args:
        before, after: row, group and correct of each image, in the same groups.
        n_groups: G. Images of no known group do not count.

    Returns:
        None where the two have predicted different images.
    """
    both = before.merge(after[["row", "correct"]], on="row", suffixes=("", "_after"))
    if not len(both) == len(before) == len(after):
        return None
    known = both[both["group"] >= 0]
    counts = np.zeros((n_groups, 2, 2), np.int64)
    np.add.at(counts, tuple(known[name].to_numpy(int) for name in ("group", "correct", "correct_after")), 1)
    return counts


def worst_group_changed(counts: NDArray[np.int64]) -> int:
    """1 where the worst group rose by more than chance, -1 where it fell, else 0; of these two models, not of others.

    It rose where no group is among ``not_above``. Fallen is the same with the models exchanged.

    Args:
        counts: as ``outcomes`` gives them; groups without an image do not count.
    """
    return int(_is_above(counts)) - int(_is_above(counts.transpose(0, 2, 1)))


def not_above(counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(G,) groups of the second model that may, by chance, be no better than the worst one of the first.

    If there is none, the worst group rose: an intersection-union test (Berger, Technometrics 1982). On the images of
    the worst group itself it is McNemar's, as ``changed``, on those of another group the z test of two proportions with
    Yates' correction. Bonferroni's pays for having looked for the worst group, whose accuracy is too low by chance.

    Args:
        counts: as ``outcomes`` gives them; groups without an image are not among them.
    """
    from scipy.special import ndtr

    (at,) = np.nonzero(counts.sum(axis=(1, 2)))
    found = np.zeros(len(counts), bool)
    if not len(at):
        return found
    counts = counts[at]
    n, before, after = counts.sum(axis=(1, 2)), counts[:, 1, :].sum(axis=1), counts[:, :, 1].sum(axis=1)
    worst = int(np.lexsort((-n, before / n))[0])  # of several the largest, as metrics.worst_of names it
    both = (after + before[worst]) / (n + n[worst])
    error = np.sqrt(both * (1 - both) * (1 / n + 1 / n[worst]))
    ahead = after / n - before[worst] / n[worst] - (1 / n + 1 / n[worst]) / 2
    by_chance = ndtr(-ahead / np.maximum(error, np.finfo(float).tiny))
    by_chance[worst] = _rise_by_chance(counts)[worst]
    found[at] = by_chance * len(at) >= LEVEL / 2
    return found


def changed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(G,) 1 where the accuracy of a group rose by more than chance, -1 where it fell, else 0.

    By McNemar's mid-p test (Fagerland, Lydersen and Laake, BMC Medical Research Methodology 2013): of the images on
    which the models differ, each is right on half where neither is better. With Bonferroni's correction for as many
    groups as have an image.
    """
    won, lost = _rise_by_chance(counts), _rise_by_chance(counts.transpose(0, 2, 1))
    n_tests = int((counts.sum(axis=(1, 2)) > 0).sum())
    return np.where(np.minimum(won, lost) * n_tests < LEVEL / 2, np.where(won < lost, 1, -1), 0)


def _is_above(counts: NDArray[np.int64]) -> bool:
    """Whether each group of the second model is better than the worst one of the first."""
    return bool(counts.any() and not not_above(counts).any())


def _rise_by_chance(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(G,) one-sided mid-p of as many images turning right, of all that turned, where neither model is better."""
    from scipy.special import bdtr  # its binomtest takes one group a call, and half a second to import

    lost, turned = counts[:, 1, 0], counts[:, 1, 0] + counts[:, 0, 1]
    up_to, below = bdtr(lost, turned, 0.5), np.where(lost > 0, bdtr(np.maximum(lost - 1, 0), turned, 0.5), 0.0)
    return np.asarray((up_to + below) / 2)


def seed_pairs(
    ancestry: Ancestry, evaluations: Iterable[Run], before: Run, after: Run
) -> tuple[tuple[float, float], ...]:
    """Accuracy of the worst group that can be judged (before, after), of each training of the first model.

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
    known = [one for one in evaluations if worst_judged(one.metrics or {})]
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
    """The mean accuracy of their worst groups."""
    return sum(float((worst_judged(one.metrics or {}) or {})["accuracy"]) for one in evaluations) / len(evaluations)


def _models(ancestry: Ancestry, evaluation: Run) -> set[str]:
    """Ids of the model of an evaluation and of all that it rests on; what its groups are estimated by made no model."""
    model = ancestry.runs.get(evaluation.spec["model"])
    return set() if model is None else {one.id for one in ancestry.lineage(model)}


def _seed(ancestry: Ancestry, evaluation: Run) -> object:
    """The seed of its model; None where that was deleted."""
    model = ancestry.runs.get(evaluation.spec["model"])
    return None if model is None else model.spec.get("seed")
