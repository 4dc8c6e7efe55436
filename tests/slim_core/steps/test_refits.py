"""The step that refits a last layer: on which rows, from which features, and what it refuses."""

from __future__ import annotations

import json
import shutil
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from slim_core import api
from slim_core.errors import SlimError, SpecRefusedError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.evaluation.comparison import method_of
from slim_core.models.small_resnet import SmallResNet
from slim_core.runs.executor import Workbench
from slim_core.steps.registry import parse_spec
from slim_core.steps.train import last_layer as step
from slim_core.store import Dataset, Run
from slim_core.store.results import AttentionResult, ModelResult
from slim_core.training.data import held_out_rows
from slim_core.training.last_layer import REFITS, RefitData
from tests.built_once import built_once
from tests.slim_core.conftest import open_bench

FAST: dict[str, dict[str, Any]] = {
    "dfr": {"refits": 2, "c_grid": [0.3]},
    "class-balanced": {"epochs": 2},
    "afr": {"steps": 20, "gammas": [4.0], "penalties": [0.0]},
    "evals": {"steps": 300, "ks": [5], "c_grid": [0.3]},
    "jtt": {"firsts": [1.0], "upweights": [5], "strengths": [0.1]},
    "xrm": {"steps": 100, "trials": 1, "refits": 2, "c_grid": [0.3], "lr": 0.1},
}


class Trained:
    """A data set with a reference model that held out a fifth of train, and a pass over all its images."""

    def __init__(self, at: Workbench, demo_folder: Path) -> None:
        self.at, self.store = at, at.store
        known = at.store.datasets.all()  # of the home that this one is a copy of
        self.dataset: Dataset = known[0] if known else api.data_set(demo_folder, at=at)
        self.table = at.store.datasets.table(self.dataset.id)
        self.reference = self.train(epochs=2, hold_out=0.2)
        self.attention = api.extract_features(self.reference.id, splits=("train", "val"), at=at)

    def train(self, **fields: Any) -> Run:
        return api.train(self.dataset.id, model="small-resnet", batch_size=32, at=self.at, **fields)

    def refit(self, refit: str = "l1", fitted_on: str = "held-out", **fields: Any) -> Run:
        given = {"attention": self.attention.id, "refit_options": FAST.get(refit, {}), **fields}
        return api.refit_last_layer(self.reference.id, refit=refit, fitted_on=fitted_on, at=self.at, **given)

    def held_out(self, run: Run) -> np.ndarray:
        return ModelResult(self.store.artifacts.folder(run.id)).held_out()


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory, demo_folder: Path) -> Path:
    """Where all of it has been made; copy it."""

    def make(folder: Path) -> None:
        Trained(at := open_bench(folder / "home"), demo_folder)
        at.store.close()

    return built_once(tmp_path_factory, "refits", make) / "home"


@pytest.fixture
def trained(trained_home: Path, demo_folder: Path, tmp_path: Path) -> Iterator[Trained]:
    """A copy of one's own; a run with the spec of a finished one is that run."""
    at = open_bench(Path(shutil.copytree(trained_home, tmp_path / "trained")))
    yield Trained(at, demo_folder)
    at.store.close()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[RefitData]:
    """What the refits are given."""
    found: list[RefitData] = []
    for name, refit in REFITS.items():

        def fit(self: Any, data: RefitData, real: Any = refit.fit) -> Any:
            found.append(data)
            return real(self, data)

        monkeypatch.setitem(REFITS, name, type(refit.__name__, (refit,), {"fit": fit}))
    return found


@pytest.mark.slow
def test_a_share_of_each_class_is_held_out_and_the_refit_finds_exactly_those_rows(trained: Trained, seen) -> None:
    table, train = trained.table, trained.table.rows("train")
    held_out = trained.held_out(trained.reference)
    for label in range(2):
        of_class = (table.labels[train] == label).sum()
        assert (table.labels[held_out] == label).sum() == round(0.2 * of_class)
    assert set(held_out) <= set(train)
    assert trained.reference.metrics["images"] == len(train) - len(held_out)
    refitted = trained.refit()
    pooled = AttentionResult(trained.store.artifacts.folder(trained.attention.id))
    expected = pooled.features("pooled")[np.searchsorted(pooled.rows, held_out)]
    np.testing.assert_array_equal(seen[0].fitted.features, expected)
    np.testing.assert_array_equal(seen[0].fitted.labels, table.labels[held_out])
    assert len(seen[0].val) == len(table.rows("val")) and refitted.metrics["images"] == len(held_out)
    assert seen[0].fitted.groups is None and seen[0].val.groups is None


