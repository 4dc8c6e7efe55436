"""Two models on the same images: what changed in each group, and whether the second is better, in numbers and in words.

The 95 % intervals of two accuracies may overlap where the difference is no chance: most images are easy for both models
or hard for both, and only those on which the models differ say which one is better (docs/decisions/0014).

The words are markdown without headings; every number is one that the runs have measured. ``named`` writes a name of the
data where it might mean something to what reads the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.errors import ArtifactDamagedError, NotFoundError
from slim_core.evaluation.comparison import grouping_of
from slim_core.formatting import counted, interval, percent, points
from slim_core.metrics import (
    AVERAGE,
    GROUPS,
    LEAST_PAIRS,
    WGA,
    groups_of,
    paired_difference,
    worst_of,
)
from slim_core.store.results import EvaluationResult

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.evaluation.comparison import Ancestry
    from slim_core.store import Run, Store

Named = Callable[[str], str]
FEW = 2  # groups that a sentence names; more are counted
LEAST = 10  # images of a worst group, below which no verdict rests on it: its interval spans 30 points and more
_LEVEL = 0.05  # of the tests, two-sided
Beside = Mapping[str, Sequence[float]]


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
    found[at] = by_chance * len(at) >= _LEVEL / 2
    return found


def changed(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(G,) 1 where the accuracy of a group rose by more than chance, -1 where it fell, else 0.

    By McNemar's mid-p test (Fagerland, Lydersen and Laake, BMC Medical Research Methodology 2013): of the images on
    which the models differ, each is right on half where neither is better. With Bonferroni's correction for as many
    groups as have an image.
    """
    won, lost = _rise_by_chance(counts), _rise_by_chance(counts.transpose(0, 2, 1))
    n_tests = int((counts.sum(axis=(1, 2)) > 0).sum())
    return np.where(np.minimum(won, lost) * n_tests < _LEVEL / 2, np.where(won < lost, 1, -1), 0)


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


