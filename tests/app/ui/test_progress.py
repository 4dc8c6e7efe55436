"""Runs under way: their progress, what ends while a page is drawn, and the pause of the queue."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app import navigation, session
from app.services import actions
from app.session import Viewer
from app.ui import progress
from slim_core.errors import ForbiddenError
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset, Run
from tests.app.as_if import as_if_status
from tests.app.conftest import Show, finish, texts, worker_online
from tests.slim_core.import_graph import imported, nodes


@pytest.mark.usefixtures("waiting_queue")
def test_a_run_that_waits_for_another_one_says_which_and_not_that_workers_are_missing(dataset: Dataset) -> None:
    model, _ = actions.save({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}, name="Reference *1*")
    maps, _ = actions.save({"kind": "gradcam", "dataset": dataset.id, "model": model.id})
    assert progress.text(model).endswith("no workers online")
    worker_online()
    assert progress.text(model).endswith("a worker")
    for why, text in (("Full.", "the disk"), (None, "a worker")):
        session.store().workers.block("w", why)
        assert progress.text(model).endswith(text)
    assert progress.text(maps) == r"waiting for Reference \*1\*"
    session.store().queue.pause("Bob")
    assert progress.text(model) == "paused by Bob"
    session.store().queue.resume("Bob")
    finish(model.id, {})
    assert progress.text(maps).endswith("a worker")


@pytest.mark.usefixtures("waiting_queue")
def test_where_no_worker_is_online_the_next_step_is_to_see_why_and_not_to_wait(show, dataset: Dataset) -> None:
    run, _ = actions.save({"kind": "train", "dataset": dataset.id, "model": "small-resnet"})

    def next_one() -> str:
        return next(text.value for text in show("train", run=run.id).markdown if "**Next:**" in text.value)

    assert "no workers" in next_one()
    session.store().queue.pause("Bob")
    assert "resume the queue" in next_one(), "that comes first"
    session.store().queue.resume("Bob")
    session.store().attempts.claim(run.id, "w", "cpu")
    assert "wait for the" in next_one(), "a worker whose heartbeat is late has it"


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
    assert "shards are kept" in progress._kept(whole)
    assert replace(whole, progress=whole.progress | {"shards_running": 0}).shown_status == "queued"


TRAINING = {"kind": "train", "model": "small-resnet", "seed": 7}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of a page runs by itself here: it does not wait for that."""
    monkeypatch.setattr(progress, "PAUSE_S", 0.0)


