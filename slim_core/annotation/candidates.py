"""S3: which images to ask people about, so that few answers speak for the whole attention space."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from slim_core.errors import SpecRefusedError
from slim_core.formatting import percent
from slim_core.space.clustering import pick_diverse

N_NEAREST = 5  # one random pick among this many images nearest to a centre (reference)
HELP_FLOOR = 0.05  # worth of an image whose score is settled, so that unexplored places count too
DEFAULT_SHARE = 0.03  # of the images; the paper claims that fewer than 3 % suffice
FEWEST = 5  # of a class, where nobody names a share: of a class half of which is wrong, five all agree 1 time in 16


def budgets_of(labels: np.ndarray, share: float | None = None) -> dict[int, int]:
    """How many candidates to ask for in each class that has images.

    Args:
        labels: (N,) class of each image.
        share: of each class, in (0, 1], rounded down so that the total stays below it, though at least one image.
            None: DEFAULT_SHARE of all images, though FEWEST of each class as far as it has them; what small classes
            get more is taken from the large ones, as long as these keep FEWEST.

    Raises:
        SpecRefusedError: the share is out of range.
    """
    if share is None:
        return _proposed(labels)
    if not 0 < share <= 1:
        raise SpecRefusedError(f"The share of images to ask about is {share}: give a fraction above 0 and at most 1.")
    classes, sizes = np.unique(labels, return_counts=True)
    budgets = np.maximum(1, np.floor(sizes * share + 1e-9)).astype(np.int64)
    return {int(c): int(b) for c, b in zip(classes, budgets, strict=True)}


def _proposed(labels: np.ndarray) -> dict[int, int]:
    """``budgets_of`` without a share."""
    sizes, plain = np.unique(labels, return_counts=True)[1], budgets_of(labels, DEFAULT_SHARE)
    least = np.minimum(sizes, FEWEST)
    budgets = np.maximum(least, list(plain.values()))
    while budgets.sum() > _usual(len(labels)) and (budgets > least).any():
        budgets[(budgets - least).argmax()] -= 1
    return dict(zip(plain, budgets.tolist(), strict=True))


def _usual(n: int) -> int:
    """DEFAULT_SHARE of so many images."""
    return int(np.floor(n * DEFAULT_SHARE + 1e-9))


def why_more(asked: int, n: int) -> str:
    """Why ``asked`` of ``n`` images are proposed, where they are more than DEFAULT_SHARE of them; "": they are not."""
    if asked <= _usual(n):
        return ""
    return (
        f"Fewer than {FEWEST} answers say too little of a class, so {asked:,} of {n:,} images are proposed, "
        f"{percent(asked / n)} of the split, where the usual {percent(DEFAULT_SHARE, 0)} would be {_usual(n):,}."
    )


def kmeans_candidates(points: np.ndarray, labels: np.ndarray, budgets: Mapping[int, int], seed: int) -> np.ndarray:
    """The images to annotate (METHOD S3): per class, k-means with as many centres as its budget, one pick near each.

    Args:
        points: (N, 2) attention space E.
        labels: (N,) class of each image.
        budgets: class -> number of candidates; classes left out or at 0 get none.
        seed: of k-means and of the picks; the order of the rows does not matter.

    Returns:
        (sum of budgets,) distinct positions, class after class, int64.

    Raises:
        SpecRefusedError: a budget is negative or larger than its class.
    """
    picks = [np.empty(0, np.int64)]
    for label, budget in sorted(budgets.items()):
        members = np.flatnonzero(labels == label)
        check_budget(label, budget, len(members))
        picks.append(members[pick_diverse(points[members], budget, N_NEAREST, seed)])
    return np.concatenate(picks)


def check_budget(label: int, budget: int, size: int, what: str = "images") -> None:
    """Refuse a number of candidates that a class cannot give.

    Raises:
        SpecRefusedError: it is negative, or larger than the class.
    """
    if budget < 0:
        raise SpecRefusedError(f"The budget of class {label} is {budget}: give 0 or more candidates.")
    if budget > size:
        raise SpecRefusedError(
            f"The budget of class {label} is {budget}, but the class has only {size} {what}: ask for at most {size}."
        )


def helpful_candidates(
    points: np.ndarray, labels: np.ndarray, scores: np.ndarray, asked: np.ndarray, n: int
) -> np.ndarray:
    """The ``n`` images whose answers would help most: unsettled scores, far from every image asked about or chosen.

    Greedy: each pick has the highest (1 - |2 score - 1| + HELP_FLOOR) x distance to the nearest image of its class that
    was asked about, in standard deviations of the class. A class without answers counts as unsettled everywhere.

    Args:
        points: (N, 2); labels: (N,); scores: (N,) propagated, NaN unknown; asked: (N,) bool.
        n: images to choose, over all classes together.

    Returns:
        (n,) distinct positions, none of them asked about, the most helpful first.

    Raises:
        SpecRefusedError: n is below 1, or above the images that are left.
    """
    n_left = int((~asked).sum())
    if not 1 <= n <= n_left:
        raise SpecRefusedError(f"{n} more images were asked for: give 1 to {n_left:,}, the images not asked about yet.")
    doubt = 1 - np.abs(2 * np.nan_to_num(scores, nan=0.5) - 1) + HELP_FLOOR
    scaled = _standardised(points, labels)
    distance = _distances(scaled, labels, asked)
    far = distance[np.isfinite(distance)].max(initial=1.0)
    picks: list[int] = []
    for _ in range(n):
        worth = np.where(np.isfinite(distance), distance, far) * doubt
        worth[asked] = -1.0
        worth[picks] = -1.0
        picks.append(int(worth.argmax()))
        _nearer(distance, scaled, labels, picks[-1])
    return np.array(picks, np.int64)


def _standardised(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    scaled = np.asarray(points, np.float64).copy()
    for label in np.unique(labels):
        spread = scaled[labels == label].std()
        scaled[labels == label] /= spread if spread > 0 else 1.0
    return scaled


def _distances(scaled: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(N,) distance of each image to the nearest one of its class that was asked about; inf in a class without any."""
    from scipy.spatial import cKDTree

    distance = np.full(len(labels), np.inf)
    for label in np.unique(labels[asked]):
        members, known = np.flatnonzero(labels == label), scaled[asked & (labels == label)]
        _, nearest = cKDTree(known).query(scaled[members])  # each pair of images would take minutes
        distance[members] = np.linalg.norm(scaled[members] - known[nearest], axis=1)
    return distance


