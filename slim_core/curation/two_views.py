"""Balanced twice: in what surrounds the attention, and in what it is on where the answers say it is wrong.

A shortcut that is most of an image (the water behind the bird) shows in what lies outside the attention, whatever
people say. One that is small (a sticker, a tag on an X-ray) does not: clusters tell the scenes. But the model looks at
it, so it shows in what the attention is on, where that is wrong; where it is right, what it is on is the class, which
must not be balanced away. So the answers say of which images the second grouping is (docs/decisions/0039).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slim_core.curation.budgets import allocate
from slim_core.curation.cells import Cell, Choice, build, cell_seed, choose
from slim_core.curation.data import RIGHT, UNANSWERED, CurationData, Subset
from slim_core.curation.options import CurateOptions
from slim_core.curation.raking import NO_GROUP, lacking, rake
from slim_core.space.clustering import seeded_kmeans
from slim_core.space.views import Views

PER_CLASS = 6  # environments that are found by the answers
MOST = 64
IMAGES_EACH = 20  # in one of them on average, at least
_MOST_LOST = 0.6  # of the images: chosen on seeds 20 to 22
_C = 100.0  # of the l2 penalty, for differences of rows of length 1: chosen on seeds 20 to 22


def found_in(points: np.ndarray, n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """PER_CLASS clusters for each class, over all of them: (the cluster of each point (n,), centres (k, d)).

    Splitting an environment costs little, merging two loses a group.
    """
    return seeded_kmeans(points, max(2, min(PER_CLASS * n_classes, MOST, len(points) // IMAGES_EACH)), seed)


def balanced_twice(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Every class equally often in each cluster of the surroundings, and in each of what wrong attention is on.

    Both at once by raking; an image is used ``options.max_repeats`` times at most. A grouping that would lose most
    images is left out, and a note says so. Without answers ``options.presumed`` says whether all attention is right
    (the first grouping alone) or wrong.

    Args:
        data: with views and their contrast.
        size: images of the subset, repeats counted. seed: of the clusters and picks.
        options: see CurateOptions.
    """
    wrong = presumed_wrong(right_scores(data, options.presumed), data.answers)
    found, notes = _balanceable(data.labels, _grouped(data, wrong, seed))
    weights = rake(data.labels, (found.around, found.on), options.max_repeats)
    return build(
        data,
        list(_choices(data, found, weights, size, seed, options)),
        size,
        extra={"clusters": found.to_json() | {"images_wrong": int(wrong.sum())}},
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class _Grouped:
    """The two clusters of each of N images."""

    around: np.ndarray  # (N,) of what lies outside its attention
    on: np.ndarray  # (N,) of what its attention is on; NO_GROUP where that is taken to be right

    def to_json(self) -> dict[str, int]:
        return {
            "surroundings": int(self.around.max()) + 1,
            "attended": int(self.on.max()) + 1,
        }


def _grouped(data: CurationData, wrong: np.ndarray, seed: int) -> _Grouped:
    views = _views(data)
    on = np.full(len(wrong), NO_GROUP, np.int64)
    if wrong.any():
        on[wrong] = found_in(views.if_wrong[wrong], data.n_classes, seed)[0]
    return _Grouped(found_in(views.if_right, data.n_classes, seed)[0], on)


def _balanceable(labels: np.ndarray, found: _Grouped) -> tuple[_Grouped, list[str]]:
    """The groupings that leave enough of the images, and what is said of those that do not.

    Raking gives nothing to the images of a cluster that lacks a class. A model that has fitted its images looks at the
    class itself: nearly every cluster of that lacks one, and the few other images would be the whole subset.
    """
    notes, none, one = [], np.full(len(labels), NO_GROUP), np.zeros(len(labels), np.int64)
    attended = [("what wrong attention is on", _Grouped(found.around, none))] if (found.on != NO_GROUP).any() else []
    for what, without in [*attended, ("what lies outside the attention", _Grouped(one, none))]:
        lost = lacking(labels, (found.around, found.on)).mean()
        if lost > _MOST_LOST:
            found = without
            notes.append(
                f"Classes are not balanced in {what}: {lost:.0%} of the images are in clusters that lack a class. "
                f"Ask about a model that was trained for fewer epochs, or take the environments of the space."
            )
    return found, notes


def _views(data: CurationData) -> Views:
    assert data.views is not None and data.views.contrast is not None, "annotation.curation_data.views_of gives both"
    return data.views


def right_scores(data: CurationData, presumed: float) -> np.ndarray:
    """(N,) how probably the attention of each image is right; ``presumed`` where nobody says anything.

    By l2 logistic regression of the answers on what the attention is on less what lies outside of it: better than by
    neighbours in the attention space (S5), from as few answers.
    """
    contrast = _views(data).contrast
    assert contrast is not None
    known = data.answers != UNANSWERED
    kinds = np.unique(data.answers[known])
    if len(kinds) < 2:
        return np.full(len(known), float(kinds[0] == RIGHT) if len(kinds) else presumed)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_C, max_iter=500).fit(contrast[known], data.answers[known])
    return np.asarray(model.predict_proba(contrast)[:, 1])


def presumed_wrong(scores: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """(N,) bool: all but the highest scores, of which there are as many as the answers say are right.

    The share of right answers is known far better than any one score, and probabilities from some dozen answers are not
    calibrated. Without answers the scores are.
    """
    known = answers != UNANSWERED
    share = float((answers[known] == RIGHT).mean()) if known.any() else float(scores.mean())
    wrong = np.ones(len(scores), bool)
    wrong[np.argsort(-scores, kind="stable")[: round(share * len(scores))]] = False
    return wrong


def _choices(
    data: CurationData, found: _Grouped, weights: np.ndarray, size: int, seed: int, options: CurateOptions
) -> Iterator[Choice]:
    """Of every class in every cluster of the surroundings: its images, spread over what wrong attention is on too."""
    keys = np.stack([data.labels, found.around, found.on], axis=1)
    cells, index = np.unique(keys, axis=0, return_inverse=True)
    index = index.reshape(-1)
    parts = [np.flatnonzero(index == k) for k in range(len(cells))]
    most = np.bincount(index) * (1 if options.repeats is False else options.max_repeats)
    budgets = allocate(np.bincount(index, weights), size, most).tolist()
    chosen = [
        choose(Cell("", None, part, len(part), {}), budget, _views(data).if_right, cell_seed(seed, k))
        for k, (part, budget) in enumerate(zip(parts, budgets, strict=True))
    ]
    for label, cluster in np.unique(cells[:, :2], axis=0).tolist():
        own = np.flatnonzero((cells[:, 0] == label) & (cells[:, 1] == cluster)).tolist()
        members = np.concatenate([parts[k] for k in own])
        note = {"environment": str(cluster)}
        cell = Cell(f"{data.called(label)}, surroundings {cluster}", label, members, len(members), note)
        positions, counts = (np.concatenate([getattr(chosen[k], of) for k in own]) for of in ("positions", "counts"))
        yield Choice(cell, sum(budgets[k] for k in own), positions, counts)
