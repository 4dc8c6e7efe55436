"""A step that is there already is offered with a link instead of being queued twice."""

from __future__ import annotations

import pytest

from app import session
from slim_core.steps.registry import parse_spec
from tests.app.conftest import box, finish


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
