"""The methods of the table that refit a last layer, or rest on an earlier run, from the data to a model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from slim_core.data.importing import import_data
from slim_core.runs.executor import Workbench
from slim_core.runs.loop_runs import LoopConfig, LoopRuns
from slim_core.runs.methods import METHODS
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import Spec, TrainSpec
from slim_core.store import Run
from slim_core.training.last_layer import REFITS
from tests.slim_core.conftest import open_bench


def test_every_refit_stands_in_the_table_on_validation_and_on_a_fifth_of_train() -> None:
    for refit in set(REFITS) - {"l1", "l2", "jtt", "answered"}:  # of a subset, and of a frozen network
        name = "class-balanced-last-layer" if refit == "class-balanced" else refit
        on_val, on_train = METHODS[name], METHODS[f"{name}-train-fifth"]
        assert on_val.label.endswith("on validation") and on_train.label.endswith("on a fifth of train")
        assert on_val.labels_used == ("groups in validation" if refit == "dfr" else "none")
        assert on_train.needs_groups == (refit == "dfr")


@pytest.fixture(scope="module")
def loop(new_database: Path, demo_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopRuns]:
    """One for all: the methods here rest on the same reference model, and each adds runs of its own."""
    home = tmp_path_factory.mktemp("refits")
    shutil.copy(new_database, home)
    at = open_bench(home)
    dataset = at.store.datasets.register(import_data(demo_folder))
    yield LoopRuns(at, LoopConfig(dataset=dataset.id, train={"epochs": 5, "batch_size": 32, "milestones": ()}))
    at.store.close()


def test_xrm_may_have_all_of_train_as_its_authors_give_it(workbench: Workbench, small_demo: Path) -> None:
    store = workbench.store
    dataset = store.datasets.register(import_data(small_demo))
    queued = SimpleNamespace(store=store, run=lambda spec, name: store.runs.submit(spec, name=name)[0])
    loop = LoopRuns(queued, LoopConfig(dataset=dataset.id))  # type: ignore[arg-type]  # nothing of it is run
    is_fitted_on_all_of_train(METHODS["xrm-train"].train(loop).model, loop)


def test_the_early_model_of_self_is_trained_at_the_rates_of_the_training_it_is_the_beginning_of(
    workbench: Workbench, small_demo: Path
) -> None:
    store = workbench.store
    dataset = store.datasets.register(import_data(small_demo))

    def queued(spec: Spec, name: str) -> Run:
        run, _ = store.runs.submit(spec, name=name)
        return replace(run, metrics={"epochs": run.spec.get("epochs")})  # as if it had been done

    for milestones in ((), (15,)):
        at = SimpleNamespace(store=store, run=queued)
        loop = LoopRuns(at, LoopConfig(dataset=dataset.id, train={"epochs": 20, "milestones": milestones}))  # type: ignore[arg-type]
        model = METHODS["self"].train(loop).model
        early, whole = (
            parse_spec(store.runs.fetch(one).spec)
            for one in (model.spec["refit_options"]["early"], model.spec["reference"])
        )
        assert isinstance(early, TrainSpec) and isinstance(whole, TrainSpec) and early.epochs == 4
        assert [early.lr_at(epoch) for epoch in range(4)] == [whole.lr_at(epoch) for epoch in range(4)]


@pytest.mark.slow
def test_xrm_on_all_of_train_ends_well(loop: LoopRuns) -> None:
    model = METHODS["xrm-train"].train(loop).model
    is_fitted_on_all_of_train(model, loop)
    assert model.status == "done"


def is_fitted_on_all_of_train(model: Run, loop: LoopRuns) -> None:
    spec = parse_spec(model.spec)
    assert isinstance(spec, TrainSpec)
    assert (spec.refit, spec.fitted_on, spec.reference) == ("xrm", "train", loop.start.id)
    assert spec.attention == loop.attention.id


@pytest.mark.slow
def test_refits_of_one_reference_share_its_features(loop: LoopRuns) -> None:
    first, second = (METHODS[name].train(loop).model for name in ("class-balanced-last-layer", "dfr"))
    assert first.spec["attention"] == second.spec["attention"] == loop.attention.id
    assert first.spec["reference"] == loop.reference.id and first.spec["fitted_on"] == "val"


@pytest.mark.slow
def test_self_takes_an_early_model_of_the_same_training(loop: LoopRuns) -> None:
    model = METHODS["self-train-fifth"].train(loop).model
    store = loop.at.store
    reference = store.runs.fetch(model.spec["reference"])
    early = store.runs.fetch(model.spec["refit_options"]["early"])
    assert (reference.spec["hold_out"], early.spec["hold_out"]) == (0.2, 0.2)
    assert (reference.spec["epochs"], early.spec["epochs"]) == (5, 1) and early.spec["selection"] == "last"
    assert store.runs.fetch(model.spec["attention"]).kind == "features"


@pytest.mark.slow
def test_cnc_rests_on_a_strongly_regularised_training(loop: LoopRuns) -> None:
    model = METHODS["cnc"].train(loop).model
    first = loop.at.store.runs.fetch(model.spec["objective_options"]["predictions_of"])
    assert first.spec["weight_decay"] > loop.reference.spec["weight_decay"] and first.spec["selection"] == "last"
