"""From a curated subset to the models retrained on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions, evaluating
from slim_core.runs.loop_runs import retrain_spec
from slim_core.store.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.runs.loop_runs import Retrain
    from slim_core.store import Run


def retrain(
    subset: Run, way: Retrain, seed: int, *, name: str | None = None, fields: dict[str, Any] | None = None
) -> Run:
    """Queue a training on the subset and its evaluation (needs lead); the evaluation, which ends last."""
    reference = session.store().lineage.reference_of(subset)
    model = actions.saved(retrain_spec(reference, subset, way, seed, fields), name=name)
    return evaluating.evaluate(model, name=f"{model.name} on test")


def is_retrained(subset: Run) -> bool:
    """True where a model trained on the subset is finished or under way."""
    after = [run for run in session.store().runs.children(subset.id) if run.kind == "train"]
    return any(run.status not in UNFINISHED for run in after)
