"""Training, retraining and refitting: settings of the run beside those of TrainConfig and RefitConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from slim_core.data.labels_used import LabelsUsed
from slim_core.models.names import DEFAULT_MODEL, LARGEST_SIDE, MODEL_HELP, SMALL_RESNET, SMALLEST_SIDE, check_model
from slim_core.parameters import Config, Display
from slim_core.steps.specs.spec import FOLDED, NAMED, QueueName, Spec
from slim_core.steps.train.recipes import OF_A_RECIPE, recipe
from slim_core.training.config import TrainConfig
from slim_core.training.last_layer import REFITS, AnswerSource
from slim_core.training.last_layer.config import RefitConfig, refit_labels
from slim_core.training.objectives import OBJECTIVES

Channels = tuple[float, float, float]  # of red, green and blue
MOST_PROCESSES = 64  # of a training
OF_IMAGES = ("image_size", "resize_ratio", "mean", "std")  # fields of a training that say how a model sees images
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
        title="Attention maps or features",
        description="Gradcam or features run of the reference model whose pooled features the last layer is fitted "
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
        """Field -> what is proposed for a model in a situation (slim_core.steps.train.recipes)."""
        weights = "none" if model == SMALL_RESNET else "imagenet"
        return {**recipe(model, situation).model_dump(), "weights": weights}

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


def is_probe(train: Mapping[str, Any]) -> bool:
    """Whether that last layer is a new one, of a pretrained network the rest of which nobody trained here."""
    return train.get("mode") == "last-layer" and not refits(train)


def _situation(given: Mapping[str, Any]) -> str:
    if given.get("mode") == "last-layer":
        return "last-layer"
    if given.get("start") == "reference":
        return "from-reference"
    return "scratch" if given.get("subset") else "reference"
