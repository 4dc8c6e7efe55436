"""What a model got wrong, why, and whether it is better now: three short texts for people who have not read the paper.

Markdown without headings; every number is one that the runs have measured. ``named`` writes a name of the data where it
might mean something to what reads the text.

Public: wrong, why, verdict, better, Verdict, Named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.data.checks.counts import RARE
from slim_core.data.groups import grouping
from slim_core.evaluation.comparison import grouping_of
from slim_core.evaluation.two_models import changed, not_above, worst_group_changed
from slim_core.formatting import counted, interval, percent, points
from slim_core.metrics import (
    ATTENTION_PRECISION,
    AVERAGE,
    CLASSES,
    CONFUSION,
    COVERAGE,
    ESTIMATED_GROUPS,
    GROUPS,
    LEAST_PAIRS,
    N_MASKS,
    groups_are_classes,
    groups_of,
    paired_difference,
    worst_of,
)

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Run


Named = Callable[[str], str]
GAP = 0.02  # between average and worst group, below which no group is said to fail
FEW = 2  # groups that a sentence names; more are counted
LEAST = 10  # images of a worst group, below which no verdict rests on it: its interval spans 30 points and more


def worst_large_group(metrics: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The worst of the groups with enough images for a verdict, where there is one."""
    return worst_of({GROUPS: [group for group in groups_of(metrics) if group["n"] >= LEAST]})


def wrong(metrics: Mapping[str, Any], split: str, *, named: Named = str) -> str:
    """What the model gets wrong: average against worst group, with n and interval; and classes that it never finds.

    ``split``: whose images were evaluated.
    """
    worst = worst_of(metrics)
    if worst is None:
        return "No image of a known group was evaluated."
    average, rate, name = metrics[AVERAGE], worst["accuracy"], named(worst["name"])
    counts = f"n = {worst['n']:,}, 95 % interval {percent(worst['low'], 0)} to {percent(worst['high'], 0)}"
    any_group = "any class" if groups_are_classes(metrics) else "any group"
    if rate == 1:
        follows = f"and makes no mistake in {any_group}."
    elif average - rate < GAP:
        follows = f"and hardly worse on {any_group}: the lowest is **{percent(rate)}**, of **{name}** ({counts})."
    else:
        follows = f"but only on **{percent(rate)}** of **{name}** ({counts})."
    text = f"It is right on **{percent(average)}** of the {split} images, {follows}"
    further = (_worst_of_enough(metrics, worst, named), _never_right(metrics, named))
    return " ".join(each for each in (text, *further) if each)


def _worst_of_enough(metrics: Mapping[str, Any], worst: Mapping[str, Any], named: Named) -> str:
    """Beside a worst group of a few images: the worst one whose accuracy says more."""
    enough = worst_large_group(metrics)
    if worst["n"] >= LEAST or enough is None:
        return ""
    if enough["accuracy"] == 1:
        return f"It is right on every image of the groups with {LEAST} images or more."
    rate = f"**{percent(enough['accuracy'])}**, n = {enough['n']:,}"
    return f"Of the groups with {LEAST} images or more, the worst is **{named(enough['name'])}** ({rate})."


def _never_right(metrics: Mapping[str, Any], named: Named) -> str:
    """The classes that are never predicted, and those that are predicted for other images alone."""
    present = [one for one in metrics.get(CLASSES, ()) if one["n"]]
    missed = [one for one in present if one["accuracy"] == 0]
    if len(missed) > FEW:
        return f"On **{len(missed)}** of the {len(present)} classes it is right on no image."
    said = np.asarray(metrics[CONFUSION]).sum(axis=0) if missed else ()  # (C,) predictions of each
    return " ".join(
        f"It never predicts **{named(one['name'])}** ({counted(one['n'], 'image')})."
        if not said[one["class"]]
        else f"It is right on none of the {counted(one['n'], 'image')} of **{named(one['name'])}**."
        for one in missed
    )


MOSTLY = 2 / 3  # from this share on, a class is said to be seen mostly with one attribute


