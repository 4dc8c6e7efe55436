"""Studies: kept by what was asked for, case by case."""

from __future__ import annotations

import pytest

from slim_core.errors import NotFoundError
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import EvaluateSpec
from slim_core.store import Run, Store
from tests.slim_core.store.store_makers import train_spec


def test_the_same_question_is_the_same_study_and_another_one_is_not(store: Store):
    first = store.studies.start("choose", "d1", {"seeds": [0]}, 4, by="lea")
    again = store.studies.start("choose again", "d1", {"seeds": [0]}, 4)
    other = store.studies.start("choose", "d2", {"seeds": [1]}, 2)
    assert (again.id, again.name, again.created_by) == (first.id, "choose again", "lea")
    assert [one.id for one in store.studies.all()] == [other.id, first.id]


def test_a_case_is_kept_once_and_counted(store: Store):
    study = store.studies.start("choose", "d1", {}, 2)
    store.studies.record(study.id, "digits, seed 0, erm", {"wga": float("nan")})
    store.studies.record(study.id, "digits, seed 0, erm", {"wga": 0.8})
    assert store.studies.entries(study.id) == {"digits, seed 0, erm": {"wga": 0.8}}
    assert store.studies.fetch(study.id).n_ended == 1


def test_a_study_that_starts_again_is_not_finished(store: Store):
    study = store.studies.start("choose", "d1", {}, 2)
    store.studies.finish(study.id)
    finished = store.studies.fetch(study.id)
    assert finished.finished_at is not None and finished.finished_at >= finished.started_at
    assert store.studies.start("choose", "d1", {}, 2).finished_at is None


def test_the_unfinished_studies_of_a_data_set_are_found(store: Store, dataset):
    here, there, done = (store.studies.start(name, name, {}, 2) for name in ("here", "there", "done"))
    for study in (here, done):
        store.studies.link(study.id, dataset.id)
    store.studies.finish(done.id)
    assert [one.id for one in store.studies.unfinished(dataset.id)] == [here.id] and there.finished_at is None


def test_what_a_study_has_made_is_not_what_it_found_there(store: Store, dataset):
    store.runs.submit(train_spec(dataset))
    study = store.studies.start("choose", "d1", {}, 2)
    store.studies.link(study.id, dataset.id)
    evaluations = []
    for seed in (0, 1):
        model, _ = store.runs.submit(train_spec(dataset, seed=seed))
        evaluations.append(store.runs.submit(EvaluateSpec(dataset=dataset.id, model=model.id))[0])
        store.studies.record(study.id, f"erm {seed}", {"evaluation": evaluations[-1].id})
    store.studies.record(study.id, "slim", {"status": "failed"})
    made = {model.id, *(one.id for one in evaluations)}
    assert store.studies.made(dataset.id) == made, "the model of seed 0 was there"
    other = store.studies.start("choose again", "d2", {}, 1)
    store.studies.link(other.id, dataset.id)
    store.studies.record(other.id, "erm 0", {"evaluation": evaluations[0].id})
    assert store.studies.made(dataset.id) == made


def test_what_a_study_trained_beside_the_model_that_validation_chose_is_made_by_it(store: Store, dataset):
    def jtt(epochs: int) -> tuple[Run, Run]:
        first, _ = store.runs.submit(train_spec(dataset).model_copy(update={"epochs": epochs, "selection": "last"}))
        options = {"errors_of": first.id, "upweight": 5}
        second, _ = store.runs.submit(parse_spec(train_spec(dataset).record() | how | {"objective_options": options}))
        return first, second

    how = {"objective": "jtt"}
    jtt(1)
    study = store.studies.start("choose", "d1", {}, 1)
    store.studies.link(study.id, dataset.id)
    chosen, tried = jtt(2), jtt(3)
    evaluation, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=chosen[1].id))
    how |= {"lr": 0.5}
    jtt(4)
    store.studies.record(study.id, "jtt", {"evaluation": evaluation.id})
    assert store.studies.made(dataset.id) == {one.id for one in (evaluation, *chosen, *tried)}


def test_a_study_that_is_not_there_is_named(store: Store):
    with pytest.raises(NotFoundError, match="no study 'study-x': see slim studies"):
        store.studies.fetch("study-x")
