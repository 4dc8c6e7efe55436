"""How to train, and on what: the hyper-parameters of one training, each written here once, and the images with repeats.

Class-balanced sampling is RWY of Idrissi et al., "Simple data balancing achieves competitive worst-group-accuracy"
(CLeaR 2022), group-balanced sampling their RWG: draws with replacement, as many as there are rows. Light: no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from slim_core import removed
from slim_core.data.groups import (
    GROUPS_IN_TRAINING,
    GROUPS_IN_VALIDATION,
    UNGROUPED,
    Grouping,
    LabelsUsed,
    no_attribute,
)
from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.metrics import AVERAGE, WGA, WORST_CLASS
from slim_core.models.names import SMALL_RESNET, is_custom
from slim_core.parameters import Config, Display, Seed, one_of, options_of_the_named
from slim_core.training.objectives import OBJECTIVES, SAMPLINGS, Sampling

if TYPE_CHECKING:
    from slim_core.models.inference import Pixels

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
        return options_of_the_named(OBJECTIVES, "objective", given, about)

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


# (model family, situation) -> hyper-parameters. Situations: "reference" (all of train), "scratch" (a subset, from the
# initial weights), "from-reference" (a subset, from the reference model), "last-layer" (the head only).
RECIPES: dict[tuple[str, str], TrainConfig] = {
    # The demo's network on its 64 px images, from scratch: seconds on two cores.
    ("small-resnet", "reference"): TrainConfig(
        epochs=20, batch_size=64, lr=0.05, weight_decay=5e-4, augmentation="none", schedule="step"
    ),
    ("small-resnet", "scratch"): TrainConfig(
        epochs=60, batch_size=32, lr=0.05, weight_decay=5e-4, augmentation="none", schedule="step"
    ),
    ("small-resnet", "from-reference"): TrainConfig(
        epochs=30, batch_size=32, lr=0.03, weight_decay=5e-4, augmentation="none", schedule="step"
    ),
    ("small-resnet", "last-layer"): TrainConfig(
        epochs=1, batch_size=64, lr=0.01, weight_decay=0.0, augmentation="none"
    ),
    # A network of one's own (package.module:function), taken to be pretrained; EfficientNet-Lite0 on the set pictures.
    ("pretrained", "reference"): TrainConfig(epochs=4, batch_size=32, lr=0.01, weight_decay=1e-4),
    ("pretrained", "scratch"): TrainConfig(epochs=15, batch_size=32, lr=0.01, weight_decay=1e-4),
    ("pretrained", "from-reference"): TrainConfig(epochs=12, batch_size=32, lr=0.003, weight_decay=1e-4),
    ("pretrained", "last-layer"): TrainConfig(epochs=1, batch_size=32, lr=1e-3, weight_decay=0.0, augmentation="none"),
    # Photographs with ImageNet weights (METHOD.md S0, the numbers DFR and most Waterbirds papers use).
    ("photographs", "reference"): TrainConfig(epochs=100, batch_size=32, lr=1e-3, weight_decay=1e-3),
    ("photographs", "scratch"): TrainConfig(epochs=100, batch_size=32, lr=1e-3, weight_decay=1e-3),
    ("photographs", "from-reference"): TrainConfig(epochs=20, batch_size=32, lr=1e-3, weight_decay=1e-3),
    ("photographs", "last-layer"): TrainConfig(epochs=1, batch_size=32, lr=1e-3, weight_decay=0.0, augmentation="none"),
}
# To convergence: the most epochs there can be, and the patience (slim_core.training.loop.has_converged).
CONVERGED: dict[str, dict[str, Any]] = {
    # From scratch, the shortcut alone is learned for the first 15 epochs or so: a shorter patience would end there.
    "small-resnet": {"epochs": 100, "patience": 20, "schedule": "constant"},
    "pretrained": {"epochs": 12, "patience": 3},
    "photographs": {"epochs": 300, "patience": 10},
}
# Of JTT: (epochs of the first training, how often its errors are repeated), of which validation chooses.
JTT_GRIDS: dict[str, tuple[tuple[int, int], ...]] = {
    "small-resnet": ((5, 10), (15, 5)),
    "pretrained": ((1, 10), (2, 5)),
    "photographs": ((1, 50), (60, 100)),
}
# Of CnC, the ERM whose predictions stand for the attribute: regularised so strongly that it takes the shortcut.
REGULARISED: dict[str, dict[str, Any]] = {
    "small-resnet": {"epochs": 5, "weight_decay": 0.01, "selection": "last"},
    "pretrained": {"epochs": 1, "weight_decay": 0.01, "selection": "last"},
    "photographs": {"lr": 1e-4, "weight_decay": 1.0, "selection": "last"},
}
OF_A_RECIPE = frozenset(name for recipe in RECIPES.values() for name in recipe.model_fields_set)


def recipe(model: str, situation: str) -> TrainConfig:
    """The hyper-parameters for a model name in a situation; all published models count as "photographs"."""
    return RECIPES[_family(model), situation]


def to_convergence(model: str) -> dict[str, Any]:
    """Fields of TrainConfig that train all of train until the worst class on validation rises no more."""
    return CONVERGED[_family(model)]


def jtt_grid(model: str) -> tuple[tuple[int, int], ...]:
    """(epochs of the first training, repeats of its errors) that JTT tries."""
    return JTT_GRIDS[_family(model)]


def regularised(model: str) -> dict[str, Any]:
    """Fields of TrainConfig of an ERM that is to make the errors of the shortcut."""
    return REGULARISED[_family(model)]


def _family(model: str) -> str:
    if model == SMALL_RESNET:
        return model
    return "pretrained" if is_custom(model) else "photographs"


@dataclass(frozen=True, eq=False)
class TrainData:
    """Rows of a table, and what is known of them."""

    table: ImageTable  # N images
    rows: np.ndarray  # (n,) positions to train on
    val_rows: np.ndarray  # positions the best epoch is chosen on; empty: the last epoch is kept
    grouping: Grouping  # groups of all N images, for the metrics (and for objectives that say they use groups)
    counts: np.ndarray | None = None  # (n,) how often each is seen in an epoch; None: once
    pixels: Pixels | None = None  # images already decoded under the model's transform; trainings may share them
    cells: np.ndarray | None = None  # (N,) of the objective: its epochs draw each equally often; None: by the config

    def repeated(self) -> np.ndarray:
        """(sum of counts,) int64: each row as often as it is seen in an epoch."""
        rows = np.asarray(self.rows, np.int64)
        return rows if self.counts is None else np.repeat(rows, np.asarray(self.counts, np.int64))

    def every_row(self) -> np.ndarray:
        """Rows of all images that a training may read, in no order, some more than once."""
        return np.concatenate([self.rows, self.val_rows])

    def check(self, n_classes: int) -> None:
        """Refuse what a model of so many classes cannot be trained on.

        Raises:
            SpecRefusedError: the data set has another number of classes, or one of them has no image to train on.
        """
        table = self.table
        if n_classes != table.n_classes:
            raise SpecRefusedError(
                f"The model has {n_classes} classes and {table.name} has {table.n_classes}: build it for this data set."
            )
        seen = np.bincount(table.labels[self.repeated()], minlength=table.n_classes)
        missing = [table.label_names[c] for c in np.flatnonzero(seen == 0)]
        if missing:
            raise SpecRefusedError(
                f"The {len(self.rows)} training images hold none of the class {', '.join(missing)}: "
                f"choose images of every class."
            )

    def check_groups(self) -> None:
        """Refuse what cannot be trained on group by group; a group without an image to train on does not count.

        Raises:
            SpecRefusedError: the data set has no attribute, or a class has no image to train on whose group is known.
        """
        if self.grouping.estimated:
            raise no_attribute(self.table, "This training", "objective and sampling")
        known = self.rows[self.grouping.index[self.rows] != UNGROUPED]
        if missing := self.table.classes_without(known):
            raise SpecRefusedError(
                f"This training uses group labels, but of the {len(self.rows)} training images none whose group is "
                f"known is of the class {', '.join(missing)}: complete the attribute column, or choose other images, "
                f"or another objective and sampling."
            )

    def groups_left_out(self) -> tuple[str, ...]:
        """Names of the groups that have no image to train on: some pairs of class and attribute cannot occur."""
        return self.grouping.lacking(self.rows)


def epoch_order(cell: np.ndarray | None, n: int, seed: int, epoch: int) -> np.ndarray:
    """(n,) int64 positions in 0..n-1 in the order an epoch sees them; (seed, epoch) decide it.

    Args:
        cell: (n,) class or group of each row; every cell is drawn equally often, UNGROUPED never. None: a permutation.
        n: rows of an epoch, repeats included.
        seed: of the training.
        epoch: 0-based.
    """
    random = np.random.default_rng([seed, epoch])
    if cell is None:
        return random.permutation(n)
    return random.choice(n, n, p=equal_shares(cell))


def equal_shares(cell: np.ndarray) -> np.ndarray:
    """(n,) probabilities that give each cell with rows the same total, UNGROUPED none."""
    known = cell != UNGROUPED
    _, place, counts = np.unique(cell[known], return_inverse=True, return_counts=True)
    shares = np.zeros(len(cell))
    shares[known] = 1 / (len(counts) * counts[place])
    return shares
