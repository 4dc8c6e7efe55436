"""What a first training is proposed with here, by the devices of the workers, and how long it takes."""

from __future__ import annotations

from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING

from app import session
from slim_core.steps.train import recipes
from slim_core.steps.train.recipes import n_train

if TYPE_CHECKING:
    from slim_core.steps.train.recipes import Proposal
    from slim_core.store import Dataset, Store

RECENT = 20  # finished trainings whose pace says how long one takes
LOOKED_AT = 500  # the newest ones among which these are: `slim run` refits as many last layers within minutes


def proposal(dataset: Dataset) -> Proposal:
    """The model to begin with on this data set and these workers."""
    store = session.store()
    return recipes.proposal(store, dataset, has_gpu=store.workers.have_gpu())


def seconds(dataset: Dataset, model: str, n_epochs: int, n_images: int | None = None) -> float | None:
    """How long so many epochs take, by the pace of finished trainings of the model here; None before the first.

    ``n_images``: of an epoch; None: all training images.
    """
    store = session.store()
    newest = [run.id for run in store.runs.all(kind="train", status="done", limit=1, metrics=False)]
    paces = _paces(store, model, (*newest, store.runs.counts().get("done", 0)))
    return (n_images or n_train(dataset)) * n_epochs / median(paces) if paces else None


@lru_cache(maxsize=64)
def _paces(store: Store, model: str, done: tuple[str | int, ...]) -> tuple[float, ...]:  # noqa: ARG001
    """Images per second of the last trainings of a model; read anew once more is ``done``: pages ask each second."""
    runs = store.runs.all(kind="train", status="done", limit=LOOKED_AT, metrics=False)
    alike = [run.id for run in runs if run.spec["model"] == model and run.spec["mode"] == "full"][:RECENT]
    known = [metrics for run in map(store.runs.fetch, alike) if (metrics := run.metrics)]
    return tuple(each["images"] * each["epochs"] / each["seconds"] for each in known if each["seconds"] > 0)
