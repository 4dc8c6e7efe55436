"""A button that queues a step: one that is there already is not queued twice, and what is queued is followed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.errors import QueueUnavailableError
from slim_core.steps.registry import parse_spec
from slim_core.store import Run
from tests.app.conftest import box, finish

AWAY = "Redis does not answer: start it. The run is saved and starts by itself once the queue is back."


@pytest.mark.usefixtures("filled_home")
def test_the_same_step_again_offers_the_finished_run_with_a_link(show) -> None:
    store = session.store()
    space = store.runs.all(kind="space")[0]
    n = len(store.runs.all())
    app = show("space", dataset=space.dataset_id)
    app.button(key="submit-space").click().run()
    assert not app.exception
    assert any("is done already" in info.value for info in app.info)
    assert any(f"run={space.id}" in link.proto.query_string for link in app.get("page_link"))
    assert len(store.runs.all()) == n


@pytest.mark.usefixtures("filled_home", "waiting_queue")
def test_what_was_submitted_for_one_data_set_is_not_shown_for_another(show, older) -> None:
    store = session.store()
    model, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": older.id, "model": "small-resnet"}))
    finish(model.id, {})
    mine = store.runs.all(kind="gradcam")[0].dataset_id
    app = show("attention", dataset=mine)
    app.button(key="submit-gradcam").click().run()
    sent = store.runs.all(kind="gradcam")[0]

    def is_followed() -> bool:
        assert not app.exception
        return any(f"run={sent.id}" in link.proto.query_string for link in app.get("page_link"))

    assert sent.status == "queued" and is_followed()
    box(app, "dataset").select(older.id).run()
    assert app.button(key="submit-gradcam") and not is_followed()
    box(app, "dataset").select(mine).run()
    assert is_followed()


@pytest.fixture
def silent_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue whose Redis is away."""

    def refuse(*_: Run) -> None:
        raise QueueUnavailableError(AWAY)

    monkeypatch.setattr(session, "queue", lambda: SimpleNamespace(submit=refuse, silence=lambda: AWAY))


@pytest.mark.usefixtures("filled_home", "silent_queue")
def test_what_a_press_saves_while_redis_is_away_is_followed(show) -> None:
    app = show("curate")
    next(each for each in app.number_input if each.label == "Seed").set_value(7).run()
    is_followed(app, "submit-curate", "curate")


@pytest.mark.usefixtures("filled_home", "silent_queue")
def test_a_preview_that_is_saved_while_redis_is_away_is_followed(show, older) -> None:
    model, _ = session.store().runs.submit(parse_spec({"kind": "train", "dataset": older.id, "model": "small-resnet"}))
    finish(model.id, {})
    is_followed(show("attention", dataset=older.id), "preview", "preview")


@pytest.mark.usefixtures("filled_home", "silent_queue")
def test_a_subset_that_is_saved_below_a_campaign_while_redis_is_away_is_followed(show) -> None:
    store = session.store()
    campaign = open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 2, 1: 2}), "lea")
    is_followed(show("annotate", campaign=campaign.id), "effect-curate", "curate")


def is_followed(app: AppTest, button: str, kind: str) -> None:
    """A press says that Redis is away, and shows the run that it has saved."""
    runs = session.store().runs
    known = {run.id for run in runs.all(kind=kind)}
    app.button(key=button).click().run()
    assert AWAY in [error.value for error in app.error] and not app.exception
    (saved,) = [run for run in runs.all(kind=kind) if run.id not in known]
    assert saved.status == "queued"
    assert any(f"run={saved.id}" in link.proto.query_string for link in app.get("page_link"))
