"""From a curated subset to the models retrained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions
from app.services.queueing import evaluating
from app.services.results.comparison import compared_on
from slim_core.runs.trainings import retrained_name, usual_retraining
from slim_core.training.config import TrainConfig
from slim_core.training.last_layer.config import RefitConfig

if TYPE_CHECKING:
    from slim_core.runs.trainings import Retrain
    from slim_core.steps.specs import Spec, TrainSpec
    from slim_core.store import Run


def save(
    subset: Run, way: Retrain | None, seed: int, *, name: str | None = None, fields: dict[str, Any] | None = None
) -> Run:
    """Save a training on the subset and its evaluation (needs lead); the evaluation, which ends last.

    ``way``: None: the usual one of its reference.
    """
    model = save_model(subset, way, seed, name=name, fields=fields)
    split = compared_on(session.store().datasets.fetch(model.dataset_id))
    return evaluating.save(model, split=split, name=f"{model.name} on {split}")


def save_model(
    subset: Run, way: Retrain | None, seed: int, *, name: str | None = None, fields: dict[str, Any] | None = None
) -> Run:
    """The training alone (needs lead)."""
    spec = _spec(subset, way, seed, fields)
    return actions.save(spec, name=name or retrained_name(spec, subset))[0]


def is_done(subset: Run, way: Retrain, seed: int, *, fields: dict[str, Any] | None = None) -> bool:
    """Whether the model that ``save`` would train is there already."""
    return finished(_spec(subset, way, seed, fields)) is not None


def finished(spec: Spec) -> Run | None:
    """The finished run of a step, which saving it again would give."""
    same = session.store().runs.find_same(spec)
    return same if same is not None and same.status == "done" else None


def _spec(subset: Run, way: Retrain | None, seed: int, fields: dict[str, Any] | None) -> TrainSpec:
    return usual_retraining(session.store(), subset, way=way, seed=seed, fields=fields)


def trained_by(model: Run) -> dict[str, Any]:
    """The fields of its spec by which a model was trained, but for its seed; of a last layer, by which it was fitted.

    The hyper-parameters of a training have no effect on a last layer, and may differ.
    """
    is_last_layer = model.spec["mode"] == "last-layer"
    names = {*RefitConfig.model_fields, "selection"} if is_last_layer else {*TrainConfig.model_fields} - {"seed"}
    return {name: value for name, value in model.spec.items() if name in names}


def evaluated(subset: Run) -> Run | None:
    """The newest finished evaluation of a model that was trained on the subset."""
    runs = session.store().runs
    models = [run for run in runs.children(subset.id) if run.kind == "train"]
    found = [one for model in models for one in runs.children(model.id) if one.kind == "evaluate"]
    return max((one for one in found if one.status == "done"), key=lambda one: one.created_at, default=None)
