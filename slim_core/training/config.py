"""How to train: the hyper-parameters of one training, each written here once, checked when built. Light: no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, ValidationInfo, field_validator

from slim_core.data.labels_used import GROUPS_IN_TRAINING, GROUPS_IN_VALIDATION, LabelsUsed
from slim_core.metrics import AVERAGE, WGA, WORST_CLASS, WORST_CLASS_AND_WRONG_ATTENTION
from slim_core.parameters import Config, Seed, Shown, checked_options
from slim_core.training.answers import AnswersOf
from slim_core.training.objectives import OBJECTIVES
from slim_core.training.sampling import SAMPLINGS, Sampling

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
    lr: Annotated[float, Shown(step=1e-3)] = Field(
        default=0.05, gt=0, le=1_000, title="Learning rate", description="Learning rate of SGD."
    )
    weight_decay: Annotated[float, Shown(step=1e-4)] = Field(
        default=5e-4, ge=0, title="Weight decay", description="Strength of the L2 penalty on the weights."
    )
    seed: Seed = 0
    selection: Annotated[Selection, Shown(labels=_SELECTIONS)] = Field(
        default="worst_class",
        title="Keep the epoch with the best",
        description='Which epoch is kept, by validation; "worst_group" uses group labels (an oracle).',
    )
    augment: bool = Field(
        default=True, title="Random crops and flips", description="Random crops and flips of the training images."
    )
    class_weights: bool = Field(
        default=False, title="Class weights", description="Weigh the loss by inverse class frequency."
    )
    momentum: Annotated[float, Shown(step=0.05, place="more")] = Field(
        default=0.9, ge=0, lt=1, title="Momentum", description="Momentum of SGD."
    )
    milestones: Annotated[tuple[NonNegativeInt, ...], Shown(place="nowhere")] = Field(
        default=(), title="Milestones", description="Epochs at which the learning rate is multiplied by gamma."
    )
    gamma: Annotated[float, Shown(step=0.05, place="more")] = Field(
        default=0.5, gt=0, le=1, title="Gamma", description="Factor of the learning rate at each milestone."
    )
    objective: Annotated[str, Shown(labels=_objectives)] = Field(
        default="erm", title="Objective", description="Name of the loss."
    )
    objective_options: dict[str, Any] = Field(
        default_factory=dict, validate_default=True, title="Objective options", description="Settings of the loss."
    )
    trainable: Annotated[Literal["all", "head"], Shown(place="nowhere", on_command_line=False, added_later=True)] = (
        Field(default="all", title="Trainable", description="Train everything, or the last layer alone by SGD.")
    )
    sampling: Annotated[Sampling, Shown(labels=SAMPLINGS, place="more", added_later=True)] = Field(
        default="shuffled", title="Sampling", description="How the images of an epoch are drawn."
    )
    patience: Annotated[int | None, Shown(place="more", default="never", added_later=True)] = Field(
        default=None,
        ge=1,
        le=10_000,
        title="Patience",
        description="Stop when the worst class on validation has not risen for a fifth of the epochs so far, "
        "and for at least so many; the epochs are then the most there can be.",
    )
    selection_options: Annotated[dict[str, Any], Shown(place="nowhere", added_later=True)] = Field(
        default_factory=dict,
        validate_default=True,
        title="Selection options",
        description=f"Of the selection {BY_ANSWERS}: campaign, whose answers about validation images are used.",
    )

    @field_validator("objective")
    @classmethod
    def _check_objective(cls, objective: str) -> str:
        if objective not in OBJECTIVES:
            raise ValueError(f"Input should be {' or '.join(map(repr, OBJECTIVES))}")
        return objective

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
            return checked_options(AnswersOf, given, f"The selection {selection}", "selection_options")
        if given:
            raise ValueError(f"They belong to the selection {BY_ANSWERS}: leave them out, or choose that selection")
        return given

    @field_validator("sampling")
    @classmethod
    def _check_sampling(cls, sampling: Sampling, about: ValidationInfo) -> Sampling:
        name = about.data.get("objective")
        asked = OBJECTIVES[name].sampling if name else None
        if asked is not None and sampling not in ("shuffled", asked):
            raise ValueError(f"The objective {name} draws {SAMPLINGS[asked]}: leave it out.")
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
        return self.lr * self.gamma ** sum(milestone <= epoch for milestone in self.milestones)

    def trained_with(self) -> dict[str, Any]:
        """Plain values of the fields above, also of a config with further ones: a checkpoint belongs to these."""
        plain = self.model_dump(mode="json", include=set(TrainConfig.model_fields))
        return {**plain, "trainable": self.trainable}
