"""Is the second model better than the first? One answer, which every page, colour and report takes from here.

It is about the worst group of those with enough images to judge. The words are markdown without headings; every number
is one that the runs have measured. ``named`` writes a name of the data where it might mean something to what reads the
text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.evaluation.comparison import grouping_of
from slim_core.evaluation.two_models import (
    LEVEL,
    changed,
    not_above,
    outcomes_of,
    seed_pairs,
    worst_group_changed,
)
from slim_core.formatting import counted, in_percent, interval, of_n, percent, points
from slim_core.metrics import AVERAGE, LEAST, LEAST_PAIRS, groups_of, paired_difference, worst_judged

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.evaluation.comparison import Ancestry
    from slim_core.store import Run, Store

Named = Callable[[str], str]
Beside = Mapping[str, Sequence[float]]
FEW = 2  # groups that a sentence names; more are counted


class Answer(StrEnum):
    """The word that a verdict begins with."""

    BETTER = "Better"
    WORSE = "Worse"
    INCONCLUSIVE = "Inconclusive"
    NOTHING_TO_FIX = "Nothing to fix"
    NOT_COMPARABLE = "Not comparable"


@dataclass(frozen=True)
class Verdict:
    """``headline``: one sentence with the two numbers and their n; ``why``: what it rests on, in paragraphs.

    ``rates``: accuracy of the worst group that can be judged, before and after; over seeds, their means. None where
    there is none.
    """

    answer: Answer
    headline: str
    why: str = ""
    rates: tuple[float, float] | None = None

    @property
    def sentence(self) -> str:
        """The word and the headline, as markdown."""
        return f"**{self.answer}**: {self.headline}."

    @property
    def is_perfect(self) -> bool:
        """Whether the first model makes no mistake, so that there is nothing to go on with."""
        return self.answer is Answer.NOTHING_TO_FIX

    @property
    def way(self) -> int:
        """1 where it is better, -1 where it is worse, else 0: what may be coloured, and how."""
        return {Answer.BETTER: 1, Answer.WORSE: -1}.get(self.answer, 0)


def least_rise(n: int, n_groups: int) -> float:
    """The smallest rise (0..1) of a group of n images that a verdict can tell from chance.

    The models agree as well as they can: every image that turns, turns right. Then k of them are shown where half of
    0.5^k, times the groups looked at, is below the level of one side (mid-p McNemar with Bonferroni's correction, as
    ``two_models.changed``). Above 1 where even n of them are too few.
    """
    turned = int(np.floor(np.log2(n_groups / LEVEL))) + 1
    return turned / n


def can_show(counts: Mapping[str, int], *, named: Named = str) -> str:
    """What a split can show, before any work; ``counts``: its images of each group, by name. Empty without a group."""
    there = {name: n for name, n in counts.items() if n}
    if not there:
        return ""
    smallest = min(there, key=lambda name: there[name])
    n = there[smallest]
    images = f"The smallest group, **{named(smallest)}**, has {counted(n, 'image')}"
    if n < LEAST:
        return f"{images}: a group below {LEAST} is not judged. Collect more of these."
    rise = least_rise(n, len(there))
    if rise >= 1:
        return f"{images}: no change of it can be shown. Collect more of these."
    shown = f"{images}: only changes of {in_percent(rise, 0)} points or more can be shown."
    return f"{shown} Collect more of them to show smaller ones."


def not_retrained(metrics: Mapping[str, Any], *, named: Named = str) -> str:
    """In the place of a verdict's sentence, until there is one: its first number."""
    worst = worst_judged(metrics)
    if worst is None:
        return "**Not retrained yet**."
    return f"**Not retrained yet**: the worst group is at {percent(worst['accuracy'])} ({_which(worst, named)})."


