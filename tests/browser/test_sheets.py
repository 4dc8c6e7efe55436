"""Sheets of environments by keys in a real browser: an answer a key, none while a name is typed, and the way back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from slim_core.annotation.plan import Plan, open_campaign
from slim_core.space.sheets import MIXED, NO, QUESTION
from slim_core.store import Campaign, Store
from tests.browser.steps import calm, images_held, shown, until

pytestmark = [pytest.mark.browser, pytest.mark.redis]
PATIENCE_MS = 60_000


@pytest.fixture
def campaign(store: Store) -> Campaign:
    """Nobody has answered yet."""
    space = store.runs.all(kind="space", status="done")[0]
    return open_campaign(store, Plan(space.id, {0: 2, 1: 2}, name="Sheets"), "lea")


def opened(page: Page, address: str, campaign: Campaign, sheet: str = "") -> Locator:
    """The field for the name, with the sheet's images below it."""
    page.goto(f"{address}/annotate?campaign={campaign.id}&section=environments{sheet and f'&sheet={sheet}'}")
    expect(page.get_by_text(QUESTION)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".slim-pictures img").first).to_be_visible(timeout=PATIENCE_MS)
    shown(page)
    return page.get_by_role("textbox", name="What they share (optional)")


def test_keys_answer_split_and_undo(page: Page, address: str, store: Store, campaign: Campaign) -> None:
    opened(page, address, campaign)
    page.keyboard.press("n")
    expect(page.get_by_text("1 of ")).to_be_visible(timeout=PATIENCE_MS)
    shown(page)
    page.keyboard.press("m")
    expect(page.get_by_role("radio", name="1.1")).to_be_visible(timeout=PATIENCE_MS)
    said = store.environment_answers.consensus(campaign.id)
    assert {path: one.value for path, one in said.items()} == {"0": NO, "1": MIXED}
    shown(page)
    page.keyboard.press("z")
    expect(page.get_by_role("radio", name="1.1")).to_have_count(0, timeout=PATIENCE_MS)
    assert set(store.environment_answers.consensus(campaign.id)) == {"0"}
    assert [vote.annotator for vote in store.environment_answers.votes(campaign.id)] == ["ann"]


def test_a_sheet_whose_images_are_on_their_way_takes_no_answer(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    """By no key and no click; a name can be typed meanwhile."""
    name = page.get_by_role("textbox", name="What they share (optional)")
    with images_held(page):
        page.goto(f"{address}/annotate?campaign={campaign.id}&section=environments")
        expect(name).to_be_visible(timeout=PATIENCE_MS)
        expect(page.get_by_text("Loading images ...")).to_be_visible(timeout=PATIENCE_MS)
        calm(page)
        for key in ("n", "y", "m", "u"):
            page.keyboard.press(key)
        page.get_by_role("button", name="No", exact=False).filter(has_text="No").first.click()
        name.click()
        page.keyboard.type("sunny")
        assert store.environment_answers.consensus(campaign.id) == {}
    expect(page.get_by_text("Loading images ...")).to_be_hidden(timeout=PATIENCE_MS)
    name.blur()
    shown(page)
    page.keyboard.press("n")
    until(lambda: store.environment_answers.consensus(campaign.id))
    assert [(one.value, one.name) for one in store.environment_answers.consensus(campaign.id).values()] == [
        (NO, "sunny")
    ]


def test_a_name_is_typed_without_answering_and_kept_with_the_answer(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    name = opened(page, address, campaign, sheet="1")
    name.click()
    page.keyboard.type("many sunny lawns")
    assert store.environment_answers.consensus(campaign.id) == {}, "its letters are keys of answers, too"
    page.get_by_role("button", name="Yes").click()
    until(lambda: store.environment_answers.consensus(campaign.id))
    assert store.environment_answers.consensus(campaign.id)["1"].name == "many sunny lawns"
    expect(page.get_by_role("radio", name="many sunny lawns · yes")).to_be_visible(timeout=PATIENCE_MS)
