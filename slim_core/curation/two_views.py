"""Balanced twice: in what surrounds the attention, and in what it is on where the answers say it is wrong.

A shortcut that is most of an image (the water behind the bird) shows in what lies outside the attention, whatever
people say. One that is small (a sticker, a tag on an X-ray) does not: clusters tell the scenes. But the model looks at
it, so it shows in what the attention is on, where that is wrong; where it is right, what it is on is the class, which
must not be balanced away. So the answers say of which images the second grouping is (docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from slim_core.curation.cells import Cell, Choice, allocate, build, cell_seed, choose, most_repeats
from slim_core.curation.data import RIGHT, UNANSWERED, CurateOptions, CurationData, Subset
from slim_core.space.clustering import seeded_kmeans
from slim_core.space.environments import Views

NO_GROUP = -1  # of an image of which a grouping says nothing
_NEARLY_NOTHING = 1e-9  # of a weight: below it a class counts as missing
_UNUSED = 0.05  # an image that weighs less hardly counts, where the average is 1
_FITTING = 100  # rounds
_SETTLING = 50  # rounds after them; more change nothing that rounding to whole images would leave
PER_CLASS = 6  # environments that are found by the answers
FEWEST = 2 * PER_CLASS  # where many classes make the usual number too many
MOST = 64
IMAGES_EACH = 20  # in one of them on average, at least
_MOST_LOST = 0.6  # of the images: chosen on seeds 20 to 22
_SURROUNDINGS, _WRONG = "what lies outside the attention", "what wrong attention is on"
_RARE = 2.0  # times its class's mean weight: it contradicts what its surroundings tell; 1.5 to 5 chose the same
_C = 10.0  # of the l2 penalty, for differences of rows of length 1: chosen on seeds 20 to 24
_Balance = tuple[np.ndarray, np.ndarray]  # (n,) the group of each image, NO_GROUP in none, and (n,) what it weighs


def rake(labels: np.ndarray, groupings: Sequence[np.ndarray], most: float) -> np.ndarray:
    """Weights (N,) of images with which every group holds as much of each class, in every grouping.

    Iterative proportional fitting (Deming and Stephan, Annals of Mathematical Statistics 1940): what a class has in a
    group is set to the geometric mean over the classes, but to no more than the rarest of them there can give, grouping
    after grouping, round after round; what such a group cannot hold goes to the others. What is uneven after that is
    cut. The classes of a grouping are those that it holds an image of; a group that lacks one of them gets nothing, and
    so do all of a grouping that holds a single class: to be in one of them would tell it.

    Args:
        labels: (N,) in 0..C-1.
        groupings: each (N,) the group of an image; NO_GROUP: nothing is asked of it.
        most: the largest weight, at least 1.

    Returns:
        1 on average, less where ``most`` does not allow it, and 0 of all images where no weights do it.
    """
    cells, index, sizes = np.unique(
        np.stack([labels, *groupings], axis=1), axis=0, return_inverse=True, return_counts=True
    )  # images of a cell weigh the same: rounds need not go through all images
    of_cell, *groups_of_cell = cells.T
    fitted = [_Grouping.of(of_cell, each, sizes * most) for each in groups_of_cell if (each != NO_GROUP).any()]
    of_class = np.unique(of_cell, return_inverse=True)[1].reshape(-1)
    each = len(labels) / (of_class.max() + 1)
    weights = each / np.bincount(labels)[of_cell]
    for number in range(_FITTING + _SETTLING):
        for grouping in fitted:
            factors = grouping.evening if number < _FITTING else grouping.cutting
            weights = weights * factors(weights * sizes)
        held = np.bincount(of_class, weights * sizes)
        if held.min() <= _NEARLY_NOTHING:
            return np.zeros(len(labels))
        weights = np.minimum(weights * (each if number < _FITTING else held.min()) / held[of_class], most)
    grown = min(len(labels) / (weights @ sizes), most / weights.max())
    return np.asarray((weights * grown)[index.reshape(-1)])


def unused(weights: np.ndarray) -> float:
    """The share of images that hardly count."""
    return float((weights < _UNUSED).mean())


@dataclass(frozen=True, eq=False)
class _Grouping:
    """One grouping of k cells into G groups, of K classes."""

    inside: np.ndarray  # (m,) cells that it says something of
    at: tuple[np.ndarray, np.ndarray]  # their class, counted among its own, and their group, (m,) each
    most: np.ndarray  # (K, G) the largest sums of weights

    @classmethod
    def of(cls, labels: np.ndarray, groups: np.ndarray, most: np.ndarray) -> _Grouping:
        """The grouping of cells with labels and groups (k,), and the largest sum of weights of each (k,)."""
        inside = np.flatnonzero(groups != NO_GROUP)
        classes, of_class = np.unique(labels[inside], return_inverse=True)
        at = of_class.reshape(-1), groups[inside]
        return cls(inside, at, _summed(at, most[inside], (len(classes), int(groups.max(initial=0)) + 1)))

    def evening(self, totals: np.ndarray) -> np.ndarray:
        """(k,) factors that give every class of a group their geometric mean, as far as each can give it."""
        sums = self._sums(totals)
        goal = np.exp(np.log(np.maximum(sums, _NEARLY_NOTHING)).mean(axis=0))
        return self._factors(sums, np.minimum(goal, self.most.min(axis=0, initial=np.inf)), len(totals))

    def cutting(self, totals: np.ndarray) -> np.ndarray:
        """(k,) factors of at most 1 that give every class of a group what the least of them has."""
        sums = self._sums(totals)
        return self._factors(sums, sums.min(axis=0, initial=np.inf), len(totals))

    def _sums(self, totals: np.ndarray) -> np.ndarray:
        return _summed(self.at, totals[self.inside], self.most.shape)

    def _factors(self, sums: np.ndarray, goal: np.ndarray, n: int) -> np.ndarray:
        lacks_one = (sums.min(axis=0, initial=np.inf) <= _NEARLY_NOTHING) | (len(sums) == 1)
        goal = np.where(lacks_one, 0, goal)
        factors = np.ones(n)
        factors[self.inside] = goal[self.at[1]] / np.maximum(sums[self.at], _NEARLY_NOTHING)
        return factors


def _summed(at: tuple[np.ndarray, np.ndarray], values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    sums = np.zeros(shape)
    np.add.at(sums, at, values)
    return sums


def found_in(points: np.ndarray, n_classes: int, seed: int, n_clusters: int | None = None) -> np.ndarray:
    """(n,) the cluster of each point; PER_CLASS clusters for each class, over all of them, where not said how many.

    Splitting an environment costs little, merging two loses a group.
    """
    return seeded_kmeans(points, n_clusters or usual_clusters(len(points), n_classes), seed)[0]


def usual_clusters(n: int, n_classes: int) -> int:
    """How many clusters of ``n`` images environments are looked for in."""
    return max(2, min(PER_CLASS * n_classes, MOST, n // IMAGES_EACH))


def balanced_twice(data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
    """Every class equally often in each cluster of the surroundings, and in each of what wrong attention is on.

    Both at once by raking; an image is used ``options.max_repeats`` times at most, once without repeats. A grouping
    that would lose most images is left out, and a note says so. Where rare images may not be repeated often enough the
    subset is smaller than asked for, and even. Without answers about images ``options.presumed`` says whether all
    attention is right (the first grouping alone) or wrong.

    Args:
        data: with views and their contrast.
        size: images of the subset, repeats counted. seed: of the clusters and picks.
        options: see CurateOptions.
    """
    found = balance_twice(data, size, seed, options)
    is_answered = bool((data.answers != UNANSWERED).any())
    clusters = {"surroundings": found.surroundings, "attended": found.attended, "images_wrong": int(found.wrong.sum())}
    return build(
        replace(data, scores=found.scores) if is_answered else data,
        list(_choices(data, found, seed)),
        size,
        most=most_repeats(options.repeats is not False, options),
        extra={"clusters": clusters},
        notes=found.notes,
    )


class Part(NamedTuple):
    """Images of one class in one cluster of each grouping, and how many times images of it are used."""

    label: int
    cluster: int  # of the surroundings
    members: np.ndarray  # positions
    budget: int


@dataclass(frozen=True, eq=False)
class BalancedTwice:
    """How often images are used in a subset that is balanced twice, before the very images are chosen."""

    scores: np.ndarray  # (N,) of ``right_scores``
    wrong: np.ndarray  # (N,) bool: images whose attention is assumed wrong
    parts: list[Part]
    surroundings: int  # clusters of what lies outside the attention; 1: the classes are not balanced in these
    attended: int  # clusters of what wrong attention is on; 0: the classes are not balanced in these
    notes: list[str]

    def cells(self, data: CurationData) -> list[tuple[Cell, list[Part]]]:
        """Every class in every cluster of the surroundings, and its parts."""
        found: dict[tuple[int, int], list[Part]] = {}
        for part in self.parts:
            found.setdefault((part.label, part.cluster), []).append(part)
        return [(_cell(data, *key, parts), parts) for key, parts in sorted(found.items(), key=lambda one: one[0])]


def _cell(data: CurationData, label: int, cluster: int, parts: Sequence[Part]) -> Cell:
    members = np.concatenate([part.members for part in parts])
    name = f"{data.called(label)}, surroundings {cluster}"
    return Cell(name, label, members, len(members), {"environment": str(cluster)})


def balance_twice(data: CurationData, size: int, seed: int, options: CurateOptions) -> BalancedTwice:
    """How ``balanced_twice`` deals the subset out, with the same arguments: all of it that is quick for many images."""
    scores = right_scores(data, options.presumed)
    wrong = presumed_wrong(scores, seed)
    repeats = most_repeats(options.repeats is not False, options) or 1
    found = _grouped(data, wrong, seed, repeats * len(wrong) / size)
    keys = np.stack([data.labels, found.around, found.on], axis=1)
    cells, index = np.unique(keys, axis=0, return_inverse=True)
    index = index.reshape(-1)
    total = round(size * float(found.weights.mean()))
    budgets = allocate(np.bincount(index, found.weights), total, np.bincount(index) * repeats).tolist()
    parts = [
        Part(label, cluster, np.flatnonzero(index == k), budgets[k])
        for k, (label, cluster, _) in enumerate(cells.tolist())
    ]
    return BalancedTwice(scores, wrong, parts, int(found.around.max()) + 1, int(found.on.max()) + 1, found.notes)


def _choices(data: CurationData, found: BalancedTwice, seed: int) -> Iterator[Choice]:
    """Of every cell its images, spread over what wrong attention is on too."""
    chosen = {}
    for k, part in enumerate(found.parts):
        cell = Cell("", None, part.members, len(part.members), {})
        chosen[id(part)] = choose(cell, part.budget, _views(data).if_right, cell_seed(seed, k))
    for cell, parts in found.cells(data):
        own = [chosen[id(part)] for part in parts]
        positions, counts = (np.concatenate([getattr(one, of) for one in own]) for of in ("positions", "counts"))
        yield Choice(cell, sum(part.budget for part in parts), positions, counts)


@dataclass(frozen=True, eq=False)
class _Grouped:
    """The two clusters of each of n images, and what an image weighs so that neither tells its class."""

    around: np.ndarray  # (n,) of what lies outside its attention
    on: np.ndarray  # (n,) of what its attention is on; NO_GROUP where that is taken to be right
    weights: np.ndarray  # (n,)
    notes: list[str]


def _grouped(data: CurationData, wrong: np.ndarray, seed: int, most: float) -> _Grouped:
    """Groupings that leave enough of the images; ``most``: what an image weighs at most, 1 being the average.

    Of an image whose map is empty the second grouping says nothing: there is nothing that its attention is on.
    """
    views, every, notes = _views(data), np.arange(len(wrong)), []
    wrong = wrong if views.attended is None else wrong & views.attended
    around = _finest(data, views.if_right, every, (), seed, most)
    if around is None:
        notes.append(_not_balanced(_SURROUNDINGS, "nearly all of its clusters lack a class"))
        around = np.zeros(len(every), np.int64), rake(data.labels, (), most)
    nobody = np.full(len(every), NO_GROUP)
    named = np.unique(data.labels[wrong])
    if not len(named):
        return _Grouped(around[0], nobody, around[1], notes)
    alone = data.called(int(named[0])) if len(named) == 1 else None
    on = _finest(data, views.if_wrong, np.flatnonzero(wrong), (around[0],), seed, most)
    if on is None:
        why = f"only images of {alone} are taken to have it" if alone else "nearly all of its clusters lack a class"
        return _Grouped(around[0], nobody, around[1], [*notes, _not_balanced(_WRONG, why)])
    groups, weights = _but_the_rare(data.labels, around, on, most)
    if alone and (n := int((groups != NO_GROUP).sum())):
        notes.append(f"Only images of {alone} are taken to have wrong attention: these {n:,} are left out.")
    return _Grouped(around[0], groups, weights, notes)


def _finest(
    data: CurationData, points: np.ndarray, which: np.ndarray, others: Sequence[np.ndarray], seed: int, most: float
) -> _Balance | None:
    """(n,) the clusters of some of the images, NO_GROUP elsewhere, as many as leave enough images, and (n,) what an
    image then weighs; None: none do.

    Raking gives nothing to the images of a cluster that lacks a class. With many classes the clusters of the usual
    number lack some; and where a model has fitted its images it looks at the class itself, and nearly any cluster
    does.
    """
    k = usual_clusters(len(which), data.n_classes)
    while True:
        groups = np.full(len(points), NO_GROUP)
        groups[which] = found_in(points[which], data.n_classes, seed, k)
        weights = rake(data.labels, (*others, groups), most)
        if unused(weights) <= _MOST_LOST:
            return groups, weights
        if k // 2 < FEWEST:
            return None
        k //= 2


def _but_the_rare(labels: np.ndarray, around: _Balance, on: _Balance, most: float) -> _Balance:
    """The second grouping, NO_GROUP for those of one class alone whose images weigh much by the first.

    To be in a group of one class tells the class, so raking gives it nothing. But where it holds most of the few images
    that contradict what their surroundings tell, a whole environment would go with it (docs/decisions/0012).
    """
    groups, usual = on[0].copy(), np.bincount(labels, around[1]) / np.maximum(np.bincount(labels), 1)
    for group in range(groups.max() + 1):
        of = groups == group
        is_one_class = len(np.unique(labels[of])) == 1
        if is_one_class and around[1][of].mean() > _RARE * usual[labels[of][0]]:
            groups[of] = NO_GROUP
    return on if (groups == on[0]).all() else (groups, rake(labels, (around[0], groups), most))


def _not_balanced(what: str, why: str) -> str:
    return f"Classes are not balanced in {what}: {why}."


def _views(data: CurationData) -> Views:
    assert data.views is not None and data.views.contrast is not None, "annotation.answered_space.views_of gives both"
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


def presumed_wrong(scores: np.ndarray, seed: int) -> np.ndarray:
    """(N,) bool: all but the highest scores, as many as the scores are in sum; equal ones in an order by the seed.

    The share of right attention is the mean of the scores, not that of the answers: images are chosen to be asked about
    because they are unlike others or uncertain, and then more of them are right than of all (docs/decisions/0012).
    """
    wrong = np.ones(len(scores), bool)
    order = np.random.default_rng(seed).permutation(len(scores))
    wrong[order[np.argsort(-scores[order], kind="stable")[: round(float(scores.sum()))]]] = False
    return wrong
