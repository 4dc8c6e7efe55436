"""What runs came from, by the roles of their specs: the reference model, and the runs that hold attention maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core import result_files
from slim_core.errors import SpecRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slim_core.store import Run, Store

_UPWARDS = ("model", "attention", "space")  # what leads to a model, the nearest first


def reference_of(store: Store, run: Run) -> Run:
    """The model whose attention led to a subset, a space or a pass: curate -> space -> attention -> model.

    Raises:
        SpecRefusedError: it, or a run on the way to it, was deleted.
    """
    found = run
    while found.kind != "train":
        role = next(role for role in _UPWARDS if found.spec.get(role))
        above = store.runs.find(str(found.spec[role]))
        if above is None:
            raise SpecRefusedError(f"The {role} run behind {run.id} was deleted: curate again from another space.")
        found = above
    return found


def attention_of(store: Store, space: Run) -> Run | None:
    """The gradcam run a space was made from, or one of the same images, model and class of map; None without one."""
    attention, split = store.runs.fetch(space.spec["attention"]), space.spec["split"]
    if attention.kind == "gradcam":
        return attention
    for run in store.runs.all(kind="gradcam", status="done", dataset=space.dataset_id):
        same = all(run.spec[key] == attention.spec[key] for key in ("model", "class_of_map"))
        if same and split in run.spec["splits"]:
            return run
    return None


def maps_of(store: Store, evaluation: Run, runs: Iterable[Run]) -> str | None:
    """The run with maps of an evaluation's images: itself, or a finished gradcam run of its model among ``runs``."""
    model, split = evaluation.spec["model"], evaluation.spec["split"]
    passes = [
        run.id
        for run in runs
        if run.kind == "gradcam" and run.status == "done" and run.spec["model"] == model and split in run.spec["splits"]
    ]
    return next((run for run in (evaluation.id, *passes) if store.artifacts.has(run, result_files.MAPS)), None)


def runs_with_maps(store: Store, dataset: str) -> list[Run]:
    """Finished runs of a data set that kept attention maps, newest first."""
    found = [
        run
        for kind in ("gradcam", "evaluate")
        for run in store.runs.all(kind=kind, status="done", dataset=dataset, metrics=False)
        if store.artifacts.has(run.id, result_files.MAPS)
    ]
    return sorted(found, key=lambda run: run.created_at, reverse=True)
