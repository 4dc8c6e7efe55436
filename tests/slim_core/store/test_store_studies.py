"""Studies: kept by what was asked for, case by case."""

from __future__ import annotations

import pytest

from slim_core.errors import NotFoundError
from slim_core.store import Store


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


def test_a_study_that_is_not_there_is_named(store: Store):
    with pytest.raises(NotFoundError, match="no study 'study-x': see slim studies"):
        store.studies.fetch("study-x")
