"""What a model gets wrong and why: two short texts for people who have not read the paper.

Markdown without headings; every number is one that the run has measured. ``named`` writes a name of the data where it
might mean something to what reads the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slim_core.data.checks.counts import RARE
from slim_core.data.groups import grouping
from slim_core.evaluation.verdict import FEW, Named
from slim_core.formatting import counted, of_n, percent
from slim_core.metrics import (
    ATTENTION_PRECISION,
    AVERAGE,
    CLASSES,
    CONFUSION,
    COVERAGE,
    ESTIMATED_GROUPS,
    LEAST,
    N_MASKS,
    groups_are_classes,
    groups_of,
    worst_shown,
)

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable


GAP = 0.02  # between average and worst group, below which no group is said to fail
MOSTLY = 2 / 3  # from this share on, a class is said to be seen mostly with one attribute


def wrong(metrics: Mapping[str, Any], split: str, *, named: Named = str) -> str:
    """What the model gets wrong: average against worst group, with n and interval; and classes that it never finds.

    ``split``: whose images were evaluated.
    """
    worst = worst_shown(metrics)
    if worst is None:
        return "No image of a known group was evaluated."
    average, rate, name = metrics[AVERAGE], worst["accuracy"], named(worst["name"])
    counts = f"{of_n(worst['n'])}, 95 % interval {percent(worst['low'], 0)} to {percent(worst['high'], 0)}"
    any_group = "any class" if groups_are_classes(metrics) else "any group"
    if rate == 1:
        follows = f"and makes no mistake in {any_group}."
    elif average - rate < GAP:
        follows = f"and hardly worse on {any_group}: the lowest is **{percent(rate)}**, of **{name}** ({counts})."
    else:
        follows = f"but only on **{percent(rate)}** of **{name}** ({counts})."
    text = f"The model is right on **{percent(average)}** of the {split} images, {follows}"
    return " ".join(each for each in (text, _never_right(metrics, named)) if each)


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


def why(metrics: Mapping[str, Any], table: ImageTable, *, named: Named = str) -> str:
    """Why, as far as the data say: what its class is mostly seen with in training, and where the attention lies."""
    worst = worst_shown(metrics)
    if worst is None:
        return ""
    fails = metrics[AVERAGE] - worst["accuracy"] >= GAP
    of_data = [_rare(worst["name"], table, named), _given_away(metrics, worst, table, named)] if fails else []
    reasons = [*of_data, _looks_at(metrics, worst, named)]
    if metrics.get(ESTIMATED_GROUPS):
        in_short = (
            "The groups are estimated."
            if table.has_attributes
            else "Your data has no attribute (site, scanner, ...), so groups are estimated."
        )
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
        f"a class this rare is hard to learn."
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
    says = f"there the {kind} predicts the other class"
    if _gives_away(counts, label, usual, attribute):
        says = f"the {kind} almost determines the class"
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
        f"{percent(with_it[label] / total, 0)} of {name}: there the {kind} almost "
        f"determines the class, a shortcut that fails where the two disagree."
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
    text = f"**{percent(1 - overall, 0)}** of its strong attention falls outside the object"
    if least is not None and least[ATTENTION_PRECISION] < overall - 0.05:
        return f"{text}, and {percent(1 - least[ATTENTION_PRECISION], 0)} for {named(least['name'])}."
    return f"{text}." if there is None else f"{text} ({percent(1 - there, 0)} for {named(worst['name'])})."