def _nearer(distance: np.ndarray, scaled: np.ndarray, labels: np.ndarray, position: int) -> None:
    """Lower the distances (N,) of a class to the nearest image asked about, which now includes this one."""
    members = np.flatnonzero(labels == labels[position])
    new = np.linalg.norm(scaled[members] - scaled[position], axis=1)
    distance[members] = np.minimum(distance[members], new)


N_AHEAD = 12  # images of the next class that may come next
N_BEHIND = 4  # images shown before that the next one should not resemble


def spread_order(points: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """An order in which classes alternate and neighbours of the space do not follow each other.

    The classes take turns as evenly as their sizes allow. Of the next ``N_AHEAD`` images of the class whose turn it
    is, in random order, the one comes first that lies farthest from the ``N_BEHIND`` before it.

    Args:
        points: (N, d) attention space.
        labels: (N,) class of each image.
        seed: of the random order.

    Returns:
        (N,) a permutation of the positions, int64.
    """
    points = np.asarray(points, np.float64)
    waiting = {label: list(pool) for label, pool in _shuffled(labels, seed).items()}
    order = np.empty(len(labels), np.int64)
    for place, label in enumerate(_turns(labels)):
        pool = waiting[label]
        ahead = np.asarray(pool[-N_AHEAD:])
        pick = len(ahead) - 1
        if place and len(ahead) > 1:
            shown = points[order[max(0, place - N_BEHIND) : place]]
            gaps = ((points[ahead][:, None] - shown[None]) ** 2).sum(-1)  # (ahead, shown)
            pick = int(gaps.min(1).argmax())
        order[place] = pool.pop(pick - len(ahead))
    return order


def _shuffled(labels: np.ndarray, seed: int) -> dict[int, np.ndarray]:
    """Class -> its positions in random order."""
    order = np.random.default_rng(seed).permutation(len(labels))
    return {int(label): order[labels[order] == label] for label in np.unique(labels)}


def _turns(labels: np.ndarray) -> list[int]:
    """The class of each place, so that each class is spread evenly over all places."""
    classes, sizes = np.unique(labels, return_counts=True)
    owner = np.repeat(classes, sizes)
    when = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes]) if len(sizes) else np.empty(0)
    return [int(label) for label in owner[np.lexsort((owner, when))]]
