"""The subset that a strategy chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from slim_core.curation.options import CurateOptions
from slim_core.parameters import Config, Display
from slim_core.steps.specs.spec import NAMED, Option, Spec


def _strategies() -> dict[str, str]:
    from slim_core.curation import STRATEGIES

    return {name: name for name in STRATEGIES}


class CurateSpec(Spec):
    """Propagate the answers of a campaign and choose a subset of the space's images."""

    holds: ClassVar[Mapping[str, type[Config]]] = {"options": CurateOptions}
    in_words: ClassVar[Mapping[str, str]] = {"size": "a share of train"}

    kind: Annotated[Literal["curate"], NAMED] = "curate"
    space: Annotated[str, NAMED] = Field(title="Space", description="Space run whose images are chosen from.")
    campaign: Annotated[str | None, NAMED] = Field(
        default=None, title="Campaign", description="Campaign whose answers are used; none: without answers."
    )
    answers_seq: Annotated[int | None, NAMED] = Field(
        default=None, ge=0, lt=2**63, title="Answers", description="Last answer that counts; filled in when submitted."
    )
    strategy: Annotated[str, Display(labels=_strategies)] = Field(
        default="slim", title="Strategy", description="Name of a curation strategy."
    )
    size: int = Field(ge=1, title="Images in the subset", description="Images of the subset, repeats included.")
    gammas: Annotated[tuple[Annotated[float, Field(gt=0, le=1e6)], ...], Display(place="nowhere")] = Field(
        default=(10.0, 5.0),
        min_length=1,
        title="Gammas",
        description="Of the propagation's RBF kernel, per class: higher is narrower.",
    )
    options: Annotated[dict[str, Option], Display(short="-o")] = Field(
        default_factory=dict, title="Options", description="Further settings of the strategy, such as threshold=0.6."
    )

    def parents(self) -> dict[str, str]:
        """The space."""
        return {"space": self.space}
