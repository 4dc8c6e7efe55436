"""What a step is asked for, one frozen model a kind, plain JSON, checked when built; and the steps by name.

Light: no torch, no store, and no step is imported until it is run.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast, get_args

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator

from slim_core import removed
from slim_core.attention.config import PassConfig, TargetLayer
from slim_core.curation.data import CurateOptions
from slim_core.data.groups import LabelsUsed
from slim_core.data.images.codec import FITS, Fit
from slim_core.data.table import Split
from slim_core.errors import SpecRefusedError, instead_of, quoted
from slim_core.models.names import DEFAULT_MODEL, LARGEST_SIDE, MODEL_HELP, SMALL_RESNET, SMALLEST_SIDE, check_model
from slim_core.parameters import Config, Display, OptionRefusedError, Seed, what_to_give
from slim_core.space.embedding import SpaceConfig
from slim_core.space.environments import ClusterConfig
from slim_core.training.config import OF_A_RECIPE, TrainConfig, recipe
from slim_core.training.last_layer import REFITS, AnswerSource, RefitConfig, refit_labels
from slim_core.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from slim_core.steps.context import StepContext
    from slim_core.store import Run

QueueName = Literal["gpu", "cpu"]
Option = bool | int | float | str

# Raise it with a change to the specs that workers of older code would misread: they refuse such runs in a sentence.
SPEC_VERSION = 1

# Fields that name the inputs of a step.
INPUTS = ("kind", "dataset", "campaign", "answers_seq", "shapes_seq", "model", "shard", "shards")
NAMED = Display(place="nowhere", on_command_line=False)  # each command and page asks for it in its own way, or finds it
FOLDED = Display(place="more")
DRAWN = Field(
    default=None,
    ge=0,
    lt=2**63,
    title="Drawn shapes",
    description="Last drawn shape that counts; filled in when submitted, where there are any.",
)


class Spec(Config):
    """What every step is asked for."""

    queue: ClassVar[QueueName] = "cpu"
    decided_by: ClassVar[tuple[str, ...]] = ()  # fields beside the inputs that decide the defaults of others
    holds: ClassVar[Mapping[str, type[Config]]] = {}  # field that is a dict -> the config whose fields are its keys
    in_words: ClassVar[Mapping[str, str]] = {}  # field -> its default in words, where it depends on other fields

    kind: Annotated[str, NAMED]
    dataset: Annotated[str, NAMED] = Field(title="Data set", description="Id of a registered data set.")
    seed: Seed = 0

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_in_a_sentence(cls, given: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        """Also of a spec that inherits from a config built by hand, the sentence is parse_spec's."""
        return build(given)

    def parents(self) -> dict[str, str]:
        """Role -> id of each run whose artifacts this step reads."""
        return {}

    def filled_in(self, record: Mapping[str, Any]) -> Self:
        """This spec as a run keeps it: with what was filled in when it was submitted."""
        own = type(self).model_fields
        return type(self).model_validate({name: value for name, value in record.items() if name in own})

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

    def inputs(self) -> set[str]:
        """Fields that name the inputs of the step, and those that have no default."""
        fields = type(self).model_fields
        required = {name for name, about in fields.items() if about.is_required()}
        return required | {name for name in (*self.parents(), *INPUTS) if name in fields}

    def defaults(self) -> dict[str, Any]:
        """Field -> the value it has where nobody gives one, with the inputs and the recipe of this spec; no inputs."""
        given = self._deciding()
        found = type(self).model_validate(given).model_dump(mode="json")
        found |= {name: type(self).model_fields[name].default for name in self.decided_by}
        return {name: value for name, value in found.items() if name not in self.inputs()}

    def changed(self) -> dict[str, Any]:
        """Field -> default, for the fields that have another value."""
        plain = self.model_dump(mode="json")
        return {name: value for name, value in self.defaults().items() if plain[name] != value}

    def held(self) -> Mapping[str, type[Config]]:
        """As ``holds``, also where other fields decide it."""
        return self.holds

    def without_effect(self) -> frozenset[str]:
        """Fields that change nothing beside the others."""
        return frozenset()

    def _deciding(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*self.inputs(), *self.decided_by)}


MOST_SHARDS = 1000