def test_what_is_held_out_depends_on_the_seed_and_leaves_each_class_an_image() -> None:
    labels = np.array([0] * 50 + [1])
    first, other = held_out_rows(labels, 0.2, 0), held_out_rows(labels, 0.2, 1)
    assert len(first) == len(other) == 10 and set(first) != set(other) and 50 not in first
    np.testing.assert_array_equal(first, held_out_rows(labels, 0.2, 0))
    assert len(held_out_rows(labels, 0.9, 0)) == 45 and not len(held_out_rows(labels, 0.0, 0))


def test_a_fit_that_diverged_is_refused_and_leaves_no_model(trained: Trained) -> None:
    with pytest.raises(SlimError, match="The fit of the last layer by afr diverged: take a smaller learning rate"):
        trained.refit("afr", refit_options={**FAST["afr"], "penalties": [1e300]})


def test_fitted_on_validation_it_chooses_on_a_part_of_it_and_reports_no_validation_metrics(trained, seen) -> None:
    run = trained.refit(fitted_on="val")
    assert len(seen[0].fitted) == len(trained.table.rows("val")) and not len(seen[0].val)
    assert run.metrics["val"] is None
    history = json.loads((trained.store.artifacts.folder(run.id) / "history.json").read_text())
    assert history == [{"epoch": 1, "val": None}]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(REFITS) - {"answered"}))  # which needs answers: see test_frozen
@pytest.mark.parametrize("fitted_on", ["val", "held-out"])
def test_every_refit_ends_with_a_model_that_can_be_evaluated(trained: Trained, seen, name: str, fitted_on: str) -> None:
    options = {**FAST.get(name, {})}
    if name == "self":
        early = trained.train(epochs=1, hold_out=0.2)
        options = {"early": early.id, "sizes": [1000], "lrs": [0.01], "steps": 10}
    run = trained.refit(name, fitted_on, refit_options=options)
    assert run.status == "done"
    assert (seen[0].fitted.groups is not None) == (name == "dfr")
    used = Ancestry.read(trained.store, trained.dataset.id).labels_used(run, has_groups=True)
    of_dfr = "groups in validation" if fitted_on == "val" else "groups in validation, groups in training"
    assert used == (of_dfr if name == "dfr" else "none")
    assert api.evaluate(run.id, at=trained.at).metrics["wga"] is not None
    assert method_of(run, None) == f"last layer{'' if name == 'l1' else f' by {name}'} on {fitted_on}"


@pytest.mark.slow
def test_selection_by_the_worst_group_gives_the_groups_of_the_images_chosen_on_alone(trained, seen) -> None:
    trained.refit("afr", selection="worst_group")
    assert seen[0].fitted.groups is None and seen[0].val.groups is not None


@pytest.mark.slow
def test_features_of_a_finished_pass_give_the_layer_that_a_pass_of_its_own_gives(trained: Trained) -> None:
    from safetensors.numpy import load_file

    cached, computed = trained.refit(), trained.refit(attention=None)
    weights = [load_file(trained.store.artifacts.folder(run.id) / "weights.safetensors") for run in (cached, computed)]
    for name in weights[0]:
        np.testing.assert_allclose(weights[0][name], weights[1][name], atol=1e-3)
    assert {role for role, _ in trained.store.runs.parents(cached.id)} == {"reference", "attention"}
    assert cached.metrics["val"]["worst_class"] == pytest.approx(computed.metrics["val"]["worst_class"], abs=0.05)


