"""Answers in the loss of a network that cannot take them are refused before a run is queued."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from slim_core import api, result_files
from slim_core.annotation import terminal
from slim_core.errors import SpecRefusedError
from slim_core.network_facts import MapPath, NetworkFacts
from slim_core.runs.executor import InProcess, Workbench
from slim_core.settings import Settings
from slim_core.steps.specs import GradcamSpec, SpaceSpec, Spec, TrainSpec
from slim_core.store import Run, Store


@pytest.fixture
def at(new_home: Path, small_demo: Path) -> Iterator[Workbench]:
    store = Store.open(Settings(home=new_home, data_roots=(small_demo,)))
    yield Workbench(store, InProcess(store, device="cpu"))
    store.close()


def finished(store: Store, spec: Spec, path: MapPath | None = None) -> Run:
    """A run of it that is done; of a model, with what it leaves of how its maps are computed."""
    run, _ = store.runs.submit(spec)
    token = store.queue.claim(run.id, "w", "cpu")
    folder = store.artifacts.attempt(run.id, 1)
    if path is not None:
        facts = NetworkFacts("features", (8, 4, 4), "fc", path, "", ("features",))
        (folder / result_files.MODEL).write_text(json.dumps({"network": facts.to_json()}))
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


def with_answers(model: str, dataset: str, campaign: str, reference: str | None = None) -> TrainSpec:
    start = {"start": "reference", "reference": reference} if reference else {}
    options = {"objective": "answered-attention", "objective_options": {"campaign": campaign}}
    return TrainSpec.model_validate({"dataset": dataset, "model": model, **start, **options})


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
