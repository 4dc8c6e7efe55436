"""What a first training is proposed with here, by the devices of the workers, and how long it takes."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from app import session
from slim_core.steps import first_training
from slim_core.steps.first_training import n_train

if TYPE_CHECKING:
    from slim_core.steps.first_training import Proposal
    from slim_core.store import Dataset

RECENT = 20  # finished trainings whose pace says how long one takes


def proposal(dataset: Dataset) -> Proposal:
    """The model to begin with on this data set and these workers."""
    store = session.store()
    return first_training.proposal(store, dataset, has_gpu=store.workers.have_gpu())


def seconds(dataset: Dataset, model: str, n_epochs: int, n_images: int | None = None) -> float | None:
    """How long so many epochs take, by the pace of finished trainings of the model here; None before the first.

    ``n_images``: of an epoch; None: all training images.
    """
    runs = session.store().runs.all(kind="train", status="done", limit=RECENT)
    known = [run.metrics for run in runs if run.metrics and run.spec["model"] == model and run.spec["mode"] == "full"]
    paces = [each["images"] * each["epochs"] / each["seconds"] for each in known if each["seconds"] > 0]
    return (n_images or n_train(dataset)) * n_epochs / median(paces) if paces else None