def nothing_to_fix(metrics: Mapping[str, Any], split: str) -> Verdict | None:
    """The verdict about a model that makes no mistake, before another is there; None about any other."""
    if metrics.get(AVERAGE) != 1:
        return None
    n = sum(group["n"] for group in groups_of(metrics))
    return Verdict(
        Answer.NOTHING_TO_FIX,
        f"no mistake on {counted(n, split + ' image')}",
        "This test cannot show a shortcut. What would: images of each class without what usually comes with it, such "
        "as another background, another camera, another site.",
        None if worst_judged(metrics) is None else (1.0, 1.0),
    )


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
    """Whether the second evaluation is better than the first; no answer where they have other images, or other groups.

    Args:
        cost: images, answers and spent (in words), as in a row of comparison.table.
        outcomes: (G, 2, 2) of the same images, as two_models.outcomes counts them; where they are not known, the
            intervals of the two worst groups decide, which overlap more easily.
        pairs: worst group (before, after) of every seed of this recipe, as two_models.seed_pairs; from two on, they
            decide.
        beside: worst group of further models, of a kind each, as a sentence begins with its name: such as of those
            retrained in the same way on a random subset of the same size.
        named: writes a name of the data where it might mean something to what reads the text.
    """
    was, now = before.metrics or {}, after.metrics or {}
    splits = [str(one.spec["split"]) for one in (before, after)]
    if splits[0] != splits[1]:
        return Verdict(Answer.NOT_COMPARABLE, f"evaluated on different splits, {splits[0]} and {splits[1]}")
    if grouping_of(before) != grouping_of(after):
        return Verdict(
            Answer.NOT_COMPARABLE, "evaluated on different estimated groups", _of_average(was, now, "Average")
        )
    found = between(was, now, cost, outcomes=outcomes, pairs=pairs, beside=beside, named=named)
    perfect = nothing_to_fix(was, splits[0])
    return found if perfect is None or found.answer is Answer.WORSE else perfect


def of_runs(
    store: Store, before: Run, after: Run, evaluations: Sequence[Run], ancestry: Ancestry, rows: pd.DataFrame
) -> Verdict:
    """``verdict`` of two of these evaluations of one data set; ``rows``: comparison.table of all of them."""
    cost = {str(key): value for key, value in rows.loc[after.id].items()}
    pairs = seed_pairs(ancestry, evaluations, before, after)
    return verdict(before, after, cost, outcomes=outcomes_of(store, before, after), pairs=pairs)


def between(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    cost: Mapping[str, Any],
    *,
    outcomes: NDArray[np.int64] | None = None,
    pairs: Sequence[tuple[float, float]] = (),
    beside: Beside = MappingProxyType({}),
    named: Named = str,
) -> Verdict:
    """``verdict`` of the metrics of two evaluations on the same images in the same groups."""
    was, now = worst_judged(before), worst_judged(after)
    if was is None or now is None:
        if not any(group["n"] for group in groups_of(before)):
            return Verdict(Answer.NOT_COMPARABLE, "there is no group to compare")
        return Verdict(
            Answer.INCONCLUSIVE, f"no group has {LEAST} images or more", _of_average(before, after, "Average")
        )
    ends = [end for _, end in pairs]
    seeds = paired_difference(ends, [start for start, _ in pairs]) if len(pairs) > 1 else None
    if seeds:
        answer, reason = _over_seeds(seeds)
        first, second = (float(np.mean(each)) for each in zip(*pairs, strict=True))
        average, details = "For the seed shown: average", _spread(len(pairs), seeds)
        ends_in_words = f"{percent(first)} to {percent(second)} on average ({of_n(now['n'])})"
        headline = f"over {len(pairs)} seeds, the worst group went from {ends_in_words}"
    else:
        answer, reason = _of_one_training(before, was, now, outcomes, named)
        first, second = was["accuracy"], now["accuracy"]
        average, details = "Average", _turned(was, now, outcomes, named)
        headline = f"the worst group went from {_rated(was, now, named)}"
    paragraphs = (
        (reason, details),
        (
            _of_average(before, after, average),
            _parted(before, after, outcomes, named),
            *_beside(now["accuracy"], ends if seeds else (), beside),
        ),
        (_took(cost),),
    )
    why = "\n\n".join(" ".join(each for each in sentences if each) for sentences in paragraphs)
    return Verdict(answer, headline, why, (first, second))


def _rated(was: Mapping[str, Any], now: Mapping[str, Any], named: Named) -> str:
    """From what to what, and of which group: once where it is the same one."""
    if was["name"] == now["name"] or now["accuracy"] == 1:
        return f"{percent(was['accuracy'])} to {percent(now['accuracy'])} ({_which(was, named)})"
    return " to ".join(f"{percent(one['accuracy'])} ({_which(one, named)})" for one in (was, now))