class GradcamSpec(PassConfig, Spec):
    """Attention maps, their scores against the masks, and every feature, in one pass over the images."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Annotated[Literal["gradcam"], NAMED] = "gradcam"
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
    shapes_seq: Annotated[int | None, NAMED] = DRAWN

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


class SpaceSpec(Spec, ClusterConfig, SpaceConfig):
    """The two attention spaces and the environment clusters of one split."""

    kind: Annotated[Literal["space"], NAMED] = "space"
    attention: Annotated[str, NAMED] = Field(
        title="Attention maps", description="Gradcam run whose features are embedded."
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


class EvaluateSpec(Spec):
    """Every metric of a model on one split."""

    queue: ClassVar[QueueName] = "gpu"

    kind: Annotated[Literal["evaluate"], NAMED] = "evaluate"
    model: Annotated[str, NAMED] = Field(title="Model", description="Train run that is evaluated.")
    split: Split = Field(default="test", title="Split", description="The split the model is evaluated on.")
    attention: Annotated[bool, FOLDED] = Field(
        default=True,
        title="Attention",
        description="Also score its attention against the masks, where there are any.",
    )
    space: Annotated[str | None, NAMED] = Field(
        default=None, title="Space", description="Space run whose clusters replace missing attributes."
    )
    features: Annotated[str | None, Display(place="nowhere")] = Field(
        default=None,
        title="Features",
        description="Gradcam run of the model, or of the one whose last layer was refitted: its pooled "
        "features replace the images, which is faster; attention is not scored.",
    )
    batch_size: Annotated[int, FOLDED] = Field(
        default=64, ge=1, le=4096, title="Batch size", description="Images of one forward pass."
    )
    target_layer: TargetLayer = None
    shapes_seq: Annotated[int | None, NAMED] = DRAWN

    @model_validator(mode="after")
    def _check_features(self) -> Self:
        if self.features and self.attention:
            raise ValueError("features: they hold no maps; set attention to false, or leave features out")
        return self

    def parents(self) -> dict[str, str]:
        """The model, the features, and the space of the estimated groups where given."""
        named = {name: getattr(self, name) for name in ("model", "space", "features")}
        return {role: run_id for role, run_id in named.items() if run_id}


Channels = tuple[float, float, float]  # of red, green and blue
MOST_PROCESSES = 64  # of a training
OF_IMAGES = (
    "image_size",
    "fit",
    "resize_ratio",
    "mean",
    "std",
)  # fields of a training that say how a model sees images
_INPUT = Display(place="more", default="the model's own")  # of the images that a model sees


class TrainSpec(Spec, TrainConfig, RefitConfig):
    """Train the reference model, retrain on a curated subset, or refit the last layer."""

    queue: ClassVar[QueueName] = "gpu"
    decided_by: ClassVar[tuple[str, ...]] = ("mode", "start")  # of the recipe
    in_words: ClassVar[Mapping[str, str]] = {
        "refit": "l1; l2 of a new last layer; on a subset with answers or as the reference",
        **dict.fromkeys(OF_A_RECIPE, "of the recipe"),
        "epochs": "of the recipe; more for small-resnet on few images",
        "model": "by the data set",
        "weights": "imagenet, but none for small-resnet",
        "mode": "full, but with --retrain last-layer",
    }

    kind: Annotated[Literal["train"], NAMED] = "train"
    model: str = Field(
        default=DEFAULT_MODEL,
        title="Model",
        description=MODEL_HELP,
    )
    weights: Literal["imagenet", "none"] = Field(
        default="imagenet",
        title="Initial weights",
        description="Initial (pretrained) weights; of a function of your own, by its parameter pretrained.",
    )
    checkpoint: str | None = Field(
        default=None,
        title="Local checkpoint",
        description="A .safetensors, .pt or .pth file to start from instead of the initial weights.",
    )
    image_size: Annotated[int | None, FOLDED] = Field(
        default=None,
        ge=SMALLEST_SIDE,
        le=LARGEST_SIDE,
        title="Image size",
        description="Side in pixels; default: the model's own.",
    )
    fit: Annotated[Fit, Display(labels=FITS)] = Field(
        default="crop",
        title="Images that are not square",
        description="What becomes of them before a model sees them; a check of the data shows each.",
    )
    resize_ratio: Annotated[float | None, _INPUT] = Field(
        default=None,
        ge=1,
        le=4,
        title="Resize ratio",
        description="Shorter side before the centre crop, as a multiple of the image size.",
    )
    mean: Annotated[Channels | None, _INPUT] = Field(
        default=None, title="Mean", description="Of red, green and blue in 0..1; it is subtracted from the images."
    )
    std: Annotated[Channels | None, _INPUT] = Field(
        default=None,
        title="Standard deviation",
        description="Of red, green and blue in 0..1; the images are divided by it.",
    )
    mode: Annotated[Literal["full", "last-layer", "registered"], Display(place="nowhere")] = Field(
        default="full",
        title="Mode",
        description="Train everything, refit the last layer (without a reference model: of a pretrained network), or "
        "take the checkpoint of a model trained elsewhere.",
    )
    checkpoint_sha256: Annotated[str | None, NAMED] = Field(
        default=None, title="Checksum", description="SHA-256 of the checkpoint; filled in when submitted."
    )
    start: Annotated[Literal["scratch", "reference"], NAMED] = Field(
        default="scratch", title="Start", description="From the initial weights, or a trained run."
    )
    reference: Annotated[str | None, NAMED] = Field(
        default=None,
        title="Reference model",
        description="Train run to start from, or whose last layer is refitted.",
    )
    subset: Annotated[str | None, NAMED] = Field(
        default=None, title="Subset", description="Curate run whose subset is trained on; default: all of train."
    )
    attention: Annotated[str | None, Display(place="nowhere")] = Field(
        default=None,
        title="Attention maps",
        description="Gradcam run of the reference model whose pooled features the last layer is fitted "
        "on; default: they are computed.",
    )
    processes: Annotated[int, Display(place="more", only={"mode": ("full",)})] = Field(
        default=1,
        ge=1,
        le=MOST_PROCESSES,
        title="Processes",
        description="Processes that share the training, one per GPU; each computes its part of every batch.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, given: Any) -> Any:
        """Fields that are missing or None come from the recipe of the model and situation."""
        if not isinstance(given, dict):
            return given
        defaults = cls.proposed(str(given.get("model", DEFAULT_MODEL)), _situation(given))
        return defaults | {key: value for key, value in given.items() if value is not None or key not in defaults}

    @classmethod
    def proposed(cls, model: str, situation: str) -> dict[str, Any]:
        """Field -> what is proposed for a model in a situation (slim_core.training.config)."""
        weights = "none" if model == SMALL_RESNET else "imagenet"
        return {**recipe(model, situation).model_dump(), "weights": weights}

    @field_validator("fit", mode="before")
    @classmethod
    def _crop_by_default(cls, given: object) -> object:
        """A model from before there was a choice hands none on."""
        return "crop" if given is None else given

    @field_validator("mean", "std", mode="before")
    @classmethod
    def _split_at_commas(cls, given: object) -> object:
        """A form has one text for the three."""
        parts = tuple(given.split(",")) if isinstance(given, str) else given
        if isinstance(parts, tuple | list) and len(parts) != len(get_args(Channels)):
            raise ValueError("give three numbers, joined by commas")
        return parts

    @field_validator("mean")
    @classmethod
    def _check_mean(cls, mean: Channels | None) -> Channels | None:
        if mean is not None and not all(0 <= one <= 1 for one in mean):
            raise ValueError("give three numbers from 0 to 1; divide mean and std of 0 to 255 by 255")
        return mean

    @field_validator("std")
    @classmethod
    def _check_std(cls, std: Channels | None) -> Channels | None:
        if std is not None and min(std) <= 0:
            raise ValueError("give three numbers above 0")
        return std

    @field_validator("model")
    @classmethod
    def _check_model(cls, model: str) -> str:
        check_model(model)
        return model

    @model_validator(mode="after")
    def _check_fit(self) -> Self:
        if self.fit != "crop" and self.resize_ratio is not None:
            raise ValueError("resize_ratio: only fit crop uses it; leave it out")
        return self

    @model_validator(mode="after")
    def _check_reference(self) -> Self:
        refits = self.mode == "last-layer"
        if self.start == "reference" and self.reference is None:
            raise ValueError("reference: name the train run to start from")
        if refits and self.reference is None and self.weights == "none" and self.checkpoint is None:
            raise ValueError(
                "reference: name the train run whose last layer is refitted, or take pretrained weights: "
                "the features of an untrained network are of little use"
            )
        if self.reference is not None and not (refits or self.start == "reference"):
            raise ValueError("reference: it is given, but start is scratch; use start=reference, or leave it out")
        return self

    @model_validator(mode="after")
    def _check_last_layer(self) -> Self:
        """The refit has a loss and a balance of its own, which these would seem to change."""
        if self.mode != "last-layer":
            return self
        if self.objective != "erm" or self.sampling != "shuffled":
            raise ValueError("objective: mode last-layer ignores objective and sampling; leave both out")
        if self.processes > 1:
            raise ValueError("processes: mode last-layer ignores it; leave it out")
        if self.reference is None and REFITS[self.refit].answers(self.refit_options) is not None:
            raise ValueError("reference: name the train run whose attention people answered about")
        if self.reference is None and self.attention:
            raise ValueError("reference: name the train run that attention refers to")
        if self.subset and REFITS[self.refit].fitted_on != "train":
            raise ValueError(f"subset: {self.refit} is fitted on validation images; leave the subset out")
        return self

    @model_validator(mode="after")
    def _check_full(self) -> Self:
        """What belongs to a refit would seem to change a training."""
        if self.mode == "last-layer":
            return self
        for name in (*RefitConfig.model_fields, "attention"):
            if getattr(self, name) != type(self).model_fields[name].get_default(call_default_factory=True):
                raise ValueError(f"{name}: only mode last-layer uses it; leave it out, or take that mode")
        return self

    @model_validator(mode="after")
    def _check_processes(self) -> Self:
        """A process computes two images of each batch at least."""
        least = 2 * self.processes
        if self.processes > 1 and self.batch_size < least:
            raise ValueError(
                f"processes: {self.processes} of them get too few images each from batches of {self.batch_size}; take "
                f"a batch_size of {least} or more, or fewer processes"
            )
        return self

    @model_validator(mode="after")
    def _check_registered(self) -> Self:
        """Nothing is trained."""
        if self.mode == "registered" and self.checkpoint is None:
            raise ValueError("checkpoint: name the file of the model that was trained elsewhere")
        if self.mode == "registered" and (self.subset or self.reference):
            raise ValueError("subset: mode registered ignores subset and reference; leave them out")
        return self

    def parents(self) -> dict[str, str]:
        """The reference model, subset and features, where given; what the objective rests on."""
        answers = self.answers()
        named = {
            "reference": self.reference,
            "subset": self.subset,
            "attention": self.attention,
            "answered": answers.space if answers else None,
        }
        given = {role: run_id for role, run_id in named.items() if run_id}
        return given | OBJECTIVES[self.objective].parents(self.objective_options)

    def answers(self) -> AnswerSource | None:
        """About training images, for the refit."""
        return REFITS[self.refit].answers(self.refit_options)

    def labels_used(self) -> set[LabelsUsed]:
        """Beyond the classes of the images, and what ``environments`` rests on."""
        if self.mode == "last-layer":
            return refit_labels(self.refit, self.selection)
        return super().labels_used()

    def inputs(self) -> set[str]:
        """As of every spec; and the file of a model that was trained elsewhere, by its content also another's."""
        own = {"checkpoint"} if self.mode == "registered" else set()
        return super().inputs() | own | {"checkpoint_sha256"}

    def held(self) -> Mapping[str, type[Config]]:
        """The settings of the loss and the refit."""
        return {
            "objective_options": OBJECTIVES[self.objective].Options,
            "refit_options": REFITS[self.refit].Options,
        }

    def without_effect(self) -> frozenset[str]:
        """Where nothing is trained, all but what names the model and its images."""
        if self.mode != "registered":
            return frozenset()
        return frozenset(type(self).model_fields) - self.inputs() - {"mode", *OF_IMAGES}


