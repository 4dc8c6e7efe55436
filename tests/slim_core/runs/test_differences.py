"""What changed between two runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from slim_core.runs.details import differences, flat
from slim_core.store import Run

FIRST = Run(
    "r-aaaaaaaaaa", "train", "a", "done", {"kind": "train", "dataset": "d-1", "lr": 0.1, "reference": None}, "d-1",
    "ada", datetime(2026, 1, 1, tzinfo=UTC), metrics={"val": {"wga": 0.5, "average": 0.9}, "images": 480},
    device="cpu", code_version="0.1.0/0002 abc", seconds=10.0,
)  # fmt: skip


def told(second: Run, *environments: dict[str, Any]) -> dict[str, tuple[str, Any, Any, float | None]]:
    found = differences(FIRST, second, environments or ({}, {}))
    return {one.name: (one.sort, one.first, one.second, one.change) for one in found}


def test_a_run_differs_in_nothing_from_itself() -> None:
    assert differences(FIRST, FIRST) == []


def test_parameters_inputs_code_and_results_are_told_apart_and_in_this_order() -> None:
    spec = FIRST.spec | {"lr": 0.2, "reference": "r-bbbbbbbbbb", "start": "reference"}
    metrics = {"val": {"wga": 0.75, "average": 0.9}, "images": 480}
    found = told(replace(FIRST, spec=spec, metrics=metrics, code_version="0.2.0/0002", device="cuda", seconds=4.0))
    assert found == {
        "reference": ("input", None, "r-bbbbbbbbbb", None),
        "lr": ("parameter", 0.1, 0.2, 0.1),
        "start": ("parameter", None, "reference", None),
        "code_version": ("code and machine", "0.1.0/0002 abc", "0.2.0/0002", None),
        "device": ("code and machine", "cpu", "cuda", None),
        "val.wga": ("result", 0.5, 0.75, 0.25),
        "seconds": ("result", 10.0, 4.0, -6.0),
    }
    assert list(found) == ["reference", "lr", "start", "code_version", "device", "val.wga", "seconds"]


def test_versions_of_packages_are_compared_where_both_are_known() -> None:
    environments = ({"python": "3.11", "packages": {"torch": "2.1", "numpy": "2"}}, {"python": "3.12", "packages": {}})
    assert told(FIRST, *environments)["torch"] == ("code and machine", "2.1", None, None)
    assert told(FIRST, *environments)["python"][1:3] == ("3.11", "3.12")


def test_a_run_without_metrics_lacks_them() -> None:
    assert told(replace(FIRST, metrics=None))["val.wga"] == ("result", 0.5, None, None)


def test_nested_metrics_are_flattened_by_name() -> None:
    groups = [{"name": "bird on land", "accuracy": 0.4, "n": 7}]
    assert flat({"groups": groups, "confusion": [[1, 2]], "n": 3, "val": {"groups": groups}}) == {
        "bird on land accuracy": 0.4,
        "n": 3,
        "val.bird on land accuracy": 0.4,
    }
