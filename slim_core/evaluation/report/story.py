"""What a model got wrong, why, and whether it is better now: three short texts for people who have not read the paper.

Markdown without headings; every number is one that the runs have measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slim_core.data.groups import grouping
from slim_core.evaluation.comparison import worst_of
from slim_core.metrics import ATTENTION_PRECISION, AVERAGE, GROUPS
from slim_core.percent import percent

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable

GAP = 0.02  # between average and worst group, below which no group is said to fail
MOSTLY = 2 / 3  # from this share on, a class is said to be seen mostly with one attribute


@dataclass(frozen=True)
class Verdict:
    """``better``: True, False, or None where the intervals overlap and the difference may be chance."""

    better: bool | None
    text: str


def wrong(metrics: Mapping[str, Any]) -> str:
    """What the model gets wrong: average against worst group, with n and interval."""
    worst = worst_of(metrics)
    if worst is None:
        return "No image of a known group was evaluated."
    average, rate = metrics[AVERAGE], worst["accuracy"]
    interval = f"n = {worst['n']:,}, 95 % interval {percent(worst['low'], 0)} to {percent(worst['high'], 0)}"
    if average - rate < GAP:
        return f"It is right on **{percent(average)}** of the images, and hardly worse on any group ({interval})."
    return (
        f"It is right on **{percent(average)}** of all images, but only on **{percent(rate)}** of "
        f"**{worst['name']}** ({interval})."
    )


def why(metrics: Mapping[str, Any], table: ImageTable) -> str:
    """Why, as far as the data say: what its class is mostly seen with in training, and where the attention lies."""
    worst = worst_of(metrics)
    if worst is None:
        return ""
    fails = metrics[AVERAGE] - worst["accuracy"] >= GAP
    reasons = [_seen_with(worst["name"], table) if fails else "", _looks_at(metrics, worst)]
    return " ".join(each for each in reasons if each) or "The data name no attribute that would explain it."


def _seen_with(worst: str, table: ImageTable) -> str:
    """The training images of the worst group's class, by attribute."""
    groups = grouping(table)
    if groups.estimated or worst not in groups.names:
        return ""
    counts = groups.counts(table.rows("train")).reshape(table.n_classes, table.n_attributes)
    label, attribute = divmod(groups.names.index(worst), table.n_attributes)
    total, usual = int(counts[label].sum()), int(counts[label].argmax())
    if not total or usual == attribute or counts[label, usual] < MOSTLY * total:
        return ""
    name, seen, rare = table.label_names[label], table.attribute_names[usual], table.attribute_names[attribute]
    return (
        f"In training, **{percent(counts[label, usual] / total, 0)}** of the images of **{name}** come with **{seen}** "
        f"and only {percent(counts[label, attribute] / total, 0)} with {rare}: "
        f"the {table.attribute_name or 'attribute'} nearly gives the class away, a shortcut that fails where they part."
    )


def _looks_at(metrics: Mapping[str, Any], worst: Mapping[str, Any]) -> str:
    """How much of the strong attention lies off the object, over all images and in the worst group."""
    overall, there = metrics.get(ATTENTION_PRECISION), worst.get(ATTENTION_PRECISION)
    if overall is None:
        return ""
    most = [g for g in metrics.get(GROUPS, ()) if g.get(ATTENTION_PRECISION) is not None]
    least = min(most, key=lambda group: float(group[ATTENTION_PRECISION]), default=None)
    text = f"**{percent(1 - overall, 0)}** of its strong attention lies beside the object"
    if least is not None and least[ATTENTION_PRECISION] < overall - 0.05:
        return f"{text}, and {percent(1 - least[ATTENTION_PRECISION], 0)} for {least['name']}."
    return f"{text}." if there is None else f"{text} ({percent(1 - there, 0)} for {worst['name']})."


def better(before: Mapping[str, Any], after: Mapping[str, Any], cost: Mapping[str, Any]) -> Verdict:
    """Whether the second model is better on its worst group than the first, and what that took.

    ``cost``: images, answers, share (0..1) and minutes, as in a row of slim_core.evaluation.report.frames.table.
    """
    was, now = worst_of(before), worst_of(after)
    if was is None or now is None:
        return Verdict(None, "One of the two has no group to compare.")
    points = 100 * (now["accuracy"] - was["accuracy"])
    if now["low"] > was["high"]:
        sure: bool | None = True
        verdict = "**Yes.**"
    elif now["high"] < was["low"]:
        sure, verdict = False, "**No, it is worse.**"
    else:
        sure, verdict = None, "**Not for certain:** the intervals overlap, so that it may be chance."
    average = 100 * (after[AVERAGE] - before[AVERAGE])
    text = (
        f"{verdict} Worst-group accuracy went from {percent(was['accuracy'])} to **{percent(now['accuracy'])}** "
        f"({points:+.1f} points; the worst is now {now['name']}), average accuracy changed by {average:+.1f} points. "
        f"{_took(cost)}"
    )
    return Verdict(sure, text)


def _took(cost: Mapping[str, Any]) -> str:
    answers, images = cost.get("answers") or 0, cost.get("images")
    text = "It took no answer" if not answers else f"It took **{answers:,.0f} answers**"
    if answers and cost.get("share") == cost.get("share"):  # not NaN
        text += f" ({percent(cost['share'])} of the training images, {cost.get('minutes', 0):.1f} minutes)"
    return f"{text} and {images:,.0f} training images." if images == images and images else f"{text}."
