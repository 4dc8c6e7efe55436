"""What a model gets wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from slim_core.evaluation.report.story.thresholds import FEW, GAP, LEAST, Named, worst_large_group
from slim_core.formatting import counted, percent
from slim_core.metrics import AVERAGE, CLASSES, CONFUSION, groups_are_classes, worst_of


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
