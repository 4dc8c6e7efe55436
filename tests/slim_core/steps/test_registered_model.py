"""A model trained by others: a run like any other, which nothing was trained for."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from slim_core import api
from slim_core.errors import CheckpointRefusedError, PathRefusedError, SlimError
from slim_core.evaluation.comparison import rows
from slim_core.models.build import SmallResNet, build
from slim_core.models.checkpoints import registration
from slim_core.runs.executor import Workbench
from slim_core.runs.preflight import require_possible
from slim_core.runs.trainings import taken_over
from slim_core.settings import Settings
from slim_core.steps.specs import TrainSpec, parse_spec
from slim_core.store.results import ModelResult
from tests.refusals import missing


@pytest.fixture(scope="module")
def theirs(looped, tmp_path_factory):
    """A checkpoint in the layout of training scripts, of the reference's weights."""
    state = load_file(looped.at.store.artifacts.folder(looped.loop.reference.id) / "weights.safetensors")
    path = tmp_path_factory.mktemp("theirs") / "theirs.pt"
    torch.save({"epoch": 3, "model_state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
    return path


@pytest.fixture(scope="module")
def registered(looped, theirs):
    return api.register_model(theirs, model="small-resnet", data=looped.dataset.id, at=looped.at)


def test_it_becomes_a_run_with_its_weights_and_its_metrics_on_validation(looped, registered, theirs):
    folder = looped.at.store.artifacts.folder(registered.id)
    ours = load_file(looped.at.store.artifacts.folder(looped.loop.reference.id) / "weights.safetensors")
    kept = load_file(folder / "weights.safetensors")
    assert all(torch.equal(kept[name], ours[name]) for name in ours)
    assert registered.metrics["val"]["groups"] == looped.loop.reference.metrics["val"]["groups"]
    assert registered.metrics["epochs"] == 0 and json.loads((folder / "history.json").read_text()) == []
    assert registered.name == "small-resnet from theirs.pt" and registered.spec["checkpoint"] == str(theirs)
    assert ModelResult(folder).network.target_layer == "stages"


@pytest.mark.slow
def test_it_is_evaluated_mapped_curated_for_and_retrained_like_a_model_of_ones_own(looped, registered):
    at = looped.at
    evaluation = api.evaluate(registered.id, at=at)
    of_reference = looped.outcomes["erm"].evaluation
    assert evaluation.metrics["groups"] == of_reference.metrics["groups"]
    maps = api.gradcam(registered.id, splits=("train",), at=at)
    space = api.make_space(maps.id, at=at)
    subset = api.curate(strategy="random", space=space.id, size=40, at=at)
    assert at.store.lineage.reference_of(subset).id == registered.id
    retrained = api.retrain(subset.id, epochs=1, batch_size=16, at=at)
    assert (retrained.spec["reference"], retrained.spec["checkpoint"]) == (registered.id, None)
    (row,) = rows(at.store, [evaluation])
    assert (row["method"], row["labels_used"], row["images"]) == ("trained elsewhere", "unknown", None)
    (row,) = rows(at.store, [api.evaluate(retrained.id, at=at)])
    assert row["method"] == "random, from reference" and row["labels_used"] == "unknown"


def test_the_same_file_is_the_same_run_and_a_changed_one_another(looped, theirs, registered):
    again = api.register_model(theirs, model="small-resnet", data=looped.dataset.id, at=looped.at)
    assert again.id == registered.id
    torch.save(SmallResNet(2).state_dict(), theirs.with_name("other.pt"))
    theirs.with_name("other.pt").replace(copy := theirs.with_name("copy.pt"))
    first = api.register_model(copy, model="small-resnet", data=looped.dataset.id, at=looped.at)
    torch.save(SmallResNet(2).state_dict(), copy)
    assert api.register_model(copy, model="small-resnet", data=looped.dataset.id, at=looped.at).id != first.id


def test_a_file_that_is_changed_while_it_waits_in_the_queue_is_refused(looped, tmp_path):
    torch.save(SmallResNet(2).state_dict(), tmp_path / "m.pt")

    class Late(type(looped.at.submitter)):
        def submit(self, spec, **options):
            run = super().submit(spec, **options)
            torch.save(SmallResNet(2).state_dict(), tmp_path / "m.pt")
            return run

    at = Workbench(looped.at.store, Late(looped.at.store, device="cpu"))
    with pytest.raises(SlimError, match="pt was changed since it was registered"):
        api.register_model(tmp_path / "m.pt", model="small-resnet", data=looped.dataset.id, at=at)


def test_a_file_that_is_missing_lies_elsewhere_or_has_other_classes_is_refused_before_anything_is_submitted(
    looped, tmp_path, monkeypatch
):
    n_runs = len(looped.at.store.runs.all())
    with pytest.raises(CheckpointRefusedError, match="no checkpoint .*nothing.pt: check the path"):
        api.register_model(tmp_path / "nothing.pt", model="small-resnet", data=looped.dataset.id, at=looped.at)
    torch.save(SmallResNet(5).state_dict(), tmp_path / "five.pt")
    with pytest.raises(CheckpointRefusedError, match="no layer with 2 outputs"):
        api.register_model(tmp_path / "five.pt", model="small-resnet", data=looped.dataset.id, at=looped.at)
    with pytest.raises(PathRefusedError, match="/etc/passwd lies outside the"):
        api.register_model("/etc/passwd", model="small-resnet", data=looped.dataset.id, at=looped.at)
    with pytest.raises(SlimError, match="such model, use small-resnet"):
        torch.save({}, tmp_path / "m.pt")
        api.register_model(tmp_path / "m.pt", model="resnet5O", data=looped.dataset.id, at=looped.at)
    assert len(looped.at.store.runs.all()) == n_runs


def test_what_it_sees_of_its_images_can_be_given(looped, theirs):
    fields = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25), "resize_ratio": 1.5, "image_size": 48}
    run = api.register_model(theirs, model="small-resnet", data=looped.dataset.id, at=looped.at, **fields)
    transform = ModelResult(looped.at.store.artifacts.folder(run.id)).transform
    assert (transform.mean, transform.std, transform.resize_ratio, transform.size) == (*list(fields.values()),)
    assert not missing(transform.described, "72 px", "48 x 48", "0.5 0.5 0.5", "0.25 0.25 0.25")


