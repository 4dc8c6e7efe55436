"""What a step is asked for: one frozen model a kind, plain JSON, checked when built. Light: no torch, no store.

A spec names its data set and its parent runs by id, so that the same spec on the same inputs is the same run.
Training numbers that are not given come from slim_core.steps.recipes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from slim_core.data.table import Split
from slim_core.models.names import check_model
from slim_core.steps.recipes import recipe

QueueName = Literal["gpu", "cpu"]
Option = bool | int | float | str
MOST_SHARDS = 1000
_FROM_RECIPE: Any = None  # never stays: the recipe fills it in before the field is checked


# Raise it with a change to the specs that workers of older code would misread: they refuse such runs in a sentence.
SPEC_VERSION = 1

SUBSET_SHARE = 0.2  # images of a curated subset, repeats included, as a share of the training images


class Spec(BaseModel):
    """What every step is told."""

    # JSON has no infinity: one would come back as null, and the step would take its default instead
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)
    queue: ClassVar[QueueName] = "cpu"

    kind: str
    dataset: str = Field(description="Id of a registered data set.")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Everything random in the step follows from it.")

    def parents(self) -> dict[str, str]:
        """Role -> id of each run whose artifacts this step reads."""
        return {}

    def in_shards(self, n_per_split: Mapping[Split, int], largest: int) -> tuple[tuple[Spec, int], ...]:
        """(spec, images) of the parts it is split into above ``largest`` images; none where it is done in one."""
        del n_per_split, largest
        return ()

    def record(self) -> dict[str, Any]:
        """Plain JSON, as a run keeps it. From version 2 on it names its version; one without is of version 1."""
        version = {"spec_version": SPEC_VERSION} if SPEC_VERSION > 1 else {}
        return self.model_dump(mode="json") | version

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits: equal for equal specs, whatever the order of their fields."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class TrainSpec(Spec):
    """Train the reference model, or retrain on a curated subset."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Literal["train"] = "train"
    model: str = Field(default="resnet50", description='"small-resnet", or any torchvision classifier by name.')
    weights: Literal["imagenet", "none"] = Field(default="imagenet", description="First weights.")
    checkpoint: str | None = Field(default=None, description="A local checkpoint to start from instead of the weights.")
    image_size: int | None = Field(default=None, ge=8, le=1024, description="Side in pixels; default: the model's own.")
    mode: Literal["full", "last-layer"] = Field(
        default="full", description="Train everything, or refit the last layer."
    )
    start: Literal["scratch", "reference"] = Field(
        default="scratch", description="From the first weights, or a trained run."
    )
    reference: str | None = Field(default=None, description="Train run to start from, or whose last layer is refitted.")
    subset: str | None = Field(
        default=None, description="Curate run whose subset is trained on; default: all of train."
    )
    objective: Literal["erm"] = Field(default="erm", description="Name of the loss.")
    objective_options: dict[str, float] = Field(default_factory=dict, description="Settings of the loss.")
    selection: Literal["worst_class", "average", "worst_group", "last"] = Field(
        default="worst_class",
        description='Which epoch is kept, by validation; "worst_group" uses group labels (an oracle).',
    )
    epochs: int = Field(default=_FROM_RECIPE, ge=1, le=10_000)
    batch_size: int = Field(default=_FROM_RECIPE, ge=1, le=65_536)
    lr: float = Field(default=_FROM_RECIPE, gt=0, description="Step size of SGD.")
    weight_decay: float = Field(default=_FROM_RECIPE, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    milestones: tuple[NonNegativeInt, ...] = Field(
        default=(), description="Epochs at which the step size is multiplied by gamma."
    )
    gamma: float = Field(default=0.5, gt=0, le=1)
    class_weights: bool = Field(default=False, description="Weigh the loss by inverse class frequency.")
    augment: bool = Field(default=_FROM_RECIPE, description="Random crops and flips.")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, given: Any) -> Any:
        """Fields that are missing or None come from the recipe of the model and situation."""
        if not isinstance(given, dict):
            return given
        model = str(given.get("model", "resnet50"))
        defaults: dict[str, Any] = asdict(recipe(model, _situation(given)))
        defaults["weights"] = "none" if model == "small-resnet" else "imagenet"
        if isinstance(epochs := given.get("epochs"), int):  # the recipe's milestones, at the same shares of the way
            defaults["milestones"] = tuple(round(m * epochs / defaults["epochs"]) for m in defaults["milestones"])
        return defaults | {key: value for key, value in given.items() if value is not None or key not in defaults}

    @field_validator("model")
    @classmethod
    def _check_model(cls, model: str) -> str:
        check_model(model)
        return model

    @model_validator(mode="after")
    def _check_reference(self) -> Self:
        needs = self.start == "reference" or self.mode == "last-layer"
        if needs and self.reference is None:
            raise ValueError("reference: name the train run to start from (start=reference and last-layer need one)")
        if self.reference is not None and not needs:
            raise ValueError("reference: is given, but start is scratch; use start=reference, or leave it out")
        return self

    def parents(self) -> dict[str, str]:
        """The reference model and the subset, where given."""
        named = {"reference": self.reference, "subset": self.subset}
        return {role: run_id for role, run_id in named.items() if run_id}


