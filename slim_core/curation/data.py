"""What a strategy is given, its settings, and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import ConfigDict, Field

from slim_core.errors import SpecRefusedError
from slim_core.parameters import Display, PublicConfig
from slim_core.space.environments import Clusters, Views

SLIM = "slim"  # the default strategy
KeepRule = Literal["threshold", "quantile", "median"]
FoundBy = Literal["space", "answers", "both"]
KEEP_RULES: tuple[KeepRule, ...] = ("threshold", "quantile", "median")
# The reference's median, without its pooling of scales that do not compare (mistake 7), which can lose a whole class.
DEFAULT_KEEP: dict[str, KeepRule] = {"slim": "threshold", "slim-reference": "quantile"}  # by strategy

_RULES = {
    "threshold": "score above a threshold",
    "quantile": "highest scores of each class",
    "median": "above the median of all (as in the paper)",
}
_FOUND: dict[FoundBy, str] = {
    "space": "those of the space",
    "answers": "found by the answers",
    "both": "outside, and inside wrong attention",
}
_SLIM, _REFERENCE, _BY_ANSWERS = (
    {"strategy": names} for names in (("slim",), ("slim-reference",), tuple(DEFAULT_KEEP))
)
_NOT_OF_SPACE = {"environments": ("answers", "both")}
_ONCE = {"environments": (None, "space", "answers")}  # classes are balanced in one grouping; None: of other strategies
SUBSET_SHARE = 0.2  # images of a curated subset, repeats included, as a share of the training images
RIGHT, UNANSWERED = 1, -1  # of CurationData.answers: the store's values, in a room that does not know the store


class CurateOptions(PublicConfig):
    """The settings of the strategies."""

    model_config = ConfigDict(strict=True)

    environments: Annotated[FoundBy, Display(labels=_FOUND, only=_SLIM)] = Field(
        default="space",
        title="Environments",
        description="Found by the answers: outside the attention where it is right, else in the whole image. Both: "
        "classes are balanced over what lies outside the attention, and over what the model looks at where answers say "
        "wrong. Answers then matter for last layers on a pretrained network; a network that is trained as a whole has "
        "fitted its images and looks at the class itself, so that only the first is balanced.",
    )
    keep: Annotated[
        KeepRule | None,
        Display(labels=_RULES, only=_BY_ANSWERS | _ONCE, called="The keep rule", default="by the strategy"),
    ] = Field(  # METHOD.md S6
        default=None,
        title="Trust images by",
        description="The rule by which images are trusted: those whose attention is probably right.",
    )
    threshold: Annotated[
        float, Display(step=0.01, slider=True, only={**_BY_ANSWERS, "keep": ("threshold",)}, called="The threshold")
    ] = Field(default=0.5, ge=0, le=1, title="Threshold", description="Of the rule threshold: lowest score trusted.")
    quantile: Annotated[
        float, Display(step=0.01, slider=True, only={**_BY_ANSWERS, "keep": ("quantile",)}, called="The quantile")
    ] = Field(
        default=0.5,
        ge=0,
        le=1,
        title="Share left out",
        description="Of the rule quantile: share of each class left out.",
    )
    presumed: Annotated[
        float,
        Display(step=0.1, place="more", only=_SLIM | _NOT_OF_SPACE, called="The presumed score"),
    ] = Field(
        default=1.0,
        ge=0,
        le=1,
        title="Score without answers",
        description="Of images in a class without answers, where answers find the environments: 1 is right, 0 wrong.",
    )
    trust: Annotated[float, Display(step=0.05, place="more", only=_SLIM | _ONCE, called="The trust")] = Field(
        default=0.25,
        ge=0,
        le=1,
        title="Trust in the answers",
        description="How strongly the answers shift the budget between environments.",
    )
    repeats: Annotated[bool | None, Display(place="more", default="by the strategy")] = Field(
        default=None,
        title="Repeat images",
        description="Fill a cell that has fewer images than its budget by repeating them.",
    )
    max_repeats: Annotated[int, Display(place="more")] = Field(
        default=10, ge=1, le=1_000, title="Most repeats", description="An image is used at most this often."
    )
    k_attention: Annotated[int | None, Display(place="more", only=_REFERENCE, default="by the elbow")] = Field(
        default=None, ge=1, title="Attention clusters", description="K1 of the paper: clusters of the attention space."
    )
    k_environment: Annotated[int | None, Display(place="more", only=_REFERENCE, default="by Davies-Bouldin")] = Field(
        default=None,
        ge=1,
        title="Environment clusters",
        description="K2 of the paper: clusters of the environment space.",
    )
    k_max: Annotated[int, Display(place="more", only=_REFERENCE)] = Field(
        default=8, ge=1, title="Most clusters", description="Largest K1 and K2 that are tried."
    )

    @classmethod
    def proposed(cls, strategy: str) -> Mapping[str, Any]:
        """Field -> what a strategy takes where the field is left to it."""
        return {"keep": DEFAULT_KEEP[strategy]} if strategy in DEFAULT_KEEP else {}

    def to_json(self) -> dict[str, Any]:
        """Name -> value."""
        return self.model_dump(mode="json")


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
