"""A campaign whose space was deleted: its answers stay and go on to another one, and each part of the page says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app import session
from app.annotate.questions import attention_of
from slim_core.annotation.answer_export import export
from slim_core.annotation.answer_import import import_file
from slim_core.annotation.plan import Plan, open_campaign
from slim_core.errors import AnswersRefusedError
from slim_core.store import AnswerIn, Campaign, CampaignSettings
from tests.app.annotate.test_routes import post, upcoming
from tests.app.conftest import Show

if TYPE_CHECKING:
    from starlette.testclient import TestClient

pytestmark = pytest.mark.usefixtures("filled_home")
GONE = "was deleted"


@pytest.fixture
def campaign() -> Campaign:
    """Half answered; the page has shown its images, then its space was deleted with all that was made from it."""
    store = session.store()
    space = store.runs.all(kind="space")[0]
    made = open_campaign(store, Plan(space.id, {0: 4, 1: 4}, name="left alone", overlap=2), "lea")
    items = store.campaigns.items(made.id)
    for who, value in (("ann", 1), ("ben", 0)):
        given = [AnswerIn(f"{who}-{item.id}", item.id, value) for item in items[:4]]
        store.answers.save(made.id, who, given)
    assert attention_of(made)
    store.runs.delete(space.id, cascade=True)
    return made


def test_a_page_that_was_open_shows_nothing_more_and_what_was_answered_is_kept(
    client: TestClient, campaign: Campaign
) -> None:
    reply = upcoming(client, campaign)
    assert reply.status_code == 400 and GONE in reply.json()["error"]
    item = session.store().campaigns.items(campaign.id)[5]
    kept = post(client, campaign, [{"id": "late", "item": item.id, "value": 1}])
    assert kept.json()["ids"] == ["late"]
    with pytest.raises(AnswersRefusedError, match=GONE):
        attention_of(campaign)


@pytest.mark.parametrize("section", ["answer", "campaign", "agreement"])
def test_every_part_of_the_page_opens_and_leads_on(show: Show, campaign: Campaign, section: str) -> None:
    app = show("annotate", campaign=campaign.id, section=section)
    assert [GONE in one.value for one in app.error] == ([] if section == "agreement" else [True])
    assert any("import these answers" in one.value for one in app.markdown)
    assert not any(str(one.key).startswith("effect-") for one in app.button)


def test_without_any_space_a_new_campaign_begins_with_one(show: Show, campaign: Campaign) -> None:
    assert session.store().runs.all(kind="space") == []
    app = show("annotate", campaign=campaign.id, section="new")
    assert any("**Next:** build an attention" in one.value for one in app.markdown)
    assert not any("press *Open the" in one.value for one in app.markdown)


def test_its_answers_go_on_in_a_campaign_on_another_space(campaign: Campaign) -> None:
    store = session.store()
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    other = store.campaigns.create("next", campaign.dataset_id, None, rows, settings=CampaignSettings(overlap=2))
    import_file(store, other, b"".join(export(store, campaign, "csv", current=True)), "lea")
    assert store.answers.current(other.id, "ann") == store.answers.current(campaign.id, "ann")
