"""What a first training is proposed with here: by the devices of the workers, the images and their number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from PIL import Image

from app import session
from slim_core.errors import SlimError
from slim_core.models.names import SMALL_RESNET, is_custom
from slim_core.steps.recipes import default_model, recipe

if TYPE_CHECKING:
    from slim_core.store import Dataset

SMALL_PX = 96  # a side, up to which the small network sees all there is
STEPS = (
    760  # of the optimiser: those of the demo's recipe, 20 epochs of 2,400 images; with far fewer it has not learned
)
MOST_EPOCHS = 100
RECENT = 20  # finished trainings whose pace says how long one takes


@dataclass(frozen=True)
class Proposal:
    """``why``: one sentence."""

    model: str
    why: str


def proposal(dataset: Dataset) -> Proposal:
    """The model to begin with on this data set and these workers."""
    model = default_model(dataset)
    if is_custom(model):
        return Proposal(model, "This demo set is made for a pretrained network.")
    if not any(worker.device.startswith(("cuda", "mps")) for worker in session.store().workers.alive()):
        return Proposal(SMALL_RESNET, "No worker has a GPU: the small network trains on a CPU, from scratch.")
    side = _side(dataset.id)
    if side is not None and side <= SMALL_PX:
        return Proposal(SMALL_RESNET, f"The images have {side} pixels a side, which the small network sees in full.")
    return Proposal(model, f"A worker has a GPU: {model} with ImageNet weights.")


def epochs(dataset: Dataset, model: str) -> int:
    """Those of the recipe; of the small network more where there are few images, so that it takes enough steps."""
    config = recipe(model, "reference")
    if model != SMALL_RESNET:
        return config.epochs
    n_steps = max(1, math.ceil(n_train(dataset) / config.batch_size))
    return min(MOST_EPOCHS, max(config.epochs, math.ceil(STEPS / n_steps)))


def n_train(dataset: Dataset) -> int:
    """Training images."""
    return int(dataset.report["splits"].get("train", 0))


def seconds(dataset: Dataset, model: str, n_epochs: int, n_images: int | None = None) -> float | None:
    """How long so many epochs take, by the pace of finished trainings of the model here; None before the first.

    ``n_images``: of an epoch; None: all training images.
    """
    runs = session.store().runs.all(kind="train", status="done", limit=RECENT)
    known = [run.metrics for run in runs if run.metrics and run.spec["model"] == model and run.spec["mode"] == "full"]
    paces = [each["images"] * each["epochs"] / each["seconds"] for each in known if each["seconds"] > 0]
    return (n_images or n_train(dataset)) * n_epochs / median(paces) if paces else None


def _side(dataset: str) -> int | None:
    """The longer side of the first image in pixels, from its header; None where it cannot be read now."""
    try:
        return _read_side(dataset)
    except (OSError, SlimError):
        return None


@lru_cache(maxsize=32)
def _read_side(dataset: str) -> int:
    """Kept; what it raises is not: the disk may be back by the next call."""
    path: Path = session.store().datasets.table(dataset).image_path(0)
    with Image.open(path) as image:
        return max(image.size)
