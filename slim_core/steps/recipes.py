"""The hyper-parameters of each model in each situation, and what a first training on a data set is proposed with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from slim_core.errors import SlimError
from slim_core.models import names
from slim_core.models.names import DEFAULT_MODEL, SMALL_RESNET, is_custom
from slim_core.training.config import TrainConfig

if TYPE_CHECKING:
    from slim_core.store import Dataset, Store

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


def default_model(dataset: Dataset) -> str:
    """The model proposed for a data set: the one a demo set is made for, else ResNet-50 with ImageNet weights."""
    if dataset.format == "demo":
        return dataset.report.get("model") or SMALL_RESNET
    return DEFAULT_MODEL


SMALL_PX = 96  # a side, up to which the small network sees all there is
SMALL_PROBE = "resnet18"  # the pretrained network where the small one would be trained: its last layer fits on a CPU
STEPS = 760  # of the optimiser: those of the demo's recipe, 20 epochs of 2,400 images; with far fewer it is untrained
MOST_EPOCHS = 100
_PRETRAINED = ("checkpoint", "weights")  # fields of TrainSpec that no network has which begins from scratch


@dataclass(frozen=True)
class Proposal:
    """``why``: one sentence."""

    model: str
    why: str

    @property
    def probe(self) -> str:
        """The pretrained network of which only a last layer is trained."""
        return SMALL_PROBE if self.model == SMALL_RESNET else self.model


def proposal(store: Store, dataset: Dataset, *, has_gpu: bool) -> Proposal:
    """The model to begin with on this data set. ``has_gpu``: whether what trains it has one."""
    model = default_model(dataset)
    if is_custom(model):
        return Proposal(model, "This demo set needs a pretrained network.")
    if not has_gpu:
        return Proposal(SMALL_RESNET, "No worker has a GPU: the small network trains on a CPU from scratch.")
    side = _side(store, dataset.id)
    if side is not None and side <= SMALL_PX:
        return Proposal(SMALL_RESNET, f"The images have {side} pixels a side, which fit the small network.")
    return Proposal(model, f"A worker has a GPU: {model} with ImageNet weights.")


def model_for(store: Store, dataset: Dataset, fields: Mapping[str, Any], *, has_gpu: bool) -> str:
    """The model of a training with these fields of TrainSpec, of which none names it."""
    if any(fields.get(name) not in (None, "none") for name in _PRETRAINED):
        return default_model(dataset)
    found = proposal(store, dataset, has_gpu=has_gpu)
    return found.probe if fields.get("mode") == "last-layer" else found.model


def epochs_for(dataset: Dataset, model: str, weights: str | None = None) -> int:
    """Those of the recipe; from scratch more where there are few images, so that it takes enough steps.

    ``weights``: as of TrainSpec. The recipe of a network of one's own takes it to be pretrained, where none says
    otherwise; published ones have epochs enough.
    """
    config = recipe(model, "reference")
    if model != SMALL_RESNET and not (is_custom(model) and weights == "none"):
        return config.epochs
    n_steps = max(1, math.ceil(n_train(dataset) / config.batch_size))
    return min(MOST_EPOCHS, max(config.epochs, math.ceil(STEPS / n_steps)))


def n_train(dataset: Dataset) -> int:
    """Training images."""
    return int(dataset.report["splits"].get("train", 0))


def _side(store: Store, dataset: str) -> int | None:
    """The longer side of the first image in pixels, from its header; None where it cannot be read now."""
    try:
        return _read_side(store.datasets.table(dataset).image_path(0))
    except (OSError, SlimError):
        return None


@lru_cache(maxsize=32)
def _read_side(path: Path) -> int:
    """Kept; what it raises is not: the disk may be back by the next call."""
    with Image.open(path) as image:
        return max(image.size)


def usual_name(model: str, dataset: Dataset) -> str:
    """What a model that was trained on all of a data set is called where nobody names it."""
    return names.usual_name(model, dataset.name)
