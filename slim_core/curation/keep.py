"""S6: which images are trusted, by one of three rules, and what each would keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slim_core.curation.data import RIGHT, UNANSWERED, CurationData
from slim_core.curation.options import CurateOptions
from slim_core.errors import AnswersRefusedError

TIE = 1e-3  # scores this close to a quantile are ties with it, and kept: plateaus at 0 and 1 are not cut at random


@dataclass(frozen=True, eq=False)
class KeptImages:
    """What a rule keeps. Trusted images are those that pass it; where a class has none, others are kept instead."""

    mask: np.ndarray  # (N,) bool: trusted images, and those that are kept instead
    trusted: np.ndarray  # (N,) bool, see ``trusted``
    report: dict[str, Any]
    notes: tuple[str, ...]  # one sentence for each class the rule could not be applied to


def trusted(scores: np.ndarray, labels: np.ndarray, options: CurateOptions | None = None) -> np.ndarray:
    """(N,) bool: images whose score passes the keep rule of ``options``. The one definition of "trusted".

    An image without a score (NaN: its class has no answers) is not trusted. Shares are of all images, these included.
    """
    options = options or CurateOptions()
    known, found = ~np.isnan(scores), np.zeros(len(scores), bool)
    for label in np.unique(labels):
        members = labels == label
        found |= members & (scores >= _cut(scores, members & known, known, options))
    return found


def keep(
    scores: np.ndarray, labels: np.ndarray, options: CurateOptions | None = None, class_names: Sequence[str] = ()
) -> KeptImages:
    """Keep the images whose attention is probably right (METHOD S6).

    "threshold": score >= threshold, the default, since scores are probabilities and compare between classes.
    "quantile": score >= that quantile of its own class. "median": score >= the median of all classes pooled (reference,
    which also scaled each class to 0..1 first: not done here, it makes the scales incomparable).

    A class without scores (NaN: no answer says right or wrong) is kept whole. Of a class in which no image passes, the
    better half is kept (ties included: all of it where every score is 0). None of these images is trusted. The notes
    say both, by the class's name where ``class_names`` has one for each label.
    """
    options = options or CurateOptions()
    known, passing = ~np.isnan(scores), trusted(scores, labels, options)
    mask = np.zeros(len(scores), bool)
    classes, notes = [], []
    for label in np.unique(labels):
        members = labels == label
        asked = _cut(scores, members & known, known, options)
        cut: float | None = asked
        if not passing[members].any():
            cut, note = _fall_back(scores[members], class_names[label] if class_names else str(label), asked)
            notes.append(note)
        mask[members] = True if cut is None else scores[members] >= cut
        n_kept, n_trusted = int(mask[members].sum()), int(passing[members].sum())
        counts = {"kept": n_kept, "trusted": n_trusted, "total": int(members.sum())}
        classes.append({"class": int(label), **counts, "cut": cut})
    counts = {"kept": int(mask.sum()), "trusted": int(passing.sum()), "total": len(mask)}
    return KeptImages(mask, passing, {"rule": options.keep or "threshold", **counts, "classes": classes}, tuple(notes))


def _cut(scores: np.ndarray, members: np.ndarray, known: np.ndarray, options: CurateOptions) -> float:
    if options.keep in (None, "threshold") or not members.any():
        return options.threshold
    if options.keep == "quantile":
        return float(np.quantile(scores[members], options.quantile)) - TIE
    return float(np.median(scores[known])) - TIE


def _fall_back(scores: np.ndarray, name: str, cut: float) -> tuple[float | None, str]:
    """What serves instead of a rule that keeps nothing of a class: (the cut, None for all of it; why)."""
    if np.isnan(scores).all():  # nobody was asked, or all are unsure or disagree: none of that counts
        return None, f"No answer about class {name} says right or wrong, so {_all_kept(len(scores))}."
    half = float(np.median(scores)) - TIE
    why = f"No image of class {name} reaches a score of {cut:.3f} (the best is {scores.max():.3f})"
    n_best = int((scores >= half).sum())
    if n_best < len(scores):
        return half, f"{why}, so the {n_best:,} best of its {len(scores):,} images are kept."
    reason = ": their scores do not single out a better half" if n_best > 1 else ""
    return half, f"{why}, so {_all_kept(n_best)}{reason}."


def _all_kept(n: int) -> str:
    return f"all its {n:,} images are kept" if n > 1 else "its only image is kept"


def kept_or_all(data: CurationData, options: CurateOptions) -> KeptImages:
    """S6 where some answer says right; else every image, with the reason among the notes."""
    given = data.answers[data.answers != UNANSWERED]
    if (given == RIGHT).any():
        return keep(data.scores, data.labels, options, data.class_names)
    why = f"All {len(given)} answers say that the attention is wrong" if len(given) else "No answer says right or wrong"
    note = f"{why}, so no image is trusted above another: the environments are balanced without trust."
    everything = np.ones(len(data.labels), bool)
    return KeptImages(everything, ~everything, {}, (note,))


def require_trusted_answers(answers: np.ndarray, strategy: str) -> None:
    """Refuse what a strategy cannot use that chooses among trusted images.

    Args:
        answers: (n,) 1 right, 0 wrong, -1 unsure or not asked.
        strategy: its name, for the sentence.

    Raises:
        AnswersRefusedError: no right or wrong answer at all, or not one right among them.
    """
    given = answers[answers != UNANSWERED]
    if len(given) == 0:
        raise AnswersRefusedError(
            f"There is no right or wrong answer yet, and {strategy!r} needs some: annotate the candidates first, "
            f"or choose a strategy that needs none (slim, random, class-balanced)."
        )
    if not (given == RIGHT).any():
        raise AnswersRefusedError(
            f"All {len(given)} answers say that the attention is wrong, so {strategy!r} has no image to choose from: "
            f"choose the strategy slim, ask about more images, or train another reference model."
        )