def worst_large_group(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The worst of the groups with enough images for a verdict, where there is one."""
    return worst_of({GROUPS: [group for group in groups_of(metrics) if group["n"] >= LEAST]})


@dataclass(frozen=True)
class Verdict:
    """``better``: True, False where the worst group did not rise, None where its rise may be chance."""

    better: bool | None
    text: str


def verdict(
    before: Run,
    after: Run,
    cost: Mapping[str, Any],
    *,
    outcomes: NDArray[np.int64] | None = None,
    pairs: Sequence[tuple[float, float]] = (),
    beside: Beside = MappingProxyType({}),
    named: Named = str,
) -> Verdict:
    """Whether the second evaluation is better than the first, as ``better``; not known where they have other images, or
    other groups."""
    was, now = before.metrics or {}, after.metrics or {}
    splits = [one.spec["split"] for one in (before, after)]
    if splits[0] != splits[1]:
        return Verdict(None, f"**Not known:** one was evaluated on {splits[0]}, the other on {splits[1]}.")
    if grouping_of(before) != grouping_of(after):
        return across(was, now)
    return better(was, now, cost, outcomes=outcomes, pairs=pairs, beside=beside, named=named)


def better(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    cost: Mapping[str, Any],
    *,
    outcomes: NDArray[np.int64] | None = None,
    pairs: Sequence[tuple[float, float]] = (),
    beside: Beside = MappingProxyType({}),
    named: Named = str,
) -> Verdict:
    """Whether the second model is better on its worst group than the first, and what that took.

    Args:
        before, after: metrics of the two evaluations, in the same groups.
        cost: images, answers and spent (in words), as in a row of frames.table.
        outcomes: (G, 2, 2) of the same images, as slim_core.evaluation.same_images counts them; where they are not
            known, the intervals of the two worst groups decide, which overlap more easily.
        pairs: worst-group accuracy (before, after) of every seed of this recipe; from two on, they decide.
        beside: worst-group accuracy of further models, of a kind each, as a sentence begins with its name: such as of
            those retrained in the same way on a random subset of the same size.
        named: writes a name of the data where it might mean something to what reads the text.
    """
    was, now = worst_of(before), worst_of(after)
    if was is None or now is None:
        return Verdict(None, "One of the two has no group to compare.")
    ends = [end for _, end in pairs]
    seeds = paired_difference(ends, [start for start, _ in pairs]) if len(pairs) > 1 else None
    sure, word = _over_seeds(seeds) if seeds else _of_one_training(before, after, outcomes, named)
    if few := _too_few(was, now, named):
        sure, word = None, few
    average = f"{'For the seed shown: average' if seeds else 'Average'} {_of_average(before, after)}"
    of_one = (_rose(was, now, outcomes, named), _of_enough_went(before, after, named))
    paragraphs = (
        (word, *((_over(pairs, seeds),) if seeds else of_one)),
        (average, _parted(before, after, outcomes, named), *_beside(now["accuracy"], ends if seeds else (), beside)),
        (_took(cost),),
    )
    return Verdict(sure, "\n\n".join(" ".join(each for each in sentences if each) for sentences in paragraphs))


def across(before: Mapping[str, Any], after: Mapping[str, Any]) -> Verdict:
    """Two evaluations whose estimated groups are other ones: no change of a group, nor of the worst, is one."""
    text = "**Not known:** the two were evaluated on different estimated groups, whose accuracies do not compare."
    return Verdict(None, f"{text} Average {_of_average(before, after)}")


def _of_average(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    change = points(after[AVERAGE] - before[AVERAGE])
    return f"accuracy went from {percent(before[AVERAGE])} to {percent(after[AVERAGE])} ({change} points)."


def _too_few(was: Mapping[str, Any], now: Mapping[str, Any], named: Named) -> str:
    """That a worst group has too few images; all seeds are evaluated on the same."""
    smaller = min(was, now, key=lambda group: group["n"])
    if smaller["n"] >= LEAST:
        return ""
    return f"**Not known:** {named(smaller['name'])} has {counted(smaller['n'], 'image')}, too few to decide."


def _of_enough_went(before: Mapping[str, Any], after: Mapping[str, Any], named: Named) -> str:
    """Beside a worst group of a few images, which no model may ever get right: the worst of those that say more."""
    ends = [(worst_of(one), worst_large_group(one)) for one in (before, after)]
    if all(worst is None or worst["n"] >= LEAST for worst, _ in ends):
        return ""
    rates = [f"**{percent(one['accuracy'])}** ({named(one['name'])})" for _, one in ends if one is not None]
    return f"The worst group with {LEAST} images or more went from {' to '.join(rates)}." if len(rates) == 2 else ""


def _of_one_training(
    before: Mapping[str, Any], after: Mapping[str, Any], outcomes: NDArray[np.int64] | None, named: Named
) -> tuple[bool | None, str]:
    """One model of each, which have a worst group. Groups of a few images would leave any rise in doubt, and do not."""
    was, now = worst_of(before) or {}, worst_of(after) or {}
    way = int(now["low"] > was["high"]) - int(now["high"] < was["low"])
    if outcomes is not None:
        outcomes = np.where(outcomes.sum(axis=(1, 2), keepdims=True) >= LEAST, outcomes, 0)
        way = worst_group_changed(outcomes)
    if now["accuracy"] <= was["accuracy"]:
        return False, "**No, it is worse.**" if way < 0 else "**No.**"
    if way > 0:
        return True, "**Yes.**"
    perhaps = "the intervals overlap, so the rise may be chance"
    return None, f"**Not shown:** {perhaps if outcomes is None else _perhaps(before, was, outcomes, named)}."


def _perhaps(before: Mapping[str, Any], was: Mapping[str, Any], outcomes: NDArray[np.int64], named: Named) -> str:
    """Why a rise is not shown: by the images of the group that was the worst, or by other groups alone."""
    is_low = not_above(outcomes)
    if is_low[was["group"]]:
        return f"with {counted(was['n'], 'image')}, such a rise may be chance"
    low = [
        f'"{named(one["name"])}" ({counted(one["n"], "image")})' for one in groups_of(before) if is_low[one["group"]]
    ]
    others = " and ".join(low) if len(low) <= FEW else f"{len(low)} groups"
    return f'"{named(was["name"])}" rose, but {others} may be no better than it was'


def _over_seeds(change: Mapping[str, Any]) -> tuple[bool | None, str]:
    """Several seeds: by the 95 % t interval of the mean change, paired by seed."""
    is_known = change["low"] is not None
    if is_known and change["low"] > 0:
        return True, "**Yes.**"
    if change["mean"] <= 0:
        return False, "**No, it is worse.**" if is_known and change["high"] < 0 else "**No.**"
    if change["n"] < LEAST_PAIRS:
        return None, f"**Not shown:** {counted(change['n'], 'seed')} are too few for an interval: train with a third."
    if not is_known:
        return None, "**Not shown:** every seed changed by the same amount, which says nothing about their spread."
    return None, "**Not shown:** the interval of the mean change includes 0, so the rise may be chance."


def _over(pairs: Sequence[tuple[float, float]], change: Mapping[str, Any]) -> str:
    """The worst group over several seeds, before and after."""
    first, second = (sum(each) / len(pairs) for each in zip(*pairs, strict=True))
    is_known = change["low"] is not None
    none = "too few for an interval" if change["n"] < LEAST_PAIRS else "the same for each"
    spread = f"95 % interval {interval(change['low'], change['high'], '+')}" if is_known else none
    return (
        f"Over {len(pairs)} seeds, worst-group accuracy went from {percent(first)} to **{percent(second)}** "
        f"on average ({points(change['mean'])} points, {spread})."
    )


def _rose(was: Mapping[str, Any], now: Mapping[str, Any], outcomes: NDArray[np.int64] | None, named: Named) -> str:
    """The worst group, before and after."""
    gain = points(now["accuracy"] - was["accuracy"])
    rates = f"{percent(was['accuracy'])} to **{percent(now['accuracy'])}**"
    text = f"Worst-group accuracy went from {rates} ({gain} points"
    if was["name"] != now["name"]:
        left = "no group has a mistake left" if now["accuracy"] == 1 else f"the worst is now {named(now['name'])}"
        return f"{text}; {left})."
    counts = f"{was['correct']:,} of {was['n']:,} right before, {now['correct']:,} after"
    if outcomes is not None:
        lost, won = outcomes[was["group"], 1, 0], outcomes[was["group"], 0, 1]
        counts += f"; {won:,} turned right, {lost:,} wrong"
    return f"{text}; {named(was['name'])}: {counts})."


def _parted(
    before: Mapping[str, Any], after: Mapping[str, Any], outcomes: NDArray[np.int64] | None, named: Named
) -> str:
    """How many groups rose or fell by more than chance; nothing where the two models have other groups."""
    was = {group["name"]: group for group in groups_of(before) if group["accuracy"] is not None}
    both = [(was[group["name"]], group) for group in groups_of(after) if group["name"] in was and group["n"]]
    if len(both) < len(was):
        return ""
    if outcomes is None:
        ways = [int(now["low"] > old["high"]) - int(now["high"] < old["low"]) for old, now in both]
    else:
        ways = changed(outcomes)[[now["group"] for _, now in both]].tolist()
    rose, fell = ([named(now["name"]) for (_, now), way in zip(both, ways, strict=True) if way == to] for to in (1, -1))
    parts = [f"{_quoted(names)} {word}" for names, word in ((rose, "rose"), (fell, "fell")) if 0 < len(names) <= FEW]
    parts += [f"{len(names)} groups {word}" for names, word in ((rose, "rose"), (fell, "fell")) if len(names) > FEW]
    return f"Significant changes: {'; '.join(parts)}." if parts else ""


def _quoted(names: Sequence[str]) -> str:
    """In quotes: a name has a comma of its own."""
    return " and ".join(f'"{name}"' for name in names)


def _beside(now: float, over_seeds: Sequence[float], beside: Beside) -> Iterator[str]:
    """What does as well, or how far it comes: several seeds of it are compared with the mean of the model's, too."""
    for name, rates in beside.items():
        mean = sum(rates) / len(rates)
        seeds = f", mean of {len(rates)} seeds" if len(rates) > 1 else ""
        reached = sum(over_seeds) / len(over_seeds) if seeds and over_seeds else now
        word = "does as well or better:" if reached <= mean else "reaches"
        yield f"{name} {word} **{percent(mean)}**{seeds}."


def _took(cost: Mapping[str, Any]) -> str:
    """What people gave, and how many images the model was trained on."""
    asked, images = cost.get("answers"), cost.get("images")
    spent = str(cost["spent"]) if asked else ""
    text = f"Annotation took **{spent}**." if spent else "No answers were used."
    return f"{text} The model was trained on {images:,.0f} images." if images == images and images else text
