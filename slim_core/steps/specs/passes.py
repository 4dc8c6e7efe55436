"""Passes over the images of a data set: features, attention, and a look at a few images before them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from slim_core.attention.config import PassConfig
from slim_core.data.table import Split
from slim_core.steps.specs.spec import DRAWN, NAMED, QueueName, Spec

MOST_SHARDS = 1000


class FeaturesSpec(PassConfig, Spec):
    """Attention, environment and pooled features of a model, without maps and attention scores."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Annotated[Literal["features"], NAMED] = "features"
    model: Annotated[str, NAMED] = Field(title="Model", description="Train run whose attention is computed.")
    splits: tuple[Split, ...] = Field(
        default=("train", "val", "test"), min_length=1, title="Splits", description="The splits the pass runs over."
    )
    shard: Annotated[int | None, NAMED] = Field(
        default=None, ge=0, title="Shard", description="Index of the shard; filled in when submitted."
    )
    shards: Annotated[int | None, NAMED] = Field(
        default=None, ge=2, le=MOST_SHARDS, title="Shards", description="Number of shards."
    )

    @field_validator("splits")
    @classmethod
    def _check_splits(cls, splits: tuple[Split, ...]) -> tuple[Split, ...]:
        if len(set(splits)) < len(splits):
            raise ValueError("name each split once")
        return splits

    @model_validator(mode="after")
    def _check_shard(self) -> Self:
        if (self.shard is None) != (self.shards is None):
            raise ValueError("shard: give shard and shards together, or neither")
        if self.shard is not None and self.shards is not None and self.shard >= self.shards:
            raise ValueError(f"shard: {self.shard} is not below the number of shards {self.shards}")
        return self

    def parents(self) -> dict[str, str]:
        """The model."""
        return {"model": self.model}

    def in_shards(self, n_per_split: Mapping[Split, int], largest: int) -> tuple[tuple[Self, int], ...]:
        """Nearly equal parts of about ``largest`` images, cut between batches (of more than one image)."""
        n = sum(n_per_split[split] for split in self.splits)
        parts = min(math.ceil(n / largest), n // self.batch_size, MOST_SHARDS)
        if parts < 2 or self.batch_size < 2:
            return ()
        shards = (self.model_copy(update={"shard": shard, "shards": parts}) for shard in range(parts))
        return tuple((shard, len(shard.share(n))) for shard in shards)

    def share(self, n_images: int) -> range:
        """Positions of the images this spec covers, of all in its splits: those of whole batches (all: no shard).

        Batches are those of the unsharded pass, so that every number is the same: of ``batch_size`` each, and a last
        one of a single image joins the one before (slim_core.models.inference.split_batches).
        """
        if self.shard is None or self.shards is None:
            return range(n_images)
        n_batches = math.ceil(n_images / self.batch_size)
        if n_batches > 1 and n_images - (n_batches - 1) * self.batch_size == 1:
            n_batches -= 1
        first, after = (n_batches * k // self.shards for k in (self.shard, self.shard + 1))
        return range(first * self.batch_size, n_images if after == n_batches else after * self.batch_size)


class GradcamSpec(FeaturesSpec):
    """Attention maps, their scores against the masks, and every feature, in one pass over the images."""

    kind: Annotated[Literal["gradcam"], NAMED] = "gradcam"  # type: ignore[assignment]
    shapes_seq: Annotated[int | None, NAMED] = DRAWN


class PreviewSpec(PassConfig, Spec):
    """Attention maps of a few images, before a whole pass."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Annotated[Literal["preview"], NAMED] = "preview"
    model: Annotated[str, NAMED] = Field(title="Model", description="Train run whose attention is computed.")
    split: Split = Field(default="train", title="Split", description="The split the images are from.")
    images: int = Field(default=8, ge=1, le=64, title="Images", description="Number of images, spread over the groups.")

    def parents(self) -> dict[str, str]:
        """The model."""
        return {"model": self.model}
