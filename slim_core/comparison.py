"""Evaluations side by side: one flat row each, for a table, a chart or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slim_core.metrics import ADJUSTED, AIOU, ATTENTION_PRECISION, AVERAGE, GROUPS, WGA, WORST_CLASS

if TYPE_CHECKING:
    from slim_core.store import Run, Store

NUMBERS = (WGA, AVERAGE, ADJUSTED, WORST_CLASS, AIOU, ATTENTION_PRECISION)


def row(store: Store, evaluation: Run) -> dict[str, Any]:
    """A finished evaluate run: what was judged, each metric, each group's accuracy, and what the model cost.

    Keys: evaluation, model, method, seed, the names in NUMBERS, "group NAME" each, images, answers, seconds.
    """
    metrics = evaluation.metrics or {}
    model = store.runs.fetch(evaluation.spec["model"])
    subset = store.runs.fetch(model.spec["subset"]) if model.spec.get("subset") else None
    chosen = (subset or model).metrics or {}
    found: dict[str, Any] = {
        "evaluation": evaluation.id,
        "model": model.id,
        "method": method_of(model, subset),
        "split": evaluation.spec["split"],
        "seed": model.spec["seed"],
        **{key: metrics.get(key) for key in NUMBERS},
    }
    found |= {f"group {group['name']}": group["accuracy"] for group in metrics.get(GROUPS, ())}
    costs = {"images": chosen.get("images"), "answers": chosen.get("answers", 0)}
    return found | costs | {"seconds": model.seconds}


def method_of(model: Run, subset: Run | None) -> str:
    """ERM, or the strategy that chose the subset and how the model was retrained on it."""
    if subset is None:
        return str(model.spec.get("objective", "erm"))
    how = "last layer" if model.spec.get("mode") == "last-layer" else f"from {model.spec.get('start', 'scratch')}"
    return f"{subset.spec['strategy']}, {how}"
