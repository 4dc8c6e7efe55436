"""How to train: the hyper-parameters of one training, each written here once, checked when built. Light: no torch."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from slim_core import removed
from slim_core.data.groups import GROUPS_IN_TRAINING, GROUPS_IN_VALIDATION, LabelsUsed
from slim_core.metrics import AVERAGE, WGA, WORST_CLASS
from slim_core.parameters import Config, Display, Seed, checked_options, one_of
from slim_core.training.data import SAMPLINGS, Sampling
from slim_core.training.objectives import OBJECTIVES

Selection = Literal["worst_class", "average", "worst_group", "last"]
SELECTED_BY = {"worst_class": WORST_CLASS, "average": AVERAGE, "worst_group": WGA}  # selection -> validation metric
_SELECTIONS = {
    "worst_class": "worst class on validation",
    "average": "average on validation",
    "worst_group": "worst group on validation (uses group labels)",
    "last": "the last epoch",
}
Optimizer = Literal["sgd", "adamw"]
_OPTIMIZERS = {"sgd": "SGD with momentum", "adamw": "AdamW"}
MOMENTUM = 0.9  # of SGD: METHOD S0, and what every paper of this field trains with
Schedule = Literal["constant", "step", "cosine"]
_SCHEDULES = {
    "constant": "constant",
    "step": "falls to a fifth after three quarters of the epochs",
    "cosine": "falls along a cosine",
}
_STEP_AT, _STEP_TO = 0.75, 0.2  # of the small network's recipe: share of the epochs, and of the rate
Augmentation = Literal["none", "crops-flips", "crops", "flips", "crops-flips-colours"]
_AUGMENTATIONS = {
    "none": "none",
    "crops-flips": "crops and flips",
    "crops": "crops",
    "flips": "flips",
    "crops-flips-colours": "crops, flips and colours",
}


def labels_used(objective: str, sampling: str, selection: str) -> set[LabelsUsed]:
    """What a training with these settings uses; of an objective that is not known any more, its other settings'."""
    known = OBJECTIVES.get(objective)
    found: set[LabelsUsed] = {known.labels_used} if known else set()
    if sampling == "group-balanced":
        found.add(GROUPS_IN_TRAINING)
    return found | labels_of(selection)


def labels_of(selection: str) -> set[LabelsUsed]:
    """What choosing the epoch, or hyper-parameters, by this uses beyond the classes."""
    return {GROUPS_IN_VALIDATION} if selection == "worst_group" else set()


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
    augmentation: Annotated[Augmentation, Display(labels=_AUGMENTATIONS)] = Field(
        default="crops-flips",
        title="Augmentation",
        description="Augmentation of the training images; no flips where mirroring changes the class, as of a 3.",
    )
    objective: Annotated[str, Display(labels=_objectives)] = Field(
        default="erm", title="Objective", description="Name of the loss."
    )
    objective_options: dict[str, Any] = Field(
        default_factory=dict, validate_default=True, title="Objective options", description="Options of the loss."
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
    optimizer: Annotated[Optimizer, Display(labels=_OPTIMIZERS, place="more")] = Field(
        default="sgd",
        title="Optimizer",
        description="SGD with momentum, or AdamW: with decoupled weight decay, at learning rates of 1e-5 to 1e-3.",
    )
    schedule: Annotated[Schedule, Display(labels=_SCHEDULES, place="more")] = Field(
        default="constant", title="Schedule", description="How the learning rate falls over the epochs."
    )

    @field_validator("objective")
    @classmethod
    def _check_objective(cls, objective: str) -> str:
        return one_of(OBJECTIVES, objective, removed.OBJECTIVES)

    @field_validator("objective_options")
    @classmethod
    def _fill_options(cls, given: dict[str, Any], about: ValidationInfo) -> dict[str, Any]:
        """The objective's own settings, checked by it, those that are not given at their defaults."""
        name = about.data.get("objective")
        if name is None:
            return given
        return checked_options(OBJECTIVES[name].Options, given, f"The objective {name}", "objective_options")

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

    @property
    def drawn(self) -> Sampling:
        """How the images of an epoch are drawn: as the objective asks, else by ``sampling``."""
        return OBJECTIVES[self.objective].sampling or self.sampling

    def labels_used(self) -> set[LabelsUsed]:
        """Beyond the classes of the images."""
        return labels_used(self.objective, self.sampling, self.selection)

    def lr_at(self, epoch: int) -> float:
        """The learning rate of an epoch (0-based)."""
        match self.schedule:
            case "cosine":  # half of one, from 1 in the first epoch to 0 after the last: SGDR, ICLR 2017, eq. 5
                return self.lr * 0.5 * (1 + math.cos(math.pi * epoch / self.epochs))
            case "step":
                return self.lr * (_STEP_TO if epoch >= round(_STEP_AT * self.epochs) else 1.0)
            case "constant":
                return self.lr

    def trained_with(self) -> dict[str, Any]:
        """Plain values of the fields above, also of a config with further ones: a checkpoint belongs to these."""
        return self.model_dump(mode="json", include=set(TrainConfig.model_fields))