def _situation(given: dict[str, Any]) -> str:
    if given.get("mode") == "last-layer":
        return "last-layer"
    if given.get("start") == "reference":
        return "from-reference"
    return "scratch" if given.get("subset") else "reference"


class FeaturesSpec(Spec):
    """Attention, environment and pooled features of a model, without maps and attention scores."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Literal["features"] = "features"
    model: str = Field(description="Train run whose model looks at the images.")
    splits: tuple[Split, ...] = Field(default=("train", "val", "test"), min_length=1)
    class_of_map: Literal["label", "predicted", "both", "any"] = Field(
        default="label", description="Whose attention is drawn; any: every class's."
    )
    batch_size: int = Field(default=64, ge=1, le=4096)
    shard: int | None = Field(default=None, ge=0, description="Which part of the images; filled in when submitted.")
    shards: int | None = Field(default=None, ge=2, le=MOST_SHARDS, description="Of how many parts.")

    @field_validator("splits")
    @classmethod
    def _check_splits(cls, splits: tuple[Split, ...]) -> tuple[Split, ...]:
        if len(set(splits)) < len(splits):
            raise ValueError("name each split once")
        return splits

    @model_validator(mode="after")
    def _check_shard(self) -> Self:
        if (self.shard is None) != (self.shards is None):
            raise ValueError("shard: and shards are given together, or neither")
        if self.shard is not None and self.shards is not None and self.shard >= self.shards:
            raise ValueError(f"shard: {self.shard} is not below the number of shards {self.shards}")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_shard(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A pass that is no shard does not speak of shards: its hash is what it was before there were any."""
        plain: dict[str, Any] = dump(self)
        return {key: value for key, value in plain.items() if value is not None or key not in ("shard", "shards")}

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
        """Positions of the images this spec looks at, of all in its splits: those of whole batches (all: no shard).

        Batches are those of the unsharded pass, so that every number is the same: of ``batch_size`` each, and a last
        one of a single image joins the one before (slim_core.models.pixels.split_batches).
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

    kind: Literal["gradcam"] = "gradcam"  # type: ignore[assignment]


class SpaceSpec(Spec):
    """The two attention spaces and the environment clusters of one split."""

    kind: Literal["space"] = "space"
    attention: str = Field(description="Gradcam or features run whose features are embedded.")
    split: Split = "train"
    n_neighbors: int = Field(default=5, ge=2, le=500, description="Of UMAP.")
    min_dist: float = Field(default=0.0, ge=0, lt=1, description="Of UMAP.")
    pca_above: int = Field(default=50_000, ge=100, description="Above so many images PCA goes before UMAP.")
    pca_dims: int = Field(default=50, ge=2)
    cluster_dims: int = Field(default=10, ge=1, description="PCA dimensions in which the environment is clustered.")
    k_min: int = Field(default=2, ge=1, description="Fewest environment clusters a class may get.")
    k_max: int = Field(default=8, ge=1, le=64, description="Most environment clusters a class may get.")
    n_clusters: int | None = Field(
        default=None, ge=1, le=64, description="Clusters per class; default: chosen from the data."
    )

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.k_min > self.k_max:
            raise ValueError(f"k_min: {self.k_min} is above k_max {self.k_max}")
        return self

    def parents(self) -> dict[str, str]:
        """The run whose features are embedded."""
        return {"attention": self.attention}


class CurateSpec(Spec):
    """Propagate the answers of a campaign and choose a subset of the space's images."""

    kind: Literal["curate"] = "curate"
    space: str = Field(description="Space run whose images are chosen from.")
    campaign: str | None = Field(
        default=None, description="Campaign whose answers are used; none: a strategy without any."
    )
    answers_seq: int | None = Field(
        default=None, ge=0, description="Last answer that counts; filled in when submitted."
    )
    strategy: str = Field(default="slim", description="Name of a curation strategy.")
    size: int = Field(ge=1, description="Images of the subset, repeats included.")
    gammas: tuple[float, ...] = Field(
        default=(10.0, 5.0), min_length=1, description="Width of the propagation per class."
    )
    expansion: Literal["auto", "exact", "grid"] = Field(default="auto", description="How the propagation is computed.")
    options: dict[str, Option] = Field(default_factory=dict, description="Further settings of the strategy.")

    def parents(self) -> dict[str, str]:
        """The space."""
        return {"space": self.space}


class EvaluateSpec(Spec):
    """Every metric of a model on one split."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Literal["evaluate"] = "evaluate"
    model: str = Field(description="Train run that is judged.")
    split: Split = "test"
    attention: bool = Field(
        default=True, description="Also score its attention against the masks, where there are any."
    )
    space: str | None = Field(default=None, description="Space run whose clusters stand in for missing attributes.")
    batch_size: int = Field(default=64, ge=1, le=4096)

    def parents(self) -> dict[str, str]:
        """The model, and the space of the pseudo-groups where given."""
        return {"model": self.model} | ({"space": self.space} if self.space else {})
