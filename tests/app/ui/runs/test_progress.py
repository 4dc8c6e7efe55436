"""Progress in words."""

from __future__ import annotations

import pytest

from app import session
from app.services import actions
from app.ui.runs import progress
from slim_core.store import Dataset
from tests.app.conftest import finish


@pytest.mark.usefixtures("waiting_queue")
def test_a_run_that_waits_for_another_one_says_which_and_not_that_workers_are_missing(dataset: Dataset) -> None:
    model, _ = actions.save({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}, name="Reference *1*")
    maps, _ = actions.save({"kind": "gradcam", "dataset": dataset.id, "model": model.id})
    assert progress.text(model) == "waiting for a worker"
    assert progress.text(maps) == r"waiting for Reference \*1\*"
    session.store().queue.pause("Bob")
    assert progress.text(model) == "paused by Bob"
    session.store().queue.resume("Bob")
    finish(model.id, {})
    assert progress.text(maps) == "waiting for a worker"


@pytest.mark.usefixtures("waiting_queue")
def test_of_many_runs_those_that_run_and_the_next_ones_are_rows_and_the_rest_is_counted(show, dataset: Dataset) -> None:
    training = {"kind": "train", "dataset": dataset.id, "model": "small-resnet"}
    runs = [actions.save(training | {"seed": seed}, name=f"Seed {seed}")[0] for seed in range(212)]
    session.store().queue.claim(runs[5].id, "w", "cpu")
    app = show("overview", dataset=dataset.id)
    rows = [text.value for text in app.markdown if "**Seed " in text.value]
    assert [row.partition("**")[2] for row in rows] == [f"Seed {seed}**" for seed in (5, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10)]
    assert "and 201 more" in [caption.value for caption in app.caption]
