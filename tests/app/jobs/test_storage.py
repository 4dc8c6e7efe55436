"""What uses the disk: shown on demand, and runs without dependents go together."""

from __future__ import annotations

import pytest
from streamlit.runtime.scriptrunner import RerunData, get_script_run_ctx
from streamlit.testing.v1 import AppTest

from app import session
from app.jobs.all_runs import CHOSEN
from app.services import actions
from slim_core.steps.specs import parse_spec
from tests.app.conftest import Show

pytestmark = pytest.mark.usefixtures("filled_home")


def asked(app: AppTest) -> None:
    [button] = [each for each in app.button if each.label.endswith("uses the disk")]
    button.click().run()


def three_chosen(show: Show) -> tuple[AppTest, list[str]]:
    """The page with three runs chosen to be deleted."""
    store, first = session.store(), next(one.run for one in session.store().storage.runs() if one.can_go)
    copies = [store.runs.submit(parse_spec(first.spec), force=True)[0].id for _ in range(3)]
    for one in copies:
        store.attempts.request_stop(one)
    app = show("jobs")
    asked(app)
    app.multiselect(key=CHOSEN).set_value(copies).run()
    return app, copies


def test_it_is_read_when_asked_for_and_what_can_go_goes(show: Show) -> None:
    app = show("jobs")
    assert not any("**runs**" in one.value for one in app.markdown)
    asked(app)
    assert any("**runs**" in one.value and "**database**" in one.value for one in app.markdown)
    free = [one.run.id for one in session.store().storage.runs() if one.can_go]
    app.multiselect(key=CHOSEN).select(free[0]).run()
    pressed = app.button(key="storage-delete")
    for _ in range(2):
        pressed.click().run()
        assert not app.exception and session.store().runs.find(free[0]) is None
        assert app.multiselect(key=CHOSEN).value == []
        assert not any(free[0] in one.value for one in app.error), "a second click is about none"
    kept = {one.run.id for one in session.store().storage.runs()}
    assert set(free[1:]) <= kept


def test_all_go_though_another_page_is_opened_meanwhile(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    store, (app, copies) = session.store(), three_chosen(show)
    delete = actions.delete_run

    def delete_and_be_interrupted(run_id: str, *, cascade: bool) -> None:
        delete(run_id, cascade=cascade)
        get_script_run_ctx().script_requests.request_rerun(RerunData(widget_states=None))

    monkeypatch.setattr(actions, "delete_run", delete_and_be_interrupted)
    app.button(key="storage-delete").click().run()
    assert [store.runs.find(one) for one in copies] == [None] * 3


def test_who_may_not_delete_sees_sizes_alone(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(session.viewer()), "may", lambda _self, role: role == "viewer")
    app = show("jobs")
    asked(app)
    assert any("**runs**" in one.value for one in app.markdown)
    assert not [each for each in app.multiselect if each.key == CHOSEN]
