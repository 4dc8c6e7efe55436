"""What stands beside a result: the other seeds of its recipe, and the random subset of its size."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pandas as pd

from app.services.loop_state import Loop, Result
from app.services.results import evidence
from slim_core.evaluation.ancestry import Ancestry
from slim_core.store import Run

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run(name: str, kind: str, spec: dict[str, Any], wga: float | None = None) -> Run:
    metrics = None if wga is None else {"wga": wga}
    return Run(name, kind, name, "done", spec, "d", "ada", NOW, metrics=metrics)


REFERENCE = run("first", "train", {"model": "small-resnet", "seed": 0})
BEFORE = run("before", "evaluate", {"split": "test", "model": "first"}, 0.5)


def pair(
    name: str, wga: float, seed: int = 0, strategy: str = "slim", size: int = 48, start: str = "reference"
) -> Result:
    subset = run(f"subset-{name}", "curate", {"strategy": strategy, "size": size, "reference": "first"})
    of_model = {"seed": seed, "mode": "full", "start": start, "epochs": 30, "subset": subset.id}
    model = run(f"model-{name}", "train", of_model)
    return Result(REFERENCE, BEFORE, subset, model, run(name, "evaluate", {"split": "test", "model": model.id}, wga))


def of_another_reference(name: str, before: float, after: float) -> Result:
    one = pair(name, after, seed=1)
    reference = run("another", "train", REFERENCE.spec | {"seed": 1})
    subset = run(one.subset.id, "curate", one.subset.spec | {"reference": "another"})
    was = run("before another", "evaluate", {"split": "test", "model": "another"}, before)
    return replace(one, reference=reference, before=was, subset=subset)


def facts(result: Result, *others: Result) -> evidence.Facts:
    results = (result, *others)
    known = {one.id: one for pair in results for one in (pair.before, pair.after) if one}
    ancestry = Ancestry(one for pair in results for one in (pair.reference, pair.subset, pair.model) if one)
    compared = SimpleNamespace(evaluations=known, ancestry=ancestry)
    return evidence.of(Loop((), None, result.before, result.after, result, results), compared)


def test_each_training_of_the_recipe_is_a_pair_and_no_other_recipe() -> None:
    found = facts(pair("one", 0.8), of_another_reference("two", 0.4, 0.7), pair("scratch", 0.9, start="scratch"))
    assert sorted(found.pairs) == [(0.4, 0.7), (0.5, 0.8)]
    assert facts(pair("one", 0.8), pair("other seed of one reference", 0.7, seed=1)).pairs == ((0.5, 0.75),)


def test_the_random_subset_is_as_large_and_retrained_the_same_way() -> None:
    found = facts(
        pair("slim", 0.8),
        pair("random", 0.6, strategy="random"),
        pair("larger", 0.7, strategy="random", size=96),
        pair("scratch", 0.2, strategy="random", start="scratch"),
    )
    assert found.random == (0.6,)


def test_a_reference_without_a_pair_has_no_facts() -> None:
    assert facts(Result(REFERENCE)) == evidence.Facts()


def of_one_estimated_group(accuracy: float) -> dict[str, Any]:
    counts = {"n": 100, "correct": int(100 * accuracy), "low": accuracy - 0.05, "high": accuracy + 0.05}
    group = {"group": 0, "name": "cat, environment 0 (test)", "accuracy": accuracy, **counts}
    return {"estimated_groups": True, "average": 0.9, "wga": accuracy, "groups": [group]}


def test_no_verdict_across_evaluations_that_count_other_groups() -> None:
    before, after = (
        replace(
            run(name, "evaluate", {"split": "test", "model": "m", "space": space}), metrics=of_one_estimated_group(wga)
        )
        for name, space, wga in (("before", "space-1", 0.2), ("after", "space-2", 0.9))
    )
    rows = pd.DataFrame([{"answers": 0, "images": 48, "spent": ""}], index=[after.id])
    known = {before.id: before, after.id: after}
    compared = SimpleNamespace(evaluations=known, ancestry=Ancestry(known.values()), rows=rows)
    result = Result(REFERENCE, before, None, None, after)
    found = evidence.verdict(Loop((), None, before, after, result, (result,)), compared)
    assert found is not None and found.better is None
    assert "different estimated groups" in found.text