def refits(train: Mapping[str, Any]) -> bool:
    """Whether the spec of a train run refits the last layer of a trained model; of a pretrained network it is new."""
    return train.get("mode") == "last-layer" and train.get("reference") is not None


def refitted_model(run: Run) -> str | None:
    """The model whose last layer a train run refits, where it does: below the head they are one network."""
    return run.spec["reference"] if refits(run.spec) else None


def is_probe(train: Mapping[str, Any]) -> bool:
    """Whether that last layer is a new one, of a pretrained network the rest of which nobody trained here."""
    return train.get("mode") == "last-layer" and not refits(train)


def _situation(given: Mapping[str, Any]) -> str:
    if given.get("mode") == "last-layer":
        return "last-layer"
    if given.get("start") == "reference":
        return "from-reference"
    return "scratch" if given.get("subset") else "reference"


RunFunction = Callable[[Any, "StepContext"], dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """One kind of run. ``target`` is "module:function"."""

    kind: str
    spec: type[Spec]
    target: str

    @property
    def queue(self) -> QueueName:
        """Which workers take it: "gpu" for steps that run the network, "cpu" for the rest."""
        return self.spec.queue

    def load(self) -> RunFunction:
        """Import the run function; only now torch may be loaded."""
        module, _, name = self.target.partition(":")
        return cast(RunFunction, getattr(importlib.import_module(module), name))


STEPS: dict[str, Step] = {
    step.kind: step
    for step in (
        Step("train", TrainSpec, "slim_core.steps.train:run"),
        Step("gradcam", GradcamSpec, "slim_core.steps.passes:gradcam"),
        Step("preview", PreviewSpec, "slim_core.steps.passes:preview"),
        Step("space", SpaceSpec, "slim_core.steps.space:run"),
        Step("candidates", CandidatesSpec, "slim_core.steps.space:choose"),
        Step("curate", CurateSpec, "slim_core.steps.curate:run"),
        Step("evaluate", EvaluateSpec, "slim_core.steps.evaluate:run"),
    )
}


def step_named(kind: object) -> Step:
    """The step of this name.

    Raises:
        SpecRefusedError: no step has this name.
    """
    if kind is None:
        raise SpecRefusedError(f"The spec names no step: give its kind, one of {', '.join(STEPS)}.")
    if not isinstance(kind, str) or kind not in STEPS:
        raise SpecRefusedError(f"There is no step {quoted(kind)}: choose one of {', '.join(STEPS)}.")
    return STEPS[kind]


def parse_spec(given: Mapping[str, Any]) -> Spec:
    """The spec a plain dict describes.

    Raises:
        SpecRefusedError: newer code has written it, the kind is unknown, or a field is unknown, missing or out of its
            range; the first such field is named.
    """
    fields = dict(given)
    version = fields.pop("spec_version", 1)
    if not isinstance(version, int) or version > SPEC_VERSION:
        raise SpecRefusedError(
            f"The spec is of version {quoted(version)}, this code reads up to version {SPEC_VERSION}: update SLIM "
            "Studio here, restart what runs it (`python -m workers`, the dashboard), then retry."
        )
    step = step_named(fields.get("kind"))
    try:
        return step.spec.model_validate(fields)
    except ValidationError as error:
        raise SpecRefusedError(_sentence(step.kind, error)) from error


def _sentence(kind: str, error: ValidationError) -> str:
    first = error.errors()[0]
    step = f"{'An' if kind[0] in 'aeiou' else 'A'} {kind} step"
    field = ".".join(str(part) for part in first["loc"]) or first["msg"].partition(":")[0].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        if kind == "train" and field in removed.TRAINING:
            return f"{step} has no field {quoted(field)} any more. {removed.TRAINING[field]}"
        return f"{step} has no field {quoted(field)}: {instead_of(field, sorted(STEPS[kind].spec.model_fields))}."
    if first["type"] == "missing":
        return f"{step} needs the field {field!r}: give it."
    reason = what_to_give(STEPS[kind].spec, first)
    if isinstance(first.get("ctx", {}).get("error"), OptionRefusedError):
        return f"{reason}."  # it names the option and its value, which all the others beside it would bury
    what = f"{field} = {quoted(first['input'])}: {reason}" if first["loc"] else reason
    return f"{step} refuses {what}."
