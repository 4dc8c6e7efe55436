"""The loop in two presses: what is queued, in which order; stopped and resumed as one."""

from __future__ import annotations

from contextlib import suppress

import pytest

from app import session
from app.services import queueing
from slim_core.errors import QueueUnavailableError
from slim_core.store import Dataset, Pipeline
from tests.app.conftest import newest_pipeline


def to_questions(dataset: Dataset, **asked: object) -> Pipeline:
    with suppress(QueueUnavailableError):  # no Redis here: all is saved nevertheless
        queueing.to_questions(dataset, queueing.reference_spec(dataset, epochs=3), **asked)
    return newest_pipeline(dataset.id)


def test_one_press_queues_all_steps_up_to_the_questions(dataset: Dataset) -> None:
    with pytest.raises(QueueUnavailableError, match="5 runs are saved"):
        queueing.to_questions(dataset, queueing.reference_spec(dataset, epochs=3), share=0.2)
    pipeline = newest_pipeline(dataset.id)
    assert [run.kind for run in pipeline.runs] == ["train", "gradcam", "space", "evaluate", "candidates"]
    by_kind = {run.kind: run for run in pipeline.runs}
    assert (by_kind["train"].spec["model"], by_kind["train"].spec["epochs"]) == ("small-resnet", 3)
    assert by_kind["space"].spec["attention"] == by_kind["gradcam"].id
    assert by_kind["candidates"].spec["space"] == by_kind["space"].id and by_kind["candidates"].spec["share"] == 0.2
    assert by_kind["evaluate"].spec["model"] == by_kind["gradcam"].spec["model"] == by_kind["train"].id
    assert pipeline.state == "active" and {run.created_by for run in pipeline.runs} == {"local"}


def test_a_second_press_queues_nothing_twice(dataset: Dataset) -> None:
    first = to_questions(dataset)
    assert [run.id for run in to_questions(dataset).runs] == [run.id for run in first.runs]
    assert len(session.store().runs.all()) == 5


def test_all_steps_are_stopped_and_resumed_together(dataset: Dataset) -> None:
    pipeline = to_questions(dataset)
    queueing.stop(pipeline)
    stopped = newest_pipeline(dataset.id)
    assert stopped.state == "unfinished" and {run.status for run in stopped.runs} == {"canceled"}
    with pytest.raises(QueueUnavailableError):
        queueing.resume(stopped)
    assert {run.status for run in newest_pipeline(dataset.id).runs} == {"queued"}


def test_a_step_that_failed_is_resumed_with_those_that_failed_for_it(dataset: Dataset) -> None:
    store, pipeline = session.store(), to_questions(dataset)
    train = pipeline.runs[0]
    store.attempts.fail(train.id, store.attempts.claim(train.id, "w", "cpu"), "No memory.")
    failed = newest_pipeline(dataset.id)
    assert {run.status for run in failed.runs} == {"failed"} and failed.state == "unfinished"
    with suppress(QueueUnavailableError):
        queueing.resume(failed)
    assert {run.status for run in newest_pipeline(dataset.id).runs} == {"queued"}


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_the_answers_lead_to_a_comparison_in_one_press() -> None:
    store = session.store()
    (campaign,) = store.campaigns.all()
    queueing.to_comparison(campaign)
    pipeline = newest_pipeline(campaign.dataset_id)
    assert [run.kind for run in pipeline.runs][-2:] == ["train", "evaluate"] and pipeline.kind == "comparison"
    subset = store.runs.fetch(pipeline.runs[-2].spec["subset"])
    assert subset.campaign_id == campaign.id


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_a_subset_that_is_there_leads_to_a_retrained_model_and_its_evaluation() -> None:
    subset = session.store().runs.all(kind="curate")[0]
    pipeline = queueing.to_retraining(subset, "scratch", 3)
    train, evaluate = pipeline.runs
    assert (pipeline.kind, train.spec["subset"], train.spec["seed"]) == ("retraining", subset.id, 3)
    assert evaluate.spec["model"] == train.id and pipeline.state == "active"
