"""Progress in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import session
from app.services import actions
from app.ui import progress
from slim_core.store import Dataset
from tests.app.conftest import finish, worker_online


@pytest.mark.usefixtures("waiting_queue")
def test_a_run_that_waits_for_another_one_says_which_and_not_that_workers_are_missing(dataset: Dataset) -> None:
    model, _ = actions.save({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}, name="Reference *1*")
    maps, _ = actions.save({"kind": "gradcam", "dataset": dataset.id, "model": model.id})
    assert progress.text(model) == "waiting: no workers online"
    worker_online()
    assert progress.text(model) == "waiting for a worker"
    for why, text in (("Full.", "waiting for room on the disk"), (None, "waiting for a worker")):
        session.store().workers.block("w", why)
        assert progress.text(model) == text
    assert progress.text(maps) == r"waiting for Reference \*1\*"
    session.store().queue.pause("Bob")
    assert progress.text(model) == "paused by Bob"
    session.store().queue.resume("Bob")
    finish(model.id, {})
    assert progress.text(maps) == "waiting for a worker"


@pytest.mark.usefixtures("waiting_queue")
def test_where_no_worker_is_online_the_next_step_is_to_see_why_and_not_to_wait(show, dataset: Dataset) -> None:
    run, _ = actions.save({"kind": "train", "dataset": dataset.id, "model": "small-resnet"})

    def next_one() -> str:
        return next(text.value for text in show("train", run=run.id).markdown if "**Next:**" in text.value)

    assert next_one() == "**Next:** see why no workers are online. Nothing runs without one."
    session.store().queue.pause("Bob")
    assert "resume the queue" in next_one(), "that comes first"
    session.store().queue.resume("Bob")
    session.store().attempts.claim(run.id, "w", "cpu")
    assert "wait for the training" in next_one(), "a worker whose heartbeat is late has it"


@pytest.mark.usefixtures("waiting_queue")
def test_of_many_runs_those_that_run_and_the_next_ones_are_rows_and_the_rest_is_counted(show, dataset: Dataset) -> None:
    training = {"kind": "train", "dataset": dataset.id, "model": "small-resnet"}
    runs = [actions.save(training | {"seed": seed}, name=f"Seed {seed}")[0] for seed in range(212)]
    session.store().attempts.claim(runs[5].id, "w", "cpu")
    app = show("overview", dataset=dataset.id)
    rows = [text.value for text in app.markdown if "**Seed " in text.value]
    assert [row.partition("**")[2] for row in rows] == [f"Seed {seed}**" for seed in (5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10)]
    assert "and 201 more" in [caption.value for caption in app.caption]


@pytest.mark.usefixtures("waiting_queue")
def test_a_pass_whose_shards_are_under_way_is_running_and_says_how_long_still(dataset: Dataset) -> None:
    """Above 20,000 images every pass is one of shards: it waits for them in the queue and would read as waiting."""
    run, _ = actions.save({"kind": "train", "dataset": dataset.id, "model": "small-resnet"})
    shards = {"phase": "4 of 11 shards", "shards": 11, "shards_done": 4, "shards_running": 1, "seconds_left": 75.0}
    whole = replace(run, progress={"done": 84_736, "total": 202_599, **shards})
    assert progress.text(whole) == "4 of 11 shards · 84,736 of 202,599 · 1 min 15 s left"
    assert whole.shown_status == "running"
    assert progress._kept(whole) == "Its finished shards are kept: a retry computes the others."
    assert replace(whole, progress=whole.progress | {"shards_running": 0}).shown_status == "queued"
