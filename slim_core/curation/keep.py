"""S6: which images are trusted, by one of three rules, and what each would keep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slim_core.curation.data import KEEP_RULES, CurateOptions, CurationData
from slim_core.errors import AnswersRefusedError

__all__ = ["KEEP_RULES", "Kept", "compare_rules", "keep", "require_answers"]

TIE = 1e-3  # scores this close to a quantile are ties with it, and kept: plateaus at 0 and 1 are not cut at random


@dataclass(frozen=True, eq=False)
class Kept:
    """What a rule keeps."""

    mask: np.ndarray  # (N,) bool
    report: dict[str, Any]
    notes: tuple[str, ...]  # one sentence for each class the rule could not be applied to


def keep(scores: np.ndarray, labels: np.ndarray, options: CurateOptions | None = None) -> Kept:
    """Keep the images whose attention is probably right (METHOD S6).

    "threshold": score >= threshold, the default, since scores are probabilities and compare between classes.
    "quantile": score >= that quantile of its own class. "median": score >= the median of all classes pooled (reference,
    which also scaled each class to 0..1 first: not done here, it makes the scales incomparable).

    A class without scores (NaN: no answers) is kept whole, and so is a class of which the rule keeps nothing; both are
    said in the notes.
    """
    options = options or CurateOptions()
    known = ~np.isnan(scores)
    mask = np.zeros(len(scores), bool)
    classes, notes = [], []
    for label in np.unique(labels):
        members = labels == label
        cut = _cut(scores, members & known, known, options)
        mask[members] = scores[members] >= cut
        if not known[members].any():
            notes.append(f"Class {label} has no answers, so all its {members.sum()} images are kept.")
        elif not mask[members].any():
            best = float(scores[members].max())
            notes.append(
                f"No image of class {label} reaches {cut:.3f} (best score {best:.3f}), so all its {members.sum()} "
                f"images are kept."
            )
        if not mask[members].any():
            mask[members] = True
            cut = None
        n_kept = int(mask[members].sum())
        classes.append({"class": int(label), "kept": n_kept, "total": int(members.sum()), "cut": cut})
    about = {"rule": options.keep, "kept": int(mask.sum()), "total": len(mask), "classes": classes}
    return Kept(mask, about, tuple(notes))


def _cut(scores: np.ndarray, members: np.ndarray, known: np.ndarray, options: CurateOptions) -> float | None:
    if options.keep == "threshold" or not members.any():
        return options.threshold
    if options.keep == "quantile":
        return float(np.quantile(scores[members], options.quantile)) - TIE
    return float(np.median(scores[known])) - TIE


def compare_rules(scores: np.ndarray, labels: np.ndarray, options: CurateOptions | None = None) -> list[dict[str, Any]]:
    """What each rule would keep, in all and per class: one dict a rule, as ``Kept.report``."""
    options = options or CurateOptions()
    return [keep(scores, labels, replace(options, keep=rule)).report for rule in KEEP_RULES]


def require_answers(data: CurationData, strategy: str) -> None:
    """Refuse what no answer-based strategy can use.

    Raises:
        AnswersRefusedError: no right or wrong answer at all, or not one right among them.
    """
    given = data.answers[data.answers != -1]
    if len(given) == 0:
        raise AnswersRefusedError(
            f"There is no right or wrong answer yet, and {strategy!r} needs some: annotate the candidates first, "
            f"or choose a strategy without answers (random, class-balanced)."
        )
    if not (given == 1).any():
        raise AnswersRefusedError(
            f"All {len(given)} answers say that the attention is wrong, so no image can be trusted: ask about more "
            f"images, or train another reference model."
        )
