"""How to train: the hyper-parameters of one training, each written here once, checked when built. Light: no torch."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, ValidationInfo, field_validator

from slim_core.data.labels_used import GROUPS_IN_TRAINING, GROUPS_IN_VALIDATION, LabelsUsed
from slim_core.metrics import AVERAGE, WGA, WORST_CLASS, WORST_CLASS_AND_WRONG_ATTENTION
from slim_core.parameters import Config, Display, Seed, checked_options, one_of
from slim_core.training.answers import AnswerSource
from slim_core.training.objectives import OBJECTIVES
from slim_core.training.sampling import SAMPLINGS, Sampling
from slim_core.training.schedule import SCHEDULES, Schedule, by_cosine, by_milestones, warm_up

Selection = Literal["worst_class", "average", "worst_group", "wrong_attention", "last"]
BY_ANSWERS: Selection = "wrong_attention"
SELECTED_BY = {  # selection -> validation metric
    "worst_class": WORST_CLASS,
    "average": AVERAGE,
    "worst_group": WGA,
    BY_ANSWERS: WORST_CLASS_AND_WRONG_ATTENTION,
}
_SELECTIONS = {
    "worst_class": "worst class on validation",
    "average": "average on validation",
    "worst_group": "worst group on validation (uses group labels)",
    BY_ANSWERS: "worst class and wrong attention on validation (uses answers)",
    "last": "the last epoch",
}
Optimizer = Literal["sgd", "adamw"]
_OPTIMIZERS = {"sgd": "SGD with momentum", "adamw": "AdamW"}
Augmentation = Literal["crops-flips", "crops", "flips", "crops-flips-colours"]
_AUGMENTATIONS = {
    "crops-flips": "crops and flips",
    "crops": "crops",
    "flips": "flips",
    "crops-flips-colours": "crops, flips and colours",
}
Precision = Literal["auto", "float32", "bfloat16", "float16"]
_PRECISIONS = {"auto": "bfloat16 on GPUs", "float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
LABELS_OF_SELECTION: dict[str, LabelsUsed] = {"worst_group": GROUPS_IN_VALIDATION, BY_ANSWERS: "answers"}


def labels_used(objective: str, sampling: str, selection: str) -> set[LabelsUsed]:
    """What a training with these settings uses; of an objective that is not known any more, its other settings'."""
    known = OBJECTIVES.get(objective)
    found: set[LabelsUsed] = {known.labels_used} if known else set()
    if sampling == "group-balanced":
        found.add(GROUPS_IN_TRAINING)
    return found | labels_of(selection)


def labels_of(selection: str) -> set[LabelsUsed]:
    """What choosing the epoch, or hyper-parameters, by this uses beyond the classes."""
    used = LABELS_OF_SELECTION.get(selection)
    return {used} if used else set()


def _objectives() -> dict[str, str]:
    return {name: objective.label for name, objective in OBJECTIVES.items()}


