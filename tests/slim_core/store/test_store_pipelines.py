"""Pipelines: runs that one press has queued, followed as one thing; on SQLite and PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from slim_core.errors import NotFoundError
from slim_core.steps.specs import EvaluateSpec, GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store import Dataset, Run, Store


def submit(store: Store, dataset: Dataset, spec: type, **fields: object) -> Run:
    return store.runs.submit(spec(dataset=dataset.id, **fields))[0]


@pytest.fixture
def chain(store: Store, dataset: Dataset) -> list[Run]:
    """train -> gradcam -> space, and train -> evaluate."""
    model = submit(store, dataset, TrainSpec, model="small-resnet")
    maps = submit(store, dataset, GradcamSpec, model=model.id)
    space = submit(store, dataset, SpaceSpec, attention=maps.id)
    return [model, maps, space, submit(store, dataset, EvaluateSpec, model=model.id, split="val")]


def test_a_pipeline_holds_its_ends_and_what_they_wait_for_parents_first(store, dataset, chain):
    model, maps, space, evaluation = chain
    pipeline = store.pipelines.create("questions", [evaluation.id, space.id], by="lea")
    assert [run.id for run in pipeline.runs] == [model.id, maps.id, space.id, evaluation.id]
    assert (pipeline.kind, pipeline.dataset_id, pipeline.created_by) == ("questions", dataset.id, "lea")
    assert pipeline.state == "active"
    assert store.pipelines.all(dataset.id) == [store.pipelines.fetch(pipeline.id)] == [pipeline]


def test_what_is_done_already_is_no_step(store, dataset, chain, finish):
    model, maps, space, _ = chain
    finish(model)
    pipeline = store.pipelines.create("questions", [space.id])
    assert [run.id for run in pipeline.runs] == [maps.id, space.id]
    finish(maps), finish(space)
    assert store.pipelines.fetch(pipeline.id).state == "done"
    again = store.pipelines.create("questions", [space.id])
    assert [run.id for run in again.runs] == [space.id] and again.state == "done"
    assert [one.id for one in store.pipelines.all(dataset.id)] == [again.id, pipeline.id], "the newest first"


def test_what_is_under_way_is_not_kept_twice(store, dataset, chain):
    model, _, space, evaluation = chain
    first = store.pipelines.create("questions", [evaluation.id, space.id], by="lea")
    assert store.pipelines.create("questions", [space.id, evaluation.id], by="max") == first
    other = store.pipelines.create("spaces", [space.id])
    assert other.id != first.id, "another kind is another pipeline"
    store.attempts.request_stop(model.id)
    again = store.pipelines.create("questions", [evaluation.id, space.id])
    assert again.id != first.id, "what was stopped is not under way"
    assert {one.id for one in store.pipelines.all(dataset.id)} == {first.id, other.id, again.id}


def test_two_people_who_press_at_once_get_one_pipeline(store, dataset, chain):
    ends = [chain[3].id, chain[2].id]
    with ThreadPoolExecutor(4) as people:
        made = list(people.map(lambda n: store.pipelines.create("questions", ends, by=f"p{n}"), range(8)))
    assert len({one.id for one in made}) == 1 == len(store.pipelines.all(dataset.id))


def test_a_stopped_step_leaves_it_unfinished_and_a_deleted_run_is_left_out(store, dataset, chain):
    model, _, space, evaluation = chain
    pipeline = store.pipelines.create("questions", [evaluation.id, space.id])
    store.attempts.request_stop(model.id)
    assert store.pipelines.fetch(pipeline.id).state == "unfinished"
    store.runs.delete(evaluation.id)
    assert evaluation.id not in [run.id for run in store.pipelines.fetch(pipeline.id).runs]
    store.runs.delete(model.id, cascade=True)
    assert store.pipelines.all(dataset.id) == [] and store.pipelines.fetch(pipeline.id).runs == ()


def test_what_is_not_there_is_named(store, chain):
    with pytest.raises(NotFoundError, match="no pipeline 'p-x': see the Overview"):
        store.pipelines.fetch("p-x")
    with pytest.raises(NotFoundError, match="no run r-x: the Jobs page"):
        store.pipelines.create("questions", [chain[0].id, "r-x"])
