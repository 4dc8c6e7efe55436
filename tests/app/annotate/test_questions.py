"""What an annotator is shown of an image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import session
from app.annotate import questions
from app.routes.images import open_maps
from slim_core.steps.specs import parse_spec
from slim_core.store import Campaign
from tests.app.conftest import finish

pytestmark = pytest.mark.usefixtures("filled_home")


def asked(campaign: Campaign) -> list[dict]:
    return questions.described(campaign, session.store().campaigns.items(campaign.id))


def test_a_campaign_goes_on_when_a_pass_that_scored_its_maps_again_is_deleted() -> None:
    store = session.store()
    (campaign,) = store.campaigns.all()
    space = store.runs.fetch(str(campaign.space_run_id))
    first = store.runs.fetch(space.spec["attention"])
    item = store.campaigns.items(campaign.id)[0]
    store.shapes.keep(campaign.dataset_id, item.row, [[[1, 1], [9, 1], [9, 9]]], (64, 64), id="drawn")
    again, is_new = store.runs.submit(parse_spec(first.spec))
    assert is_new
    finish(again.id, first.metrics or {}, like=first)
    before = asked(campaign)
    open_maps(questions.attention_of(campaign))
    store.runs.delete(again.id, by="lea")
    open_maps(questions.attention_of(campaign))
    assert asked(campaign) == before


def test_an_image_comes_with_the_guideline_of_its_class_unless_that_would_tell_the_class() -> None:
    store = session.store()
    (campaign,) = store.campaigns.all()
    assert {one["guideline"] for one in asked(campaign)} == {None}
    told = replace(campaign, options=campaign.options | {"absent": [0], "guidelines": {"1": "On the beak."}})
    labels = {one.id: one.label for one in store.campaigns.items(campaign.id)}
    expected = {0: questions.ABSENCE, 1: "On the beak."}
    assert all(one["guideline"] == expected[labels[one["id"]]] for one in asked(told))
    blind = replace(told, options=told.options | {"blind": True})
    assert not any("guideline" in one for one in asked(blind))
