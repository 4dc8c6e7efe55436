"""Answers in the loss of a network that cannot take them are refused before a run is queued."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slim_core import api, result_files
from slim_core.annotation import terminal
from slim_core.data.images.transform import ImageTransform
from slim_core.errors import SpecRefusedError
from slim_core.network_facts import MapPath, NetworkFacts
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.steps.specs import GradcamSpec, SpaceSpec, Spec, TrainSpec
from slim_core.store import Run, Store

OWN = ImageTransform()  # of a network that is asked for no other


@pytest.fixture
def at(new_home: Path, small_demo: Path) -> Iterator[Workbench]:
    store = Store.open(Settings(home=new_home, data_roots=(small_demo,)))
    yield Workbench(store, InProcess(store, device="cpu"))
    store.close()


def finished(store: Store, spec: Spec, path: MapPath | None = None, images: ImageTransform = OWN) -> Run:
    """A run of it that is done; of a model, with what it leaves of how its maps are computed, and of its images."""
    run, _ = store.runs.submit(spec)
    token = store.queue.claim(run.id, "w", "cpu")
    folder = store.artifacts.attempt(run.id, 1)
    if path is not None:
        facts = NetworkFacts("features", (8, 4, 4), "fc", path, "", ("features",))
        about = {"network": facts.to_json(), "transform": images.to_json()}
        (folder / result_files.MODEL).write_text(json.dumps(about))
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


def about(store: Store, model: Run) -> str:
    """A campaign in which somebody answered about the attention of a model."""
    dataset = model.dataset_id
    seen = finished(store, GradcamSpec(dataset=dataset, model=model.id))
    space = finished(store, SpaceSpec(dataset=dataset, attention=seen.id))
    made = store.campaigns.create(f"about {model.id}", dataset, space.id, [0, 1])
    terminal.save(store, made, "one", {0: 1, 1: 0})
    return made.id


def with_answers(model: str, dataset: str, campaign: str, reference: str | None = None, **images: Any) -> TrainSpec:
    start = {"start": "reference", "reference": reference} if reference else {}
    options = {"objective": "answered-attention", "objective_options": {"campaign": campaign}}
    return TrainSpec.model_validate({"dataset": dataset, "model": model, **start, **options, **images})


def test_of_a_network_whose_maps_take_a_backward_pass(at: Workbench, small_demo: Path) -> None:
    store, dataset = at.store, api.data_set(small_demo, at=at).id
    model = finished(store, TrainSpec(dataset=dataset, model="vgg11"), "gradient")
    asked, before = about(store, model), len(store.runs.all())
    for reference in (None, model.id):
        with pytest.raises(SpecRefusedError, match="vgg11 has no attention map that comes with the forward pass"):
            at.submitter.submit(with_answers("vgg11", dataset, asked, reference))
    assert len(store.runs.all()) == before


def test_of_another_network_than_the_answers_are_about(at: Workbench, small_demo: Path) -> None:
    store, dataset = at.store, api.data_set(small_demo, at=at).id
    shown = finished(store, TrainSpec(dataset=dataset, model="resnet18"), "forward")
    asked, before = about(store, shown), len(store.runs.all())
    with pytest.raises(SpecRefusedError, match="about the attention of resnet18, but small-resnet is trained: train"):
        at.submitter.submit(with_answers("small-resnet", dataset, asked))
    assert len(store.runs.all()) == before
    assert at.submitter.submit(with_answers("resnet18", dataset, asked, shown.id)).status == "queued"


@pytest.mark.parametrize(
    ("images", "differs"),
    [
        ({"image_size": 96}, "at 224 px, but resnet18 at 96 px is trained"),
        ({"resize_ratio": 1.0}, "at a resize ratio of 1.14286, but resnet18 at a resize ratio of 1 is"),
        ({"mean": (0.5, 0.5, 0.5)}, "with a mean of 0.485, 0.456, 0.406, but resnet18 with a mean of 0.5, 0.5, 0.5"),
        ({"image_size": 224, "std": OWN.std}, None),
        ({}, None),  # the network's own, which the run finds out
    ],
)
def test_of_a_network_that_sees_its_images_otherwise(
    at: Workbench, small_demo: Path, images: dict[str, Any], differs: str | None
) -> None:
    store, dataset = at.store, api.data_set(small_demo, at=at).id
    asked = about(store, finished(store, TrainSpec(dataset=dataset, model="resnet18"), "forward"))
    spec = with_answers("resnet18", dataset, asked, **images)
    if differs is None:
        assert at.submitter.submit(spec).status == "queued"
        return
    with pytest.raises(SpecRefusedError, match=f"about the attention of resnet18 {differs}"):
        at.submitter.submit(spec)


def test_of_a_network_that_starts_from_one_that_sees_its_images_otherwise(at: Workbench, small_demo: Path) -> None:
    store, dataset = at.store, api.data_set(small_demo, at=at).id
    asked = about(store, finished(store, TrainSpec(dataset=dataset, model="resnet18"), "forward"))
    done = finished(store, TrainSpec(dataset=dataset, model="resnet18", seed=1), "forward", ImageTransform(size=128))
    waits = at.submitter.submit(TrainSpec(dataset=dataset, model="resnet18", image_size=128, seed=2))
    for start in (done, waits):
        with pytest.raises(SpecRefusedError, match="at 224 px, but resnet18 at 128 px is trained"):
            at.submitter.submit(with_answers("resnet18", dataset, asked, start.id))


def test_of_the_demo_network_whose_own_size_is_known(at: Workbench, small_demo: Path) -> None:
    store, dataset = at.store, api.data_set(small_demo, at=at).id
    shown = TrainSpec(dataset=dataset, model="small-resnet", image_size=48)
    asked = about(store, finished(store, shown, "forward", ImageTransform(size=48, resize_ratio=1.0)))
    with pytest.raises(SpecRefusedError, match="at 48 px, but small-resnet at 64 px is trained"):
        at.submitter.submit(with_answers("small-resnet", dataset, asked))
    assert at.submitter.submit(with_answers("small-resnet", dataset, asked, image_size=48)).status == "queued"
