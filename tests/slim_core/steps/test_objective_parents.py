"""An objective that rests on an earlier run: its link, what it repeats, and that both survive a resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from slim_core.data.importing import import_data
from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.evaluation.comparison import Ancestry
from slim_core.models.build import load_model
from slim_core.models.inference import predict
from slim_core.parameters import Config
from slim_core.runs.executor import Workbench
from slim_core.steps import train
from slim_core.steps.specs import parse_spec
from slim_core.steps.train import _found_once, repeated
from slim_core.store import Dataset, Run
from slim_core.training.objectives import OBJECTIVES, Erm


class EarlierOptions(Config):
    """Settings of the loss below."""

    rests_on: str = Field(title="Rests on", description="A train run.")


class Contrary(Erm):
    """Sees what the earlier run calls class 1 three times."""

    label = "Contrary"
    Options = EarlierOptions

    @classmethod
    def parents(cls, options):
        return {"earlier": options["rests_on"]}

    @classmethod
    def repeats(cls, options, labels, predicted):
        del labels
        return np.where(predicted(options["rests_on"]) == 1, 3, 1)


@pytest.fixture(autouse=True)
def contrary(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(OBJECTIVES, "contrary", Contrary)
    yield


@pytest.fixture
def dataset(workbench: Workbench, small_demo: Path) -> Dataset:
    return workbench.store.datasets.register(import_data(small_demo))


def spec(dataset: Dataset, **fields: Any):
    return parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet", "epochs": 1, **fields})


def on(dataset: Dataset, run: str, seed: int = 0):
    return spec(dataset, objective="contrary", objective_options={"rests_on": run}, seed=seed)


@pytest.mark.slow
def test_it_links_to_the_earlier_run_and_repeats_what_that_predicts(workbench: Workbench, dataset: Dataset) -> None:
    store = workbench.store
    first = workbench.run(spec(dataset))
    second = workbench.run(on(dataset, first.id))
    assert [(role, run.id) for role, run in store.runs.parents(second.id)] == [("earlier", first.id)]
    ancestry = Ancestry.read(store, dataset.id)
    assert [run.id for run in ancestry.lineage(second)] == [second.id, first.id]
    table = store.datasets.table(dataset.id)
    rows = table.rows("train")
    called = predict(load_model(store.artifacts.folder(first.id)), table, rows).argmax(1)
    assert second.metrics is not None
    assert second.metrics["images"] == len(rows) + 2 * int((called == 1).sum())
    assert second.metrics["images_unique"] == len(rows)


def test_repetitions_over_seeds_of_both_trainings_are_one_method(workbench: Workbench, dataset: Dataset) -> None:
    store = workbench.store

    def submitted(seed: int) -> Run:
        first, _ = store.runs.submit(spec(dataset, seed=seed))
        return store.runs.submit(on(dataset, first.id, seed))[0]

    one, other = submitted(0), submitted(1)
    ancestry = Ancestry.read(store, dataset.id)
    assert ancestry.identity(one) == ancestry.identity(other)


def test_an_attempt_that_resumes_repeats_what_the_first_attempt_did(
    workbench: Workbench, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = workbench.store.datasets.table(dataset.id)
    rows = table.rows("train")
    context: Any = SimpleNamespace(checkpoint_dir=tmp_path)
    monkeypatch.setattr(train, "predicted_by", lambda *_given: table.labels[rows])
    first = repeated(on(dataset, "r-1"), table, rows, None, context)
    assert first is not None and first.tolist() == np.where(table.labels[rows] == 1, 3, 1).tolist()
    monkeypatch.setattr(train, "predicted_by", lambda *_given: 1 - table.labels[rows])  # such as another device
    again = repeated(on(dataset, "r-1"), table, rows, None, context)
    np.testing.assert_array_equal(again, first)


def test_the_repeats_of_a_subset_and_of_an_objective_multiply(
    workbench: Workbench, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = workbench.store.datasets.table(dataset.id)
    context: Any = SimpleNamespace(checkpoint_dir=tmp_path)
    monkeypatch.setattr(train, "predicted_by", lambda *_given: np.array([0, 1, 1]))
    times = repeated(on(dataset, "r-1"), table, np.arange(3), np.array([2, 2, 1]), context)
    assert times is not None and times.tolist() == [2, 6, 3]


def test_a_run_that_is_missing_or_of_another_kind_is_refused_when_submitted(
    workbench: Workbench, dataset: Dataset
) -> None:
    store = workbench.store
    with pytest.raises(NotFoundError, match="The earlier run r-0 does not exist"):
        store.runs.submit(on(dataset, "r-0"))
    first, _ = store.runs.submit(spec(dataset))
    maps, _ = store.runs.submit(parse_spec({"kind": "gradcam", "dataset": dataset.id, "model": first.id}))
    with pytest.raises(SpecRefusedError, match="The earlier run .* is a gradcam run: choose a train run"):
        store.runs.submit(on(dataset, maps.id))
    with pytest.raises(SpecRefusedError, match="^The objective contrary needs the option rests_on"):
        spec(dataset, objective="contrary")


def test_two_attempts_that_keep_what_they_found_at_once_both_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept, save = tmp_path / "repeats.npy", np.save

    def meanwhile(file: object, found: np.ndarray) -> None:
        monkeypatch.setattr(np, "save", save)
        assert _found_once(kept, lambda: found).tolist() == [1, 2]  # an attempt that was frozen
        save(file, found)

    monkeypatch.setattr(np, "save", meanwhile)
    assert _found_once(kept, lambda: np.array([1, 2])).tolist() == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["repeats.npy"] and np.load(kept).tolist() == [1, 2]
