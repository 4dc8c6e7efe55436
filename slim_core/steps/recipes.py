"""The training numbers of each model in each situation: the one place where they are written down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Training numbers that belong together."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    augment: bool
    milestones: tuple[int, ...] = ()
    gamma: float = 0.5
    class_weights: bool = False
    selection: str = "worst_class"


# (model family, situation) -> numbers. Situations: "reference" (all of train), "scratch" (a subset, from the first
# weights), "from-reference" (a subset, from the reference model), "last-layer" (the head only).
RECIPES: dict[tuple[str, str], Recipe] = {
    # The demo's network on its 64 px images, from scratch: seconds on two cores.
    ("small-resnet", "reference"): Recipe(
        20, 64, lr=0.05, weight_decay=5e-4, augment=False, milestones=(15,), gamma=0.2
    ),
    ("small-resnet", "scratch"): Recipe(60, 32, lr=0.05, weight_decay=5e-4, augment=False, milestones=(45,), gamma=0.2),
    ("small-resnet", "from-reference"): Recipe(
        30, 32, lr=0.03, weight_decay=5e-4, augment=False, milestones=(22,), gamma=0.2
    ),
    ("small-resnet", "last-layer"): Recipe(epochs=1, batch_size=64, lr=0.01, weight_decay=0.0, augment=False),
    # Photographs with ImageNet weights (METHOD.md S0, the numbers DFR and most Waterbirds papers use).
    ("photographs", "reference"): Recipe(epochs=100, batch_size=32, lr=1e-3, weight_decay=1e-3, augment=True),
    ("photographs", "scratch"): Recipe(epochs=100, batch_size=32, lr=1e-3, weight_decay=1e-3, augment=True),
    ("photographs", "from-reference"): Recipe(epochs=20, batch_size=32, lr=1e-3, weight_decay=1e-3, augment=True),
    ("photographs", "last-layer"): Recipe(epochs=1, batch_size=32, lr=1e-3, weight_decay=0.0, augment=False),
}


def recipe(model: str, situation: str) -> Recipe:
    """The numbers for a model name in a situation; every torchvision model counts as "photographs"."""
    return RECIPES["small-resnet" if model == "small-resnet" else "photographs", situation]


def default_model(data_format: str) -> str:
    """The model proposed for a data set: the demo's own network, else ResNet-50 with ImageNet weights."""
    return "small-resnet" if data_format == "demo" else "resnet50"
