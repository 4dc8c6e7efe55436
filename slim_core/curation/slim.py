"""The default strategy: every class equally often in every environment, so that neither tells the other.

The answers decide which images are trusted (S6), where in an image its environment is looked for, and how far each
environment is trusted. What was measured, and what was tried and dropped, is in docs/decisions/0012 and
docs/what-studies-taught.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slim_core.curation.cells import Cell, allocate, balance, build, capacities, choose_all, most_repeats
from slim_core.curation.data import RIGHT, UNANSWERED, CurateOptions, CurationData, FoundBy, Subset
from slim_core.curation.two_views import balanced_twice, found_in
from slim_core.errors import AnswersRefusedError
from slim_core.space.environments import Clusters

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


def slim(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Balance class x environment cluster, by as much as the answers trust each environment.

    Within an environment every class gets the same budget, so that the environment no longer tells the class; an
    environment in which one class is rare gets less as a whole. ``options.trust`` shifts the budget of whole
    environments towards those whose images the keep rule (S6) trusts. In a cell the images are spread over the
    environment features, whatever their score; repeats (on by default) fill a cell
    that is smaller than its budget. Where no answer says right, every environment counts the same, and a note says so.

    Environments "both" are another way, see ``balanced_twice``.
    """
    found_by = _found_by(data, options)
    if found_by == "both":
        return balanced_twice(data, size, seed, options)
    data = in_environments_asked_for(data, seed, options)
    kept = kept_or_all(data, options)
    cells, budgets = cell_budgets(data, kept, size, options)
    choices = choose_all(cells, budgets, data.environment, seed)
    return build(
        data,
        choices,
        size,
        most=_most(options),
        kept=kept.mask,
        extra=({"keep": kept.report} if kept.report else {}) | {"clusters": data.clusters.to_json()},
        notes=[
            *_not_as_asked(found_by, options),
            *kept.notes,
            *(_single(data.clusters) if found_by == "space" else ()),
        ],
    )


def has_own_scores(data: CurationData, options: CurateOptions) -> bool:
    """Whether ``slim`` takes scores of its own (``two_views.right_scores``) in place of the propagated ones."""
    return _found_by(data, options) == "both"


def _found_by(data: CurationData, options: CurateOptions) -> FoundBy:
    """How environments are found; those of the space stay where nothing is known in which others could be."""
    return "space" if data.views is None else options.environments


def _not_as_asked(found_by: FoundBy, options: CurateOptions) -> list[str]:
    if found_by == options.environments:
        return []
    return ["The environments of the space are used, not the ones you chose: its attention pass kept no features."]


def _single(clusters: Clusters) -> list[str]:
    """What follows where a space has one environment for all its images, which then tells nothing apart."""
    if len(np.unique(clusters.index)) != 1:
        return []
    remedy = "build a space with more clusters (slim space --n-clusters 4), or of more images"
    return [f"The space has a single environment, so only the classes are balanced: {remedy}."]


def in_environments_asked_for(data: CurationData, seed: int, options: CurateOptions) -> CurationData:
    """The data in the environments that classes are balanced in once: those of the space, or found by the answers.

    e = s r + (1 - s) p, where s is the propagated score that the attention is right. What lies outside the attention
    (r) is the environment only where the attention is on the object; where it is not, the model looks at the
    environment, and the whole image (p) tells it. Clusters of e, PER_CLASS for each class: splitting an environment
    costs little, merging two loses a group. Without answers s is ``options.presumed``.
    """
    if _found_by(data, options) != "answers":
        return data
    assert data.views is not None
    s = np.nan_to_num(data.scores, nan=options.presumed)[:, None]
    surroundings = np.asarray(s * data.views.if_right + (1 - s) * data.views.if_wrong, np.float32)
    index = found_in(surroundings, data.n_classes, seed)
    clusters = Clusters(index, (int(index.max()) + 1,) * data.n_classes, surroundings)
    return replace(data, clusters=clusters, environment=surroundings, environments_are="surroundings")


def cell_budgets(
    data: CurationData, kept: KeptImages, size: int, options: CurateOptions
) -> tuple[list[Cell], np.ndarray]:
    """The cells (k), and how many images each gives (k,): all of the choice that is quick at any size."""
    cells = environment_cells(data, kept)
    return cells, _budgets(cells, size, capacities(cells, _most(options)), options.trust)


def _most(options: CurateOptions) -> int | None:
    return most_repeats(options.repeats is not False, options)


def environment_cells(data: CurationData, kept: KeptImages) -> list[Cell]:
    """One cell for each class and environment that has images, all images in it."""
    numbers = np.unique(data.clusters.index).tolist()
    found = [_cell(data, label, k, kept) for label in range(data.n_classes) for k in numbers]
    return [cell for cell in found if cell.size]


def _cell(data: CurationData, label: int, environment: int, kept: KeptImages) -> Cell:
    members = np.flatnonzero((data.labels == label) & (data.clusters.index == environment))
    note = {"environment": str(environment)} | _trust(kept, members)
    name = f"{data.called(label)}, {data.environments_are} {environment}"
    return Cell(name, label, members, len(members), note)


def _trust(kept: KeptImages, members: np.ndarray) -> dict[str, Any]:
    """How many of a cell's images are trusted; nothing where that is not known."""
    n_trusted = int(kept.trusted[members].sum())
    return {"kept": n_trusted, "trust": round(n_trusted / max(len(members), 1), 4)} if kept.report else {}


def _budgets(cells: list[Cell], size: int, most: np.ndarray, trust: float) -> np.ndarray:
    """(k,) the same from every class of an environment, more of those that are trusted; what is missing from all."""
    labels = np.array([cell.label for cell in cells], np.int64)
    index = np.unique([int(cell.note["environment"]) for cell in cells], return_inverse=True)[1]
    shares = np.array([cell.note.get("trust", 1.0) for cell in cells])
    trusted = np.bincount(index, shares) / np.bincount(index)
    budgets = balance(labels, index, most, size, 1 + trust * (2 * trusted - 1))
    missing = allocate(np.ones(len(cells)), size - int(budgets.sum()), most - budgets)
    return np.asarray(budgets + missing)