class TrainConfig(Config):
    """How to train. The defaults suit the demo's small network from scratch."""

    epochs: int = Field(default=20, ge=1, le=10_000, title="Epochs", description="Passes over the training images.")
    batch_size: int = Field(
        default=64, ge=1, le=65_536, title="Batch size", description="Images in one step of the optimizer."
    )
    lr: Annotated[float, Display(step=1e-3)] = Field(
        default=0.05, gt=0, le=1_000, title="Learning rate", description="Initial rate, before any schedule."
    )
    weight_decay: Annotated[float, Display(step=1e-4)] = Field(
        default=5e-4, ge=0, title="Weight decay", description="Strength of the L2 penalty on the weights."
    )
    seed: Seed = 0
    selection: Annotated[Selection, Display(labels=_SELECTIONS)] = Field(
        default="worst_class",
        title="Select the epoch with the best",
        description='The validation criterion that selects the epoch; "worst_group" uses group labels (an oracle).',
    )
    augment: bool = Field(
        default=True,
        title="Augmentation",
        description="Augmentation of the training images: crops and flips, or what is selected.",
    )
    class_weights: bool = Field(
        default=False, title="Class weights", description="Weight the loss by inverse class frequency."
    )
    momentum: Annotated[float, Display(step=0.05, place="more")] = Field(
        default=0.9, ge=0, lt=1, title="Momentum", description="Momentum of SGD."
    )
    milestones: Annotated[tuple[NonNegativeInt, ...], Display(place="nowhere")] = Field(
        default=(), title="Milestones", description="Epochs at which the learning rate is multiplied by gamma."
    )
    gamma: Annotated[float, Display(step=0.05, place="more")] = Field(
        default=0.5, gt=0, le=1, title="Gamma", description="Factor of the learning rate at each milestone."
    )
    objective: Annotated[str, Display(labels=_objectives)] = Field(
        default="erm", title="Objective", description="Name of the loss."
    )
    objective_options: dict[str, Any] = Field(
        default_factory=dict, validate_default=True, title="Objective options", description="Options of the loss."
    )
    trainable: Annotated[Literal["all", "head"], Display(place="nowhere", on_command_line=False)] = Field(
        default="all", title="Trainable", description="Train all layers, or the last layer alone by SGD."
    )
    sampling: Annotated[Sampling, Display(labels=SAMPLINGS, place="more")] = Field(
        default="shuffled", title="Sampling", description="How the images of an epoch are sampled."
    )
    patience: Annotated[int | None, Display(place="more", default="never")] = Field(
        default=None,
        ge=1,
        le=10_000,
        title="Patience",
        description="Early stopping: stop once what selects the epoch (the worst class, if the last is selected) has "
        "not risen on validation for this many epochs, or for a fifth of those so far if that is more.",
    )
    selection_options: Annotated[dict[str, Any], Display(place="nowhere")] = Field(
        default_factory=dict,
        validate_default=True,
        title="Selection options",
        description=f"Of the selection {BY_ANSWERS}: campaign, whose answers about validation images are used.",
    )

    optimizer: Annotated[Optimizer, Display(labels=_OPTIMIZERS, place="more")] = Field(
        default="sgd",
        title="Optimizer",
        description="SGD with momentum, or AdamW: with decoupled weight decay, at learning rates of 1e-5 to 1e-3.",
    )
    schedule: Annotated[Schedule, Display(labels=SCHEDULES, place="more")] = Field(
        default="milestones",
        title="Schedule",
        description="The learning rate falls by gamma at each milestone, or along half a cosine over all epochs.",
    )
    warmup_epochs: Annotated[int, Display(place="more")] = Field(
        default=0, ge=0, le=1_000, title="Warm-up", description="Warm-up epochs, in which the learning rate rises."
    )
    augmentation: Annotated[Augmentation, Display(labels=_AUGMENTATIONS, place="more")] = Field(
        default="crops-flips",
        title="Kind of augmentation",
        description="Which augmentations are used; no flips where mirroring changes the class, as of a 3.",
    )
    accumulation: Annotated[int, Display(place="more")] = Field(
        default=1,
        ge=1,
        le=1_024,
        title="Accumulation",
        description="Parts in which a batch is computed, one after another, for one step of the optimizer: the same "
        "batch in less memory. Batch normalisation sees the parts.",
    )
    precision: Annotated[Precision, Display(labels=_PRECISIONS, place="more")] = Field(
        default="auto",
        title="Precision",
        description="Precision of training: bfloat16 on GPUs and float32 on CPUs, or one of them.",
    )
    # Every network is built channels-last (models/build.py); specs that ask for it are read, and keep their digests.
    deterministic: Annotated[bool, Display(place="more")] = Field(
        default=False,
        title="Deterministic",
        description="Use deterministic operations only, on GPUs too; slower there.",
    )

    @field_validator("objective")
    @classmethod
    def _check_objective(cls, objective: str) -> str:
        return one_of(OBJECTIVES, objective)

    @field_validator("objective_options")
    @classmethod
    def _fill_options(cls, given: dict[str, Any], about: ValidationInfo) -> dict[str, Any]:
        """The objective's own settings, checked by it, those that are not given at their defaults."""
        name = about.data.get("objective")
        if name is None:
            return given
        return checked_options(OBJECTIVES[name].Options, given, f"The objective {name}", "objective_options")

    @field_validator("selection_options")
    @classmethod
    def _check_selection_options(cls, given: dict[str, Any], about: ValidationInfo) -> dict[str, Any]:
        selection = about.data.get("selection")
        if selection == BY_ANSWERS:
            return checked_options(AnswerSource, given, f"The selection {selection}", "selection_options")
        if given:
            raise ValueError(f"They belong to the selection {BY_ANSWERS}: leave them out, or choose that selection")
        return given

    @field_validator("sampling")
    @classmethod
    def _check_sampling(cls, sampling: Sampling, about: ValidationInfo) -> Sampling:
        name = about.data.get("objective")
        if name is None or sampling in ("shuffled", OBJECTIVES[name].sampling):
            return sampling
        asked = OBJECTIVES[name].sampling
        if drawn := OBJECTIVES[name].draws or (SAMPLINGS[asked] if asked else ""):
            raise ValueError(f"The objective {name} draws {drawn}: leave it out.")
        return sampling

    @field_validator("warmup_epochs")
    @classmethod
    def _check_warm_up(cls, warmup_epochs: int, about: ValidationInfo) -> int:
        epochs = about.data.get("epochs")
        if epochs is not None and warmup_epochs >= epochs:
            raise ValueError(f"Of {epochs} epochs some must follow the warm-up: take at most {epochs - 1}.")
        return warmup_epochs

    @field_validator("accumulation")
    @classmethod
    def _check_accumulation(cls, accumulation: int, about: ValidationInfo) -> int:
        name, batch_size = about.data.get("objective"), about.data.get("batch_size")
        if accumulation == 1 or name is None or batch_size is None:
            return accumulation
        if not OBJECTIVES[name].adds_up:
            raise ValueError(f"The loss of the objective {name} needs a whole batch at once: leave it at 1.")
        if batch_size < 2 * accumulation:
            raise ValueError(f"Each part of a batch of {batch_size} needs two images: take at most {batch_size // 2}.")
        return accumulation

    @property
    def images_at_once(self) -> int:
        """The most of a batch that are computed together."""
        return math.ceil(self.batch_size / self.accumulation)

    def in_memory_of(self, n_images: int) -> dict[str, int]:
        """Fields to change where so many images fit at once: the same batches in parts, if the loss allows it."""
        accumulation = math.ceil(self.batch_size / n_images)
        if OBJECTIVES[self.objective].adds_up and self.batch_size >= 2 * accumulation:
            return {"accumulation": accumulation}
        return {"batch_size": n_images}

    @property
    def drawn(self) -> Sampling:
        """How the images of an epoch are drawn: as the objective asks, else by ``sampling``."""
        return OBJECTIVES[self.objective].sampling or self.sampling

    def labels_used(self) -> set[LabelsUsed]:
        """Beyond the classes of the images."""
        return labels_used(self.objective, self.sampling, self.selection)

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch (0-based)."""
        if self.schedule == "cosine":
            falls = by_cosine(max(0, epoch - self.warmup_epochs), self.epochs - self.warmup_epochs)
        else:
            falls = by_milestones(epoch, self.milestones, self.gamma)
        return self.lr * falls * warm_up(epoch, self.warmup_epochs)

    def trained_with(self) -> dict[str, Any]:
        """Plain values of the fields above, also of a config with further ones: a checkpoint belongs to these."""
        return self.model_dump(mode="json", include=set(TrainConfig.model_fields))
