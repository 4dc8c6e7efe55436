"""The hyper-parameters of each model in each situation: partial configs, the one place where they are written down."""

from __future__ import annotations

from slim_core.training.config import TrainConfig

# (model family, situation) -> hyper-parameters. Situations: "reference" (all of train), "scratch" (a subset, from the
# initial weights), "from-reference" (a subset, from the reference model), "last-layer" (the head only).
RECIPES: dict[tuple[str, str], TrainConfig] = {
    # The demo's network on its 64 px images, from scratch: seconds on two cores.
    ("small-resnet", "reference"): TrainConfig(
        epochs=20, batch_size=64, lr=0.05, weight_decay=5e-4, augment=False, milestones=(15,), gamma=0.2
    ),
    ("small-resnet", "scratch"): TrainConfig(
        epochs=60, batch_size=32, lr=0.05, weight_decay=5e-4, augment=False, milestones=(45,), gamma=0.2
    ),
    ("small-resnet", "from-reference"): TrainConfig(
        epochs=30, batch_size=32, lr=0.03, weight_decay=5e-4, augment=False, milestones=(22,), gamma=0.2
    ),
    ("small-resnet", "last-layer"): TrainConfig(epochs=1, batch_size=64, lr=0.01, weight_decay=0.0, augment=False),
    # Photographs with ImageNet weights (METHOD.md S0, the numbers DFR and most Waterbirds papers use).
    ("photographs", "reference"): TrainConfig(epochs=100, batch_size=32, lr=1e-3, weight_decay=1e-3, augment=True),
    ("photographs", "scratch"): TrainConfig(epochs=100, batch_size=32, lr=1e-3, weight_decay=1e-3, augment=True),
    ("photographs", "from-reference"): TrainConfig(epochs=20, batch_size=32, lr=1e-3, weight_decay=1e-3, augment=True),
    ("photographs", "last-layer"): TrainConfig(epochs=1, batch_size=32, lr=1e-3, weight_decay=0.0, augment=False),
}
OF_A_RECIPE = frozenset(name for recipe in RECIPES.values() for name in recipe.model_fields_set)


def recipe(model: str, situation: str) -> TrainConfig:
    """The hyper-parameters for a model name in a situation; every torchvision model counts as "photographs"."""
    return RECIPES["small-resnet" if model == "small-resnet" else "photographs", situation]


def default_model(data_format: str) -> str:
    """The model proposed for a data set: the demo's own network, else ResNet-50 with ImageNet weights."""
    return "small-resnet" if data_format == "demo" else "resnet50"
