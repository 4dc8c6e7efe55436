"""The spaces of two models side by side: which, of one split, in the groups of the first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pandas as pd
import pytest

from slim_core.evaluation import predictions
from slim_core.evaluation.comparison import Ancestry
from slim_core.evaluation.predictions import spaces_of
from slim_core.evaluation.report import collect, render
from slim_core.steps.specs import parse_spec

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(name, at=0, kind="space", status="done", **spec):
    return SimpleNamespace(id=name, kind=kind, status=status, spec=spec, created_at=START + timedelta(hours=at))


def test_both_models_show_a_space_of_the_same_split_the_newest_of_it() -> None:
    passes = [run(f"maps-{model}", kind="gradcam", model=model) for model in ("a", "b", "c")]
    spaces = [
        run("a-train", attention="maps-a", split="train"),
        run("a-test", attention="maps-a", split="test"),
        run("b-old", 1, attention="maps-b", split="test"),
        run("b-new", 2, attention="maps-b", split="test"),
        run("b-failed", 3, attention="maps-b", split="train", status="failed"),
        run("lost", 4, attention="maps-of-a-deleted-pass", split="train"),
    ]
    named = [[space and space.id for space in spaces_of([*passes, *spaces], models)]
             for models in (["a", "b"], ["a"], ["b", "c"], ["a", "c"])]  # fmt: skip
    assert named == [["a-test", "b-new"], ["a-train"], ["b-new", None], ["a-train", None]]


@pytest.fixture(scope="module")
def retrained_space(looped):
    """A space of the model that was retrained on the answers."""
    after = looped.outcomes["slim"].evaluation
    common = {"dataset": looped.dataset.id, "split": "train"}
    maps = looped.at.run(parse_spec({"kind": "gradcam", "dataset": common["dataset"], "model": after.spec["model"]}))
    return looped.at.run(parse_spec({"kind": "space", "attention": maps.id, **common}))


def test_estimated_groups_are_those_of_the_first_space_in_both(monkeypatch) -> None:
    frames = {
        "before": pd.DataFrame({"row": [3, 4, 5], "group": ["bird, 0", "bird, 1", "boat, 0"]}),
        "after": pd.DataFrame({"row": [5, 3, 9], "group": ["boat, 7", "bird, 7", "boat, 7"]}),
    }
    monkeypatch.setattr(predictions, "space_frame", lambda _store, name: frames[name])
    before, after = predictions.compared_frames(None, ["before", "after"])
    assert before["group"].tolist() == frames["before"]["group"].tolist()
    assert after["group"].tolist() == ["boat, 0", "bird, 0", "unknown"]


@pytest.mark.slow
def test_the_report_shows_both_spaces_or_says_how_to_get_the_other(looped, retrained_space) -> None:
    store, shown = looped.at.store, [looped.outcomes[name].evaluation for name in ("erm", "slim")]
    ancestry = Ancestry.read(store, looped.dataset.id)
    chart = collect(store, shown, shown[0].id, ancestry=ancestry).charts[-1]
    assert "before and after" in chart.title and "yet" not in chart.note
    n = len(store.datasets.table(looped.dataset.id).rows("train"))
    panels = {trace.xaxis for trace in chart.figure.data}
    assert panels == {"x", "x2"} and sum(len(trace.x) for trace in chart.figure.data) == 2 * n
    without = Ancestry([one for one in ancestry.runs.values() if one.id != retrained_space.id])
    report = collect(store, shown, shown[0].id, ancestry=without)
    name = report.rows.at[shown[1].id, "label"]
    assert f"no space of {name} yet" in report.charts[-1].note
    assert {trace.xaxis for trace in report.charts[-1].figure.data} == {"x"}
    assert f"no space of {name}" in render(report)
