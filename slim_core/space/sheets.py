"""The environments as people are asked about them, and what their answers make of them.

Each is shown as a sheet of images of all classes, with one question: does what these share belong to the class? *No*:
it is a shortcut, and curation balances the classes in it. *Yes*: it is left as it is. *Mixed*: it is split in two, and
its parts are asked about next. An environment is named by its path: "3" is a cluster of the space, "3.0" and "3.1" are
its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slim_core.space.clustering import canonical_order, pick_diverse, seeded_kmeans
from slim_core.space.environments import Clusters

YES, NO, MIXED, UNSURE = 1, 0, 2, -1
BELONGS = {YES: "yes", NO: "no", MIXED: "mixed", UNSURE: "unsure"}  # does what these share belong to the class?
QUESTION = "Does what these images share belong to the class?"

IMAGES = 20  # on a sheet
MOST_CLASSES = 10  # on a sheet: those with the most images
MOST_SPLITS = 1  # how often an environment is split: its parts are not
SMALLEST_SPLIT = 20  # images below which an environment is not split
N_NEAREST = 3  # one random pick among this many images nearest to a centre, as in curation (S9)
_SEED = 0  # of the split, so that a path means the same images to everybody


@dataclass(frozen=True)
class EnvironmentConsensus:
    """What people say together of one environment."""

    value: int = UNSURE  # of BELONGS; UNSURE also where they contradict each other
    name: str = ""  # as they call it
    n_answers: int = 0  # people whose answer counts
    is_enough: bool = True  # as many as the campaign asks: until then a mixed environment is not split


@dataclass(frozen=True, eq=False)
class Environment:
    """Images of a space that share what the model sees where it does not look."""

    path: str
    positions: np.ndarray  # (n,) int64 in the space, ascending
    consensus: EnvironmentConsensus
    is_split: bool  # its parts stand for it

    @property
    def is_part(self) -> bool:
        """Whether it comes from one that was split, and so is not split again."""
        return self.path.count(".") >= MOST_SPLITS

    @property
    def can_be_split(self) -> bool:
        """Whether a mixed one is."""
        return not self.is_part and len(self.positions) >= SMALLEST_SPLIT

    @property
    def name(self) -> str:
        """As people call it, or by its path."""
        return self.consensus.name or f"environment {self.path}"


def environments(
    clusters: Clusters, consensus: Mapping[str, EnvironmentConsensus] | None = None
) -> tuple[Environment, ...]:
    """Every environment that people are asked about; one that is split stands before its parts.

    What is said of a path that does not exist (any more) has no effect.

    Args:
        clusters: of the space, over all classes at once.
        said: path -> what people say of it.
    """
    found = (
        each
        for k in np.unique(clusters.index).tolist()
        for each in _with_parts(str(k), np.flatnonzero(clusters.index == k), clusters, consensus or {})
    )
    return tuple(found)


def unsplit(clusters: Clusters, consensus: Mapping[str, EnvironmentConsensus] | None = None) -> list[Environment]:
    """The environments that every image is in one of: parts stand for what was split."""
    return [each for each in environments(clusters, consensus) if not each.is_split]


def index_of(found: Sequence[Environment], n: int) -> np.ndarray:
    """(n,) int64 which of these environments each image of the space is in; -1 where in none."""
    index = np.full(n, -1, np.int64)
    for k, each in enumerate(found):
        index[each.positions] = k
    return index


def in_order(path: str) -> tuple[int, ...]:
    """What paths are sorted by."""
    return tuple(map(int, path.split(".")))


def _with_parts(
    path: str, positions: np.ndarray, clusters: Clusters, consensus: Mapping[str, EnvironmentConsensus]
) -> Iterator[Environment]:
    whole = Environment(path, positions, consensus.get(path, EnvironmentConsensus()), is_split=False)
    is_split = whole.consensus.value == MIXED and whole.consensus.is_enough and whole.can_be_split
    parts = _parts(clusters.reduced, positions) if is_split else ()
    yield replace(whole, is_split=bool(parts))
    for k, part in enumerate(parts):
        yield from _with_parts(f"{path}.{k}", part, clusters, consensus)


def _parts(points: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, ...]:
    """Its two halves by k-means, the larger first; none where all images are the same point."""
    index, centres = seeded_kmeans(points[positions], 2, _SEED)
    return tuple(positions[index == k] for k in range(2)) if len(centres) == 2 else ()


def sheet(environment: Environment, points: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> dict[int, np.ndarray]:
    """The images that show an environment: class -> positions (m,), typical ones first, then some spread over the rest.

    About IMAGES, of the MOST_CLASSES largest classes, which get equally many, whatever their shares: what they share is
    what is asked about.

    Args:
        environment: which to show.
        points: (N, d) environment features of the space, in which typical means near to the environment's centre.
        labels: (N,) class of each image.
        seed: of the spread ones.
    """
    inside = labels[environment.positions]
    classes, sizes = np.unique(inside, return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:MOST_CLASSES]
    quotas = _equally(sizes[largest], max(IMAGES, len(largest)))
    centre = points[environment.positions].mean(axis=0)
    chosen = {
        int(classes[k]): _typical_and_spread(environment.positions[inside == classes[k]], points, centre, n, seed)
        for k, n in zip(largest.tolist(), quotas, strict=True)
    }
    return dict(sorted(chosen.items()))


def _equally(sizes: np.ndarray, total: int) -> list[int]:
    """How many of each: what a small class cannot give goes to the others."""
    quotas = np.zeros(len(sizes), np.int64)
    left = total
    for place, k in enumerate(np.argsort(sizes, kind="stable")):
        quotas[k] = min(int(sizes[k]), left // (len(sizes) - place))
        left -= quotas[k]
    return quotas.tolist()


def _typical_and_spread(members: np.ndarray, points: np.ndarray, centre: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The half of ``n`` nearest to the centre, nearest first, and the other half spread over what is left."""
    members = members[canonical_order(points[members])]
    distances = np.linalg.norm(points[members] - centre, axis=1)
    members = members[np.argsort(distances, kind="stable")]
    typical, rest = np.split(members, [(n + 1) // 2])
    return np.concatenate([typical, rest[pick_diverse(points[rest], n - len(typical), N_NEAREST, seed)]])
