"""Every page that submits says that the queue is paused, and a lead resumes it by one press."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from app import navigation, session
from app.access import Viewer
from app.services import actions
from slim_core.errors import ForbiddenError
from slim_core.store import Dataset
from tests.app.conftest import Show, worker_online
from tests.slim_core.import_graph import imported, nodes

PAGES = [name for entries in navigation.PAGES.values() for name, _ in entries]
APP = Path(navigation.__file__).parent
SUBMITS = {"submit", "save", "wake", "wake_all", "run_again", "run_with", "retry", "register_model"}  # of actions
QUEUE = ("app.ui.submit", "app.ui.training", "app.services.queueing", "app.services.campaign_actions")


def told(app) -> str:
    return "\n".join(one.value for one in app.markdown)


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("page", PAGES)
def test_each_page_that_submits_says_who_paused_it_and_when(show: Show, page: str) -> None:
    session.store().queue.pause("lea *m*")
    app = show(page)
    is_said = r"lea \*m\* paused the queue on" in told(app)
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
    assert "paused by" not in told(show("overview")) and "wait for the steps" in told(show("overview"))
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
