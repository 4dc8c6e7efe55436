"""What a strategy is given, what it may be told, and what it returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from types import UnionType
from typing import Any, Literal, Protocol

import numpy as np

from slim_core.errors import SpecRefusedError
from slim_core.space.environments import Clusters

SUBSET_SHARE = 0.2  # images of a curated subset, repeats included, as a share of the training images

KeepRule = Literal["threshold", "quantile", "median"]
KEEP_RULES: tuple[KeepRule, ...] = ("threshold", "quantile", "median")


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
    attributes: np.ndarray | None  # (N,), -1 unknown; None where the data set has none; only the oracle reads them
    n_classes: int
    class_names: tuple[str, ...] = ()  # by label, for people to read; labels where there are none

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
        for name, array in parts.items():
            if len(array) != n:
                raise SpecRefusedError(
                    f"{name} speaks of {len(array)} images, labels of {n}: take both from one space."
                )


@dataclass(frozen=True)
class CurateOptions:
    """The switches of the strategies; each strategy reads those it knows."""

    keep: KeepRule | None = None  # S6; None: the strategy's default
    threshold: float = 0.5  # of "threshold": lowest score kept
    quantile: float = 0.5  # of "quantile": share of each class that is left out
    repeats: bool | None = None  # fill a cell smaller than its budget by repeating images; None: the strategy's default
    max_repeats: int = 10  # an image is used at most this often
    k_attention: int | None = None  # K1 of slim-reference; None: by the elbow
    k_environment: int | None = None  # K2 of slim-reference; None: by Davies-Bouldin
    k_max: int = 8  # of both choices
    trust: float = 0.25  # of slim: how strongly the answers shift the budget between environments, 0..1
    trusted_first: bool = False  # of slim: choose kept images of a cell before others (narrower, measured worse)

    def __post_init__(self) -> None:
        if self.keep not in (None, *KEEP_RULES):
            raise SpecRefusedError(f"The keep rule is {self.keep!r}: choose one of {', '.join(KEEP_RULES)}.")
        for name in ("threshold", "quantile", "trust"):
            value = getattr(self, name)
            if not (_is_number(value, int | float) and 0 <= value <= 1):
                raise SpecRefusedError(f"The {name} is {value!r}: give a number from 0 to 1.")
        for name in ("max_repeats", "k_attention", "k_environment", "k_max"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value, int) and value >= 1):
                raise SpecRefusedError(f"{name} is {value!r}: give at least 1, a whole number.")
        for name in ("repeats", "trusted_first"):
            value = getattr(self, name)
            if not isinstance(value, bool | None):
                raise SpecRefusedError(f"{name} is {value!r}: give true or false.")

    def to_json(self) -> dict[str, Any]:
        """Name -> value."""
        return asdict(self)


def _is_number(value: object, kind: type | UnionType) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


@dataclass(frozen=True, eq=False)
class Subset:
    """The chosen images of a split."""

    positions: np.ndarray  # (n,) int64, distinct, ascending
    counts: np.ndarray  # (n,) int64, how often each is used, at least 1
    cells: np.ndarray  # (n,) str, the cell each was chosen from
    report: dict[str, Any]  # JSON: what was asked, kept, chosen; see curation.cells.report


class Strategy(Protocol):
    """A way to choose; deterministic in its arguments."""

    def __call__(self, data: CurationData, size: int, seed: int, options: CurateOptions) -> Subset:
        """At most ``size`` images, repeats counted."""
