"""The step that fits a last layer anew: on which rows, from which features, and what it refuses."""

from __future__ import annotations

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
from slim_core.evaluation.comparison import Ancestry, method_of
from slim_core.models.build import SmallResNet
from slim_core.runs.executor import Workbench
from slim_core.steps import train as step
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset, Run
from slim_core.training.last_layer import REFITS, RefitData
from tests.built_once import built_once
from tests.refusals import refusal
from tests.slim_core.conftest import open_bench

FAST: dict[str, dict[str, Any]] = {
    "dfr": {"refits": 2, "c_grid": [0.3]},
    "jtt": {"firsts": [1.0], "upweights": [5], "strengths": [0.1]},
}


class Trained:
    """A data set with a reference model and a pass over all its images."""

    def __init__(self, at: Workbench, demo_folder: Path) -> None:
        self.at, self.store = at, at.store
        known = at.store.datasets.all()  # of the home that this one is a copy of
        self.dataset: Dataset = known[0] if known else api.data_set(demo_folder, at=at)
        self.table = at.store.datasets.table(self.dataset.id)
        self.reference = self.train(epochs=2)
        self.attention = api.gradcam(self.reference.id, splits=("train", "val"), at=at)

    def train(self, **fields: Any) -> Run:
        return api.train(self.dataset.id, model="small-resnet", batch_size=32, at=self.at, **fields)

    def refit(self, refit: str = "l1", **fields: Any) -> Run:
        given = {"attention": self.attention.id, "refit_options": FAST.get(refit, {}), **fields}
        return api.refit_last_layer(self.reference.id, refit=refit, at=self.at, **given)


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
@pytest.mark.parametrize("name", sorted(set(REFITS) - {"answered"}))  # which needs answers: see test_frozen
def test_every_refit_ends_with_a_model_that_can_be_evaluated(trained: Trained, seen, name: str) -> None:
    run = trained.refit(name)
    assert run.status == "done"
    assert (seen[0].fitted.groups is not None) == (name == "dfr")
    used = Ancestry.read(trained.store, trained.dataset.id).labels_used(run, has_groups=True)
    assert used == ("groups in validation" if name == "dfr" else "none")
    split, of_val = ("val", None) if name == "dfr" else ("train", run.metrics["val"])
    assert len(seen[0].fitted) == len(trained.table.rows(split)) and run.metrics["val"] == of_val
    assert api.evaluate(run.id, at=trained.at).metrics["wga"] is not None
    assert method_of(run, None).endswith(f", last layer by {name}")


@pytest.mark.slow
def test_selection_by_the_worst_group_gives_the_groups_of_the_images_chosen_on_alone(trained, seen) -> None:
    trained.refit("l2", selection="worst_group")
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
    n = len(trained.table.rows("train")) + len(trained.table.rows("val"))
    assert (done.id, done.status) == (failed.id, "done") and len(batches) == 1 + -(-n // 64)


class Unbiased(SmallResNet):
    """With a last layer that has no bias."""

    def __init__(self, n_classes: int) -> None:
        super().__init__(n_classes)
        self.fc = nn.Linear(self.fc.in_features, n_classes, bias=False)


def test_a_last_layer_without_a_bias_is_refused_before_the_pass_over_the_images(trained: Trained, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "unbiased_of_a_test", module := types.ModuleType("unbiased_of_a_test"))
    monkeypatch.setattr(module, "net", Unbiased, raising=False)
    monkeypatch.setattr(step, "attention_pass", lambda *_, **__: pytest.fail("a pass was begun"))
    with pytest.raises(SlimError, match="unbiased_of_a_test:net has no linear"):
        api.train(trained.dataset.id, model="unbiased_of_a_test:net", mode="last-layer", at=trained.at)


@pytest.mark.slow
def test_features_of_another_model_or_of_too_few_images_are_refused(trained: Trained) -> None:
    other = trained.train(epochs=1)
    of_other = api.gradcam(other.id, splits=("train", "val"), at=trained.at)
    with refusal(SlimError, of_other.id, other.id):
        trained.refit(attention=of_other.id)
    assert trained.store.runs.all(kind="train")[0].id == other.id, "refused when it was submitted: no run is left"
    of_val = api.gradcam(trained.reference.id, splits=("val",), at=trained.at)
    with pytest.raises(SlimError, match=f"The pass {of_val.id} has not seen 200 of the 260 images needed"):
        trained.refit(attention=of_val.id)
    assert trained.refit("dfr", attention=of_val.id).status == "done"


@pytest.mark.slow
def test_groups_are_needed_by_dfr_alone_and_refused_where_there_are_none(workbench: Workbench, plain_folder) -> None:
    trained = Trained(workbench, plain_folder)
    with pytest.raises(SlimError, match="group labels, but .* has no attribute"):
        trained.refit("dfr")
    assert trained.refit("l2").status == "done"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"refit": "dfr"}, "refit: only mode last-layer"),
        ({"attention": "r-1"}, "attention: only mode last-layer"),
        ({"mode": "last-layer", "reference": "r-1", "refit": "dfr", "subset": "s"}, "leave the subset"),
        ({"mode": "last-layer", "reference": "r-1", "refit": "l3"}, "refit = 'l3'"),
    ],
)
def test_settings_that_would_have_no_effect_are_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecRefusedError, match=sentence):
        parse_spec({"kind": "train", "dataset": "d", "model": "small-resnet", **fields})
