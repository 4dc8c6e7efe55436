"""Saving the evaluation of a model: with the groups of its data set, or with estimated ones where it names none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions
from app.services.results.comparison import compared_on, estimates_groups
from slim_core.runs.baselines import best_on_validation

if TYPE_CHECKING:
    from slim_core.store import Run


def save(model: Run, *, split: str | None = None, force: bool = False, name: str | None = None, **fields: Any) -> Run:
    """Save the evaluation of a model (needs lead); ``actions.wake`` starts it.

    ``split``: None: the one that models are compared on; ``fields``: of EvaluateSpec.

    Without attributes the groups are class x environment, found in the attention of the reference model on that split:
    its pass and its space are saved before, where they are not there yet. All models of one reference share them.
    """
    split = split or compared_on(session.store().datasets.fetch(model.dataset_id))
    spec = {"kind": "evaluate", "dataset": model.dataset_id, "model": model.id, "split": split, **fields}
    return actions.save(spec | {"space": space_of_groups(model, split)}, force=force, name=name)[0]


def save_on_groups_of(other: Run, model: Run) -> Run:
    """Save the evaluation of a model on the images and in the estimated groups of another's (needs lead)."""
    split, space = other.spec["split"], other.spec.get("space")
    spec = {"kind": "evaluate", "dataset": model.dataset_id, "model": model.id, "split": split, "space": space}
    return actions.save(spec, name=f"{model.name} on {split}" if model.name else None)[0]


def attention_pass(reference: Run, *splits: str) -> Run:
    """The oldest finished pass of a model over these splits, whose clusters stay the groups; saved where missing."""
    passes = session.store().lineage.finished_passes(reference.dataset_id, {"model": reference.id})[::-1]
    covering = [one for one in passes if set(splits) <= set(one.spec["splits"])]
    asked = {"kind": "gradcam", "dataset": reference.dataset_id, "model": reference.id}
    return covering[0] if covering else actions.save(asked)[0]


def counts(evaluation: Run) -> bool:
    """False for one by class alone, as of `slim evaluate` without a space, where groups can be estimated."""
    dataset = session.store().datasets.fetch(evaluation.dataset_id)
    return evaluation.spec.get("space") is not None or not estimates_groups(dataset, evaluation.spec["split"])


def space_of_groups(model: Run, split: str) -> str | None:
    """The space run whose clusters are the environments of a split, saved where it is missing.

    None where the data set has attributes, or has too few images there.
    """
    if not estimates_groups(session.store().datasets.fetch(model.dataset_id), split):
        return None
    attention = attention_pass(reference_of(model), split)
    asked = {"kind": "space", "dataset": model.dataset_id, "attention": attention.id, "split": split}
    return actions.save(asked)[0].id


def reference_of(model: Run) -> Run:
    """The model whose attention led to the subset that this one was trained on, or from which it started; or itself.

    Where that was retrained from another, the first of them: a second round is counted in the groups of the first.
    """
    store = session.store()
    if subset := model.spec.get("subset"):
        return reference_of(store.lineage.reference_of(store.runs.fetch(subset)))
    start = model.spec.get("reference")
    return reference_of(store.runs.fetch(start)) if start else model


def passed_over(waiting: Sequence[Run], evaluated: Sequence[Run]) -> list[Run]:
    """Models that were trained to choose the settings of JTT by validation, which prefers an evaluated one.

    As `slim run` makes them: it evaluates the one that is chosen, and nobody the others.

    Args:
        waiting: models of one data set without an evaluation.
        evaluated: others of it, which have one.
    """
    beside = {run.id: [one.id for one in evaluated if _alike(one) == _alike(run)] for run in waiting if _is_jtt(run)}
    if not any(beside.values()):
        return []
    known = {run.id: run for run in session.store().runs.all(kind="train", dataset=waiting[0].dataset_id)}
    tried = {run: [known[one] for one in [*others, run] if one in known] for run, others in beside.items() if others}
    left = {run for run, every in tried.items() if best_on_validation(every).id != run}
    return [run for run in waiting if run.id in left]


def _is_jtt(run: Run) -> bool:
    return run.spec.get("objective") == "jtt"


def _alike(run: Run) -> dict[str, Any]:
    """What the trainings have in common of which JTT chooses one."""
    return {name: value for name, value in run.spec.items() if name != "objective_options"}
