"""The annotator: what happens when the connection, the page or the person does something else."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from slim_core.store import Campaign, Store
from tests.browser.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

ANSWERS = "/api/answers"


@pytest.fixture
def campaign(store: Store) -> Campaign:
    """A campaign of its own for each test: six images."""
    (space,) = store.runs.all(kind="space")
    rows = np.load(store.artifacts.folder(space.id) / "rows.npy")[:6]
    return store.campaigns.create("Six images", space.dataset_id, space.id, rows)


@pytest.fixture
def annotator(page: Page, address: str, campaign: Campaign) -> Page:
    """The page of that campaign, ready for keys."""
    open_campaign(page, address, campaign)
    return page


def open_campaign(page: Page, address: str, campaign: Campaign) -> None:
    visit(page, address, "annotate", f"?campaign={campaign.id}")
    expect(page.locator(".slim-annotator[data-ready=true]")).to_be_visible(timeout=30_000)


def unsent(page: Page, n: int) -> None:
    expect(page.locator(f".slim-annotator[data-unsent='{n}']")).to_be_attached(timeout=15_000)


def test_answers_outlive_a_lost_connection_and_a_reload(
    annotator: Page, address: str, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    tolerated.add(ANSWERS)
    annotator.route(f"**{ANSWERS}", lambda route: route.abort())
    for key in "101":
        annotator.keyboard.press(key)
    unsent(annotator, 3)
    expect(annotator.get_by_text("No connection. 3 answers wait in this browser")).to_be_visible()
    open_campaign(annotator, address, campaign)
    expect(annotator.get_by_text("3 of 6 answered").first).to_be_visible()
    assert store.campaigns.current(campaign.id) == {}
    annotator.unroute(f"**{ANSWERS}")
    unsent(annotator, 0)
    asked = [item.row for item in store.campaigns.items(campaign.id)]
    assert store.campaigns.current(campaign.id) == {asked[0]: 1, asked[1]: 0, asked[2]: 1}
    assert len(store.campaigns.answers(campaign.id)) == 3


def test_an_answer_whose_acknowledgement_was_lost_counts_once(
    annotator: Page, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    tolerated.add(ANSWERS)
    lost = []

    def deliver_but_lose_the_reply(route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch().status)
        route.abort()

    annotator.route(f"**{ANSWERS}", deliver_but_lose_the_reply)
    annotator.keyboard.press("u")
    unsent(annotator, 0)
    assert lost == [200]
    assert store.campaigns.answers(campaign.id)["value"].tolist() == [-1]


def test_the_page_opens_where_the_server_says_and_undo_goes_back_to_earlier_answers(
    annotator: Page, address: str, store: Store, campaign: Campaign
) -> None:
    asked = [item.row for item in store.campaigns.items(campaign.id)]
    annotator.keyboard.press("1")
    annotator.keyboard.press("0")
    unsent(annotator, 0)
    annotator.evaluate("localStorage.clear()")
    open_campaign(annotator, address, campaign)
    stage = annotator.locator(".slim-annotator [data-part=stage]")
    expect(stage).to_have_attribute("data-row", str(asked[2]))
    annotator.keyboard.press("z")
    expect(stage).to_have_attribute("data-row", str(asked[1]))
    unsent(annotator, 0)
    assert store.campaigns.current(campaign.id) == {asked[0]: 1}


def test_typing_in_a_field_and_held_keys_and_shortcuts_answer_nothing(
    annotator: Page, store: Store, campaign: Campaign
) -> None:
    annotator.get_by_text("Open a new campaign").click()
    name = annotator.get_by_role("textbox", name="Name")
    name.click()
    annotator.keyboard.type("1010uz")
    annotator.locator(".slim-annotator .question").click()
    annotator.keyboard.press("Control+1")
    unsent(annotator, 0)
    assert len(store.campaigns.answers(campaign.id)) == 0
    annotator.keyboard.down("1")
    annotator.keyboard.down("1")  # what a keyboard sends while a key is held
    annotator.keyboard.up("1")
    unsent(annotator, 0)
    assert store.campaigns.answers(campaign.id)["value"].tolist() == [1]


def test_h_turns_from_overlay_to_image_to_heat_map(annotator: Page) -> None:
    heat = annotator.locator(".slim-annotator [data-part=stage] img").nth(1)
    opacities = []
    for _ in range(4):
        opacities.append(float(heat.evaluate("image => getComputedStyle(image).opacity")))
        annotator.keyboard.press("h")
    assert opacities == [0.5, 0, 1, 0.5]


def test_buttons_answer_as_keys_do(annotator: Page, store: Store, campaign: Campaign) -> None:
    for name in ("Right 1", "Wrong 0", "Unsure U"):
        annotator.get_by_role("button", name=name).click()
    unsent(annotator, 0)
    assert store.campaigns.answers(campaign.id)["value"].tolist() == [1, 0, -1]
    seen = store.campaigns.answers(campaign.id)["seen"].iloc[0]
    assert seen["view"] == "overlay" and seen["run"].startswith("r-")
