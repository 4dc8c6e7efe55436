"""Whether a model is better on its worst group than another, and what that took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.evaluation.comparison import grouping_of
from slim_core.evaluation.report.story.thresholds import FEW, LEAST, Named, worst_large_group
from slim_core.evaluation.same_images import changed, not_above, worst_group_changed
from slim_core.formatting import counted, interval, percent, points
from slim_core.metrics import AVERAGE, LEAST_PAIRS, groups_of, paired_difference, worst_of

if TYPE_CHECKING:
    from slim_core.store import Run

Beside = Mapping[str, Sequence[float]]


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
        cost: images, answers, environment_answers and spent (in words), as in a row of frames.table.
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
    asked, images = cost.get("answers") or cost.get("environment_answers"), cost.get("images")
    spent = str(cost["spent"]) if asked else ""
    text = f"Annotation took **{spent}**." if spent else "No answers were used."
    return f"{text} The model was trained on {images:,.0f} images." if images == images and images else text