def _which(group: Mapping[str, Any], named: Named) -> str:
    return f"{named(group['name'])}, {of_n(group['n'])}"


def _of_average(before: Mapping[str, Any], after: Mapping[str, Any], begins: str) -> str:
    change = points(after[AVERAGE] - before[AVERAGE])
    return f"{begins} accuracy went from {percent(before[AVERAGE])} to {percent(after[AVERAGE])} ({change} points)."


def _of_one_training(
    before: Mapping[str, Any],
    was: Mapping[str, Any],
    now: Mapping[str, Any],
    outcomes: NDArray[np.int64] | None,
    named: Named,
) -> tuple[Answer, str]:
    """One model of each. Groups of a few images would leave any rise in doubt, and do not."""
    way = int(now["low"] > was["high"]) - int(now["high"] < was["low"])
    if outcomes is not None:
        outcomes = np.where(outcomes.sum(axis=(1, 2), keepdims=True) >= LEAST, outcomes, 0)
        way = worst_group_changed(outcomes)
    if way:
        return (Answer.BETTER if way > 0 else Answer.WORSE), ""
    if now["accuracy"] <= was["accuracy"]:
        return Answer.INCONCLUSIVE, "The worst group did not rise."
    perhaps = "The intervals overlap, so the gain may be due to chance."
    return Answer.INCONCLUSIVE, perhaps if outcomes is None else _perhaps(before, was, outcomes, named)


def _perhaps(before: Mapping[str, Any], was: Mapping[str, Any], outcomes: NDArray[np.int64], named: Named) -> str:
    """Why a rise is not shown: by the images of the group that was the worst, or by other groups alone."""
    is_low = not_above(outcomes)
    if is_low[was["group"]]:
        return f"With {counted(was['n'], 'image')}, the gain may be due to chance."
    low = [
        f'"{named(one["name"])}" ({counted(one["n"], "image")})' for one in groups_of(before) if is_low[one["group"]]
    ]
    others = " and ".join(low) if len(low) <= FEW else f"{len(low)} groups"
    return f'"{named(was["name"])}" rose, but {others} may be no better than it was.'


def _over_seeds(change: Mapping[str, Any]) -> tuple[Answer, str]:
    """Several seeds: by the 95 % t interval of the mean change, paired by seed."""
    is_known = change["low"] is not None
    if is_known and change["low"] > 0:
        return Answer.BETTER, ""
    if is_known and change["high"] < 0:
        return Answer.WORSE, ""
    if change["n"] < LEAST_PAIRS:
        return Answer.INCONCLUSIVE, f"{counted(change['n'], 'seed')} are too few for an interval: train with a third."
    if not is_known:
        return Answer.INCONCLUSIVE, "Every seed changed by the same amount, so the variance cannot be estimated."
    return Answer.INCONCLUSIVE, "The interval of the mean change includes 0, so the change may be due to chance."


def _spread(n: int, change: Mapping[str, Any]) -> str:
    """The mean change over several seeds, and its interval."""
    is_known = change["low"] is not None
    none = "too few for an interval" if n < LEAST_PAIRS else "the same for each"
    spread = f"95 % interval {interval(change['low'], change['high'], '+')}" if is_known else none
    return f"The mean change is {points(change['mean'])} points ({spread})."


def _turned(was: Mapping[str, Any], now: Mapping[str, Any], outcomes: NDArray[np.int64] | None, named: Named) -> str:
    """How many images of the worst group are right, before and after."""
    change = f"The change is {points(now['accuracy'] - was['accuracy'])} points"
    if was["name"] != now["name"]:
        left = "no group has a mistake left" if now["accuracy"] == 1 else f"the worst is now {named(now['name'])}"
        return f"{change}; {left}."
    text = f"{change}: {was['correct']:,} of {was['n']:,} images right before, {now['correct']:,} after"
    if outcomes is not None:
        lost, won = outcomes[was["group"], 1, 0], outcomes[was["group"], 0, 1]
        text += f"; {won:,} turned right, {lost:,} wrong"
    return f"{text}."


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
