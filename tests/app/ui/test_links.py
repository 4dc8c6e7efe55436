"""Links to the page that one is on: what they name is shown, also where it was there a moment ago."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from slim_core.annotation.plan import Plan, open_campaign
from tests.app.conftest import Show, button


def address(app: AppTest) -> str:
    """Which part of the page it names."""
    said = app.query_params["section"]
    return said if isinstance(said, str) else said[0]


@pytest.mark.usefixtures("filled_home")
def test_a_link_back_to_what_was_left_a_moment_ago_is_followed_at_once(show: Show) -> None:
    store = session.store()
    campaign = open_campaign(store, Plan(store.runs.all(kind="space")[0].id, {0: 2, 1: 2}), "lea")
    app = show("annotate", dataset=campaign.dataset_id, campaign=campaign.id)
    app.segmented_control(key="annotate-section").set_value("Campaign").run()
    assert address(app) == "campaign"
    button(app, "Answer").click().run()
    assert not app.exception
    assert address(app) == "answer"
    app.run()
    assert address(app) == "answer"
