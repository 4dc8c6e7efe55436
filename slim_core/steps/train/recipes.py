"""The hyper-parameters of each model in each situation: partial configs, the one place where they are written down."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slim_core.data.sets import made_for
from slim_core.models.names import DEFAULT_MODEL, SMALL_RESNET, is_custom
from slim_core.training.config import TrainConfig

if TYPE_CHECKING:
    from slim_core.store import Dataset

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
# To convergence: the most epochs there can be, and the patience (slim_core.training.patience).
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


def default_model(dataset: Dataset) -> str:
    """The model proposed for a data set: the one a demo set is made for, else ResNet-50 with ImageNet weights."""
    if dataset.format == "demo":
        return made_for(Path(dataset.root)) or SMALL_RESNET
    return DEFAULT_MODEL
