"""The attention space, and whom to ask about in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slim_core.data.table import Split
from slim_core.parameters import Display
from slim_core.space.embedding import SpaceConfig
from slim_core.space.environments import ClusterConfig
from slim_core.steps.specs.spec import NAMED, Spec


class SpaceSpec(Spec, ClusterConfig, SpaceConfig):
    """The two attention spaces and the environment clusters of one split."""

    kind: Annotated[Literal["space"], NAMED] = "space"
    attention: Annotated[str, NAMED] = Field(
        title="Attention maps or features", description="Gradcam or features run whose features are embedded."
    )
    split: Split = Field(default="train", title="Split", description="The split whose images are embedded.")

    def parents(self) -> dict[str, str]:
        """The run whose features are embedded."""
        return {"attention": self.attention}


class CandidatesSpec(Spec):
    """Choose the images to ask people about, and open a campaign about them."""

    kind: Annotated[Literal["candidates"], NAMED] = "candidates"
    space: Annotated[str, NAMED] = Field(title="Space", description="Space run whose images are chosen from.")
    share: Annotated[float | None, Display(default="3 %, at least 5 of each class", step=0.01, percent=True)] = Field(
        default=None, gt=0, le=1, title="Images asked about", description="Share of the images of each class."
    )

    def parents(self) -> dict[str, str]:
        """The space."""
        return {"space": self.space}
