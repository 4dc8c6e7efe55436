"""What a strategy is given and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from slim_core.curation.options import CurateOptions
from slim_core.errors import SpecRefusedError
from slim_core.space.environments import Clusters, Views

SUBSET_SHARE = 0.2  # images of a curated subset, repeats included, as a share of the training images

RIGHT, UNANSWERED = 1, -1  # of CurationData.answers: the store's values, in a room that does not know the store


def default_subset_size(n: int) -> int:
    """Images of a subset of ``n`` training images, where nobody says how many."""
    return max(1, round(SUBSET_SHARE * n))


@dataclass(frozen=True, eq=False)
class CurationData:
    """N images of one split: positions 0..N-1 are theirs, in the order of the space's rows."""

    labels: np.ndarray  # (N,) in 0..C-1
    attention_space: np.ndarray  # E (N, 2)
    environment_space: np.ndarray  # Q (N, 2)
    environment: np.ndarray  # (N, d) reduced environment features
    clusters: Clusters
    scores: np.ndarray  # (N,) in 0..1 of S5; NaN for a class without answers
    answers: np.ndarray  # (N,) 1 right, 0 wrong, -1 unsure or not asked
    attributes: np.ndarray | None  # (N,), -1 unknown; None where the data set has none; the oracle reads them
    n_classes: int
    class_names: tuple[str, ...] = ()  # by label, for people to read; labels where there are none
    attribute_names: tuple[str, ...] = ()  # by attribute, for people to read; "attribute 0" where there are none
    views: Views | None = None  # what environments may be found in; None: not known
    environments_are: str = "environment"  # what one is called, with its number

    def called(self, label: int) -> str:
        """A class as people call it: by its name where it has one."""
        return self.class_names[label] if self.class_names else f"class {label}"

    def __post_init__(self) -> None:
        n = len(self.labels)
        parts = {
            "attention_space": self.attention_space,
            "environment_space": self.environment_space,
            "environment": self.environment,
            "clusters": self.clusters.index,
            "scores": self.scores,
            "answers": self.answers,
            "attributes": self.labels if self.attributes is None else self.attributes,
        }
        if self.views is not None:
            parts["views"] = self.views.if_right
        for name, array in parts.items():
            if len(array) != n:
                raise SpecRefusedError(
                    f"{name} speaks of {len(array)} images, labels of {n}: take both from one space."
                )


@dataclass(frozen=True, eq=False)
class Subset:
    """The chosen images of a split."""

    positions: np.ndarray  # (n,) int64, distinct, ascending
    counts: np.ndarray  # (n,) int64, how often each is used, at least 1
    cells: np.ndarray  # (n,) str, the cell each was chosen from
    scores: np.ndarray  # (N,) of every image, how probably its attention is right, as the choice took it; NaN: unknown
    report: dict[str, Any]  # JSON: what was asked, kept, chosen; see curation.cells.build


class Strategy(Protocol):
    """A way to choose; deterministic in its arguments."""

    def __call__(self, data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
        """At most ``size`` images, repeats counted."""