@pytest.mark.slow
def test_a_training_may_start_from_a_pretrained_file_of_other_classes(looped, tmp_path):
    source = build("small-resnet", 7, seed=9)
    torch.save(source.net.state_dict(), tmp_path / "seven.pt")
    run = api.train(
        looped.dataset.id, model="small-resnet", checkpoint=str(tmp_path / "seven.pt"), epochs=1, lr=1e-9, at=looped.at
    )
    kept = load_file(looped.at.store.artifacts.folder(run.id) / "weights.safetensors")
    assert kept["fc.weight"].shape == (2, 64)
    assert np.allclose(kept["stem.0.weight"], source.net.stem[0].weight.detach().numpy(), atol=1e-5)


def test_another_file_under_the_same_path_is_another_training(looped, tmp_path):
    def submitted(**fields):
        spec = TrainSpec(dataset=looped.dataset.id, model="small-resnet", checkpoint=str(path), **fields)
        require_possible(looped.at.store, spec)
        return looped.at.store.runs.submit(spec)

    path = tmp_path / "best.pt"
    torch.save(build("small-resnet", 2, seed=1).net.state_dict(), path)
    first, _ = submitted(epochs=1)
    assert submitted(epochs=1) == (first, False)
    retrained = taken_over(first.spec)
    torch.save(build("small-resnet", 2, seed=2).net.state_dict(), path)
    second, is_new = submitted(epochs=1)
    assert is_new and second.spec["checkpoint_sha256"] != first.spec["checkpoint_sha256"]
    with pytest.raises(SlimError, match="best.pt was changed since the training"):
        looped.at.submitter.wait(first)
    with pytest.raises(SlimError, match="submit a new"):  # a retraining from the weights that its reference had
        require_possible(looped.at.store, parse_spec({"kind": "train", "dataset": looped.dataset.id, **retrained}))
    looped.at.store.attempts.request_stop(second.id)


def test_a_folder_of_models_is_allowed_like_one_of_data(tmp_path):
    torch.save({}, tmp_path / "m.pt")
    fields = registration(tmp_path / "m.pt", Settings(data_roots=(tmp_path,)))
    assert fields["mode"] == "registered" and len(fields["checkpoint_sha256"]) == 64
