"""Deleting what campaigns hang on: they are named with the answers they keep, and let go only by a tick."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.store import AnswerIn, Campaign, Run
from tests.app.conftest import Show

pytestmark = pytest.mark.usefixtures("filled_home")


def told(app: AppTest) -> str:
    return "\n".join(one.value for one in app.markdown)


def space_without_runs() -> Run:
    """A space that only campaigns hang on."""
    runs = session.store().runs
    space = runs.all(kind="space")[0]
    for child in runs.children(space.id):
        runs.delete(child.id, cascade=True)
    return space


def asked(space: Run, name: str) -> Campaign:
    """A campaign on a space, with three answers."""
    store = session.store()
    made = open_campaign(store, Plan(space.id, {0: 4, 1: 4}, name=name), "lea")
    given = [
        AnswerIn(f"{made.id}-{item.id}", item.id, 1, duration_ms=2000) for item in store.campaigns.items(made.id)[:3]
    ]
    store.answers.save(made.id, "ann", given)
    return made


def test_a_space_that_only_a_campaign_hangs_on_goes_by_a_tick_and_its_answers_stay(show: Show) -> None:
    store, space = session.store(), space_without_runs()
    campaign = asked(space, "first *look*")
    app = show("jobs", run=space.id)
    assert (
        r"first \*look\*: 3 images" in told(app) and "3 votes, 0.1 min" in told(app) and "answers are kept" in told(app)
    )
    assert app.button(key=f"delete-{space.id}").disabled
    app.checkbox(key=f"cascade-{space.id}").check().run()
    app.button(key=f"delete-{space.id}").click().run()
    assert not app.exception
    assert store.runs.find(space.id) is None
    assert len(store.answers.current(campaign.id)) == 3


def test_campaigns_on_what_was_made_from_a_run_are_named_too(show: Show) -> None:
    store = session.store()
    asked(store.runs.all(kind="space")[0], "second look")
    attention = store.runs.all(kind="gradcam")[0]
    app = show("jobs", run=attention.id)
    assert "second look: 3 images" in told(app)
    assert "without" in app.checkbox(key=f"cascade-{attention.id}").label


def test_what_was_made_from_a_run_since_the_list_was_read_does_not_go_with_it(show: Show) -> None:
    store, space = session.store(), session.store().runs.all(kind="space")[0]
    app = show("jobs", run=space.id)
    app.checkbox(key=f"cascade-{space.id}").check().run()
    made = asked(space, "third look")
    app.button(key=f"delete-{space.id}").click().run()
    (refused,) = [one.value for one in app.error]
    assert "changed meanwhile" in refused
    assert store.runs.find(space.id) is not None and "third look: 3 images" in told(app)
    app.button(key=f"delete-{space.id}").click().run()
    assert store.runs.find(space.id) is None and len(store.answers.current(made.id)) == 3