def why(metrics: Mapping[str, Any], table: ImageTable, *, named: Named = str) -> str:
    """Why, as far as the data say: what its class is mostly seen with in training, and where the attention lies."""
    worst = worst_of(metrics)
    if worst is None:
        return ""
    fails = metrics[AVERAGE] - worst["accuracy"] >= GAP
    of_data = [_rare(worst["name"], table, named), _given_away(metrics, worst, table, named)] if fails else []
    reasons = [*of_data, _looks_at(metrics, worst, named)]
    if metrics.get(ESTIMATED_GROUPS):
        in_short = "The groups are estimated" + ("." if table.has_attributes else ": no attribute is known.")
        at_length = _estimated(metrics, worst, table, named)
        reasons.append(at_length if fails or groups_are_classes(metrics) else in_short)
    return " ".join(each for each in reasons if each) or "No attribute of the data explains it."


def _estimated(metrics: Mapping[str, Any], worst: Mapping[str, Any], table: ImageTable, named: Named) -> str:
    """What the groups are that no attribute gives, and where to look for what the images of the worst one share."""
    if groups_are_classes(metrics):
        return "The data has no attribute, and these groups are only the classes: its environments are not known yet."
    name = f"**{named(worst['name'])}**"
    shared = (
        f"It fails on what the images of {name} have in common in their surroundings: look at them."
        if worst["n"] >= LEAST
        else f"{name} has {counted(worst['n'], 'image')}, too few to show what it fails on."
    )
    groups = "These groups" if table.has_attributes else "The data has no attribute: its groups"
    return f"{groups} are estimated, **class x environment**, by what the model sees outside its attention. {shared}"


def _rare(worst: str, table: ImageTable, named: Named) -> str:
    """That the training has few images of the worst group's class, by the measure of the import."""
    groups = grouping(table)
    if worst not in groups.names:
        return ""
    counts = np.bincount(table.labels[table.rows("train")], minlength=table.n_classes)
    label, most = groups.names.index(worst) // max(1, table.n_attributes), int(counts.argmax())
    if counts[label] * RARE >= counts[most]:
        return ""
    return (
        f"Only **{counts[label]:,}** of the {int(counts.sum()):,} training images are of "
        f"**{named(table.label_names[label])}**, and {counts[most]:,} of {named(table.label_names[most])}: "
        f"a class so rare is seldom learnt."
    )


def _given_away(metrics: Mapping[str, Any], worst: Mapping[str, Any], table: ImageTable, named: Named) -> str:
    """What the worst group is mostly seen with in training, or which other class is seen with its attribute; where
    neither says anything, a group that fails as much."""
    as_low = [group for group in groups_of(metrics) if group["accuracy"] == worst["accuracy"]]
    for group in sorted(as_low, key=lambda one: (one["name"] != worst["name"], -int(one["n"]))):
        cell = _cell_of(group["name"], table)
        if cell and (text := _seen_with(*cell, table, named) or _goes_with(*cell, table, named)):
            others = f"It does no better on **{named(group['name'])}**. " * (group["name"] != worst["name"])
            return f"{others}{text}"
    return ""


def _cell_of(group: str, table: ImageTable) -> tuple[NDArray[np.int64], int, int] | None:
    """Training images (C, A) by class and attribute, and the two of a group; None where they are not known of it."""
    groups = grouping(table)
    if groups.estimated or group not in groups.names:
        return None
    counts = groups.counts(table.rows("train")).reshape(table.n_classes, table.n_attributes)
    return counts, *divmod(groups.names.index(group), table.n_attributes)


