"""What a first training is proposed with here: by the devices of the workers, the images and their number."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from app import session
from slim_core.models.names import SMALL_RESNET
from slim_core.steps import first_training
from slim_core.steps.recipes import recipe

if TYPE_CHECKING:
    from slim_core.steps.first_training import Proposal
    from slim_core.store import Dataset

STEPS = (
    760  # of the optimiser: those of the demo's recipe, 20 epochs of 2,400 images; with far fewer it has not learned
)
MOST_EPOCHS = 100
RECENT = 20  # finished trainings whose pace says how long one takes


def proposal(dataset: Dataset) -> Proposal:
    """The model to begin with on this data set and these workers."""
    store = session.store()
    return first_training.proposal(store, dataset, has_gpu=store.workers.have_gpu())


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
