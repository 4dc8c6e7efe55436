"""What a first training is proposed with, on pages and by commands: by the data, its size and the devices."""

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
from slim_core.models.names import SMALL_RESNET, is_custom
from slim_core.steps.train.recipes import default_model, recipe

if TYPE_CHECKING:
    from slim_core.store import Dataset, Store

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