def ends_late(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """The run is under way, and ends when the page comes to what is under way: all above that was read before."""
    as_if_status(run, "queued")
    read = progress._under_way_and_newest

    def read_later(*about: str | None) -> list[Run]:
        if session.store().runs.fetch(run.id).status == "queued":
            as_if_status(run, "done")
        return read(*about)

    monkeypatch.setattr(progress, "_under_way_and_newest", read_later)


def only(kind: str) -> Run:
    """The newest run of a kind, of which there is no other."""
    runs = session.store().runs
    newest, *others = runs.all(kind=kind)
    for one in others:
        runs.delete(one.id)
    return newest


@pytest.mark.usefixtures("filled_home", "at_once")
@pytest.mark.parametrize(
    ("kind", "page", "todo"),
    [
        ("gradcam", "attention", "*Compute attention maps*"),
        ("space", "space", "*Build the space*"),
        ("curate", "curate", "*Curate this subset*"),
        ("evaluate", "compare", "No model is"),
        ("evaluate", "train", "Evaluate the model"),
    ],
)
def test_what_a_page_needs_is_on_it_that_ends_while_it_is_drawn(show, monkeypatch, kind, page, todo) -> None:
    ends_late(monkeypatch, run := only(kind))
    app = show(page, **({"run": run.spec["model"]} if page == "train" else {}))
    assert todo not in texts(app) and (page != "compare" or len(app.dataframe[0].value) == 1)


@pytest.mark.usefixtures("filled_home", "at_once", "waiting_queue")
def test_a_result_is_on_overview_that_ends_while_something_else_is_under_way(show, monkeypatch) -> None:
    runs = session.store().runs
    evaluation = next(one for one in runs.all(kind="evaluate") if "slim" in (one.name or ""))
    runs.submit(parse_spec(TRAINING | {"dataset": evaluation.dataset_id}))
    ends_late(monkeypatch, evaluation)
    assert "verdict rests on" in texts(show("overview"))


@pytest.mark.usefixtures("filled_home", "at_once")
def test_a_space_is_on_compare_that_ends_while_that_is_drawn(show, monkeypatch) -> None:
    space, shown = only("space"), progress.show_pipelines
    as_if_status(space, "queued")

    def show_later(*about: Any) -> frozenset[str]:
        as_if_status(space, "done")
        return shown(*about)

    monkeypatch.setattr(progress, "show_pipelines", show_later)
    app = show("compare", view="Space")
    assert app.button(key="build-spaces").label == "Build it", "that of the other model is missing"


@pytest.mark.usefixtures("filled_home")
def test_the_page_is_drawn_whole_before_it_is_drawn_again(show, monkeypatch) -> None:
    """Where runs end each second, it would never come to its end."""
    ends_late(monkeypatch, only("evaluate"))
    app = show("compare")
    assert "is evaluated yet." in texts(app) and "**Next:**" in texts(app), "as it was read"


@pytest.mark.usefixtures("filled_home", "at_once")
def test_it_is_not_drawn_again_for_a_run_that_it_does_not_show(show, monkeypatch) -> None:
    runs = session.store().runs
    training, _ = runs.submit(parse_spec(TRAINING | {"dataset": only("evaluate").dataset_id}))
    ends_late(monkeypatch, training)
    asked = []
    monkeypatch.setattr(progress, "_draw_again", asked.append)
    show("compare")
    assert not asked and runs.fetch(training.id).status == "done"
    ends_late(monkeypatch, only("evaluate"))
    show("compare")
    assert len(asked) == 1


PAGES = [name for entries in navigation.PAGES.values() for name, _ in entries]
APP = Path(navigation.__file__).parent
SUBMITS = {"submit", "save", "wake", "wake_all", "run_again", "run_with", "retry"}  # of actions
QUEUE = ("app.ui.submit", "app.ui.training", "app.services.queueing", "app.services.campaign_actions")


def told(app) -> str:
    return "\n".join(one.value for one in app.markdown)


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("page", PAGES)
def test_each_page_that_submits_says_who_paused_it_and_when(show: Show, page: str) -> None:
    session.store().queue.pause("lea *m*")
    app = show(page)
    is_said = "lea \\*m\\* paused the queue" in told(app)
    assert is_said == (page not in navigation.SUBMIT_NOTHING)


def test_the_pages_that_say_nothing_submit_nothing() -> None:
    assert set(vars(actions)) >= SUBMITS
    refused = (*QUEUE, *(f"{actions.__name__}.{name}" for name in SUBMITS))
    files = [path for page in navigation.SUBMIT_NOTHING for path in (APP / page).rglob("*.py")]
    assert not [
        f"{path} imports {name}" for path in files for name in imported(nodes(path), path) if name.startswith(refused)
    ]
    assert not [
        f"{path} calls actions.{node.attr}"
        for path in files
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id == "actions" and node.attr in SUBMITS
    ]


@pytest.mark.usefixtures("dataset")
def test_a_lead_pauses_on_jobs_and_resumes_anywhere(show: Show) -> None:
    app = show("jobs")
    assert "paused the queue" not in told(app)
    app.button(key="queue-pause").click().run()
    assert "local paused the queue" in told(app) and "queue-pause" not in [one.key for one in app.button]
    app = show("train")
    app.button(key="queue-resume").click().run()
    assert "paused the queue" not in told(app) and session.store().queue.paused() is None
    whats = [event.what for event in session.store().events.recent(subject="queue")]
    assert whats == ["queue.resumed", "queue.paused"]


def test_no_waiting_is_advised_while_it_is_paused(show: Show, dataset: Dataset) -> None:
    worker_online()
    show("overview").button(key="loop-questions").click().run()
    store = session.store()
    train = store.runs.all(kind="train")[0]
    assert "paused by" not in told(show("overview")) and "for the steps" in told(show("overview"))
    store.queue.pause("Bob")
    app = show("overview")
    assert "paused by Bob" in told(app)
    assert app.get("progress")[0].proto.text == "Step 1 of 5: training · paused by Bob"
    for page, link in (("overview", {}), ("train", {"run": train.id}), ("jobs", {"run": train.id}), ("space", {})):
        assert "**Next:** resume the queue, which Bob has paused." in told(show(page, **link)), page


def test_who_is_no_lead_reads_it_and_cannot_press(
    show: Show, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "viewer", lambda: Viewer("ann", "annotator"))
    assert "queue-pause" not in [one.key for one in show("jobs").button]
    session.store().queue.pause("lea")
    app = show("jobs", dataset=dataset.id)
    assert "lea paused the queue" in told(app) and "queue-resume" not in [one.key for one in app.button]
    for refused in (actions.pause_queue, actions.resume_queue):
        with pytest.raises(ForbiddenError, match="requires the role lead"):
            refused()