def _seen_with(counts: NDArray[np.int64], label: int, attribute: int, table: ImageTable, named: Named) -> str:
    """The training images of the worst group's class, by attribute, as far as that is known."""
    total, usual = int(counts[label].sum()), int(counts[label].argmax())
    if not total or usual == attribute or counts[label, usual] < MOSTLY * total:
        return ""
    name, kind = named(table.label_names[label]), named(table.attribute_name or "attribute")
    seen, rare = named(table.attribute_names[usual]), named(table.attribute_names[attribute])
    n_of_class = np.count_nonzero(table.labels[table.rows("train")] == label)
    known = f" whose {kind} is known" if total < n_of_class else ""
    says = f"there the {kind} speaks against the class"
    if _gives_away(counts, label, usual, attribute):
        says = f"the {kind} nearly gives the class away"
    follows = f"{says}, a shortcut that fails where the two disagree."
    if not _speaks_against(counts, label, attribute):
        follows = f"the model has seen {counted(int(counts[label, attribute]), 'image')} of this group."
    if not counts[label, attribute]:
        return f"In training, no image of **{name}**{known} comes with **{rare}**: {follows}"
    return (
        f"In training, **{percent(counts[label, usual] / total, 0)}** of the images of **{name}**{known} come with "
        f"**{seen}** and only {percent(counts[label, attribute] / total, 0)} with {rare}: {follows}"
    )


def _gives_away(counts: NDArray[np.int64], label: int, usual: int, attribute: int) -> bool:
    """Whether most images with the usual attribute are of the class, or most of those with the other one of another.

    Of five classes on three grounds, 71 % of one may lie on a ground of which it has 20 % of the images.
    """
    with_usual, with_it = counts[:, usual], counts[:, attribute]
    return bool(with_usual[label] >= MOSTLY * with_usual.sum() or with_it.max() >= MOSTLY * with_it.sum())


def _goes_with(counts: NDArray[np.int64], label: int, attribute: int, table: ImageTable, named: Named) -> str:
    """The training images with the worst group's attribute, by class: of several values one may be the shortcut."""
    with_it = counts[:, attribute]
    total, usual = int(with_it.sum()), int(with_it.argmax())
    if total < LEAST or with_it[usual] < MOSTLY * total or not _speaks_against(counts, label, attribute):
        return ""
    name, other = named(table.label_names[label]), named(table.label_names[usual])
    kind = named(table.attribute_name or "attribute")
    return (
        f"In training, **{percent(with_it[usual] / total, 0)}** of the images with "
        f"**{named(table.attribute_names[attribute])}** are of **{other}** and only "
        f"{percent(with_it[label] / total, 0)} of {name}: there the {kind} nearly "
        f"gives the class away, a shortcut that fails where the two disagree."
    )


def _speaks_against(counts: NDArray[np.int64], label: int, attribute: int) -> bool:
    """Whether a class is clearly rarer among the images with an attribute than among all: counts (C, A) of images.

    An attribute that is as rare in every class gives none away.
    """
    with_it, among_all = int(counts[:, attribute].sum()), counts[label].sum() / counts.sum()
    return with_it > 0 and bool(counts[label, attribute] / with_it <= MOSTLY * among_all)


def _looks_at(metrics: Mapping[str, Any], worst: Mapping[str, Any], named: Named) -> str:
    """How much of the strong attention lies off the object, over all images and in the worst group."""
    found, scored = _off_the_object(metrics, worst, named), metrics.get(COVERAGE) or 1.0
    return f"{found} Scored on {percent(scored)} of the images." if found and scored < 1 else found


def _off_the_object(metrics: Mapping[str, Any], worst: Mapping[str, Any], named: Named) -> str:
    """Of a group with fewer than LEAST scored images, as where some are drawn on, nothing is said."""
    overall = metrics.get(ATTENTION_PRECISION)
    if overall is None:
        return ""
    scored = {g["group"]: g for g in groups_of(metrics)
              if g.get(ATTENTION_PRECISION) is not None and g.get(N_MASKS, g["n"]) >= LEAST}  # fmt: skip
    there = worst[ATTENTION_PRECISION] if worst["group"] in scored else None
    least = min(scored.values(), key=lambda group: float(group[ATTENTION_PRECISION]), default=None)
    text = f"**{percent(1 - overall, 0)}** of its strong attention lies beside the object"
    if least is not None and least[ATTENTION_PRECISION] < overall - 0.05:
        return f"{text}, and {percent(1 - least[ATTENTION_PRECISION], 0)} for {named(least['name'])}."
    return f"{text}." if there is None else f"{text} ({percent(1 - there, 0)} for {named(worst['name'])})."


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
