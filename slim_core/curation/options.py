"""The settings of the strategies, each written here once; each strategy reads those it knows. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from slim_core.parameters import Display, PublicConfig

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
    trusted_first: Annotated[bool, Display(only=_SLIM | _ONCE)] = Field(
        default=False,
        title="Trusted images first",
        description="In each cell, choose trusted images before others. In our measurements this costs accuracy.",
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