@pytest.mark.slow
def test_an_interrupted_refit_resumes_the_pass_over_the_images(trained: Trained, monkeypatch) -> None:
    """The pass is what takes long: the second attempt sees only the batches that the first had not."""
    batches: list[int] = []
    real = step.attention_pass

    def interrupted(model, table, rows, folder, *, runtime, score_masks):
        def stop() -> None:
            batches.append(1)
            if len(batches) == 2:
                raise SlimError("the machine was switched off")

        return real(model, table, rows, folder, runtime=replace(runtime, check_stop=stop), score_masks=score_masks)

    monkeypatch.setattr(step, "attention_pass", interrupted)
    with pytest.raises(SlimError, match="switched off"):
        trained.refit(attention=None)
    (failed,) = (run for run in trained.store.runs.all(kind="train") if run.status == "failed")
    trained.store.attempts.retry(failed.id)
    done = trained.refit(attention=None)
    n = len(trained.held_out(trained.reference)) + len(trained.table.rows("val"))
    assert (done.id, done.status) == (failed.id, "done") and len(batches) == 1 + -(-n // 64)


@pytest.mark.slow
def test_a_reference_that_held_nothing_out_is_refused(trained: Trained) -> None:
    plain = trained.train(epochs=1)
    with pytest.raises(SlimError, match=f"{plain.id} held out no training images: train one with hold_out"):
        api.refit_last_layer(plain.id, fitted_on="held-out", at=trained.at)
    assert trained.store.runs.all(kind="train")[0].id == plain.id, "refused when it was submitted: no run is left"


def test_a_class_missing_from_what_was_held_out_is_refused_by_name(trained: Trained) -> None:
    path = trained.store.artifacts.folder(trained.reference.id) / "held_out.npy"
    rows = np.load(path)
    path.chmod(0o644)
    np.save(path, rows[trained.table.labels[rows] == 0])
    with pytest.raises(SlimError, match="held out hold none of the class 1: train it with a larger hold_out"):
        trained.refit()


class Unbiased(SmallResNet):
    """With a last layer that has no bias."""

    def __init__(self, n_classes: int) -> None:
        super().__init__(n_classes)
        self.fc = nn.Linear(self.fc.in_features, n_classes, bias=False)


def test_a_last_layer_without_a_bias_is_refused_before_the_pass_over_the_images(trained: Trained, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "unbiased_of_a_test", module := types.ModuleType("unbiased_of_a_test"))
    monkeypatch.setattr(module, "net", Unbiased, raising=False)
    monkeypatch.setattr(step, "attention_pass", lambda *_, **__: pytest.fail("a pass was begun"))
    with pytest.raises(SlimError, match="unbiased_of_a_test:net has no linear last layer with a bias"):
        api.train(trained.dataset.id, model="unbiased_of_a_test:net", mode="last-layer", at=trained.at)


@pytest.mark.slow
def test_features_of_another_model_or_of_too_few_images_are_refused(trained: Trained) -> None:
    other = trained.train(epochs=1)
    of_other = api.extract_features(other.id, splits=("train", "val"), at=trained.at)
    with pytest.raises(SlimError, match=f"The pass {of_other.id} is of the model {other.id}, not of the reference"):
        trained.refit(attention=of_other.id)
    assert trained.store.runs.all(kind="train")[0].id == other.id, "refused when it was submitted: no run is left"
    of_val = api.extract_features(trained.reference.id, splits=("val",), at=trained.at)
    with pytest.raises(SlimError, match=f"The pass {of_val.id} has not seen 40 of the 100 images needed"):
        trained.refit(attention=of_val.id)
    assert trained.refit(fitted_on="val", attention=of_val.id).status == "done"


@pytest.mark.slow
def test_groups_are_needed_by_dfr_alone_and_refused_where_there_are_none(workbench: Workbench, plain_folder) -> None:
    trained = Trained(workbench, plain_folder)
    with pytest.raises(SlimError, match="The refit dfr uses group labels, but .* has no attribute: name its attribute"):
        trained.refit("dfr")
    assert trained.refit("class-balanced").status == "done"


@pytest.mark.slow
def test_an_early_model_that_has_seen_what_the_reference_held_out_is_refused(trained: Trained) -> None:
    early = trained.train(epochs=1)
    with pytest.raises(SlimError, match=f"The earlier run {early.id} was trained on 40 of the 40 images"):
        trained.refit("self", refit_options={"early": early.id})
    with pytest.raises(SlimError, match="The earlier run r-0 does not exist"):
        trained.refit("self", refit_options={"early": "r-0"})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"refit": "dfr"}, "refit: only mode last-layer uses it"),
        ({"fitted_on": "val"}, "fitted_on: only mode last-layer uses it"),
        ({"attention": "r-1"}, "attention: only mode last-layer uses it"),
        ({"hold_out": 0.2, "subset": "r-1"}, "hold_out: it is a share of all of train"),
        ({"hold_out": 0.2, "start": "reference", "reference": "r-1"}, "hold_out: it is a share of all of train"),
        ({"hold_out": 1.0}, "hold_out = 1.0"),
        (
            {"mode": "last-layer", "reference": "r-1", "fitted_on": "val", "subset": "s"},
            "subset: fitted_on=val fits on other images",
        ),
        ({"mode": "last-layer", "reference": "r-1", "refit": "l3"}, "refit = 'l3'"),
        ({"mode": "last-layer", "reference": "r-1", "refit": "self"}, "^The refit self needs the option early"),
    ],
)
def test_settings_that_would_have_no_effect_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecRefusedError, match=sentence):
        parse_spec({"kind": "train", "dataset": "d", "model": "small-resnet", **fields})
