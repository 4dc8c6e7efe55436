"""The annotator on a phone: one image, and what is pressed where the thumb is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from slim_core.store import Campaign, Store
from tests.browser.annotator import open_campaign, rows_of, shows, stage, unsent
from tests.browser.annotator_modules.annotation import fingers
from tests.browser.conftest import NAMED

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]
WIDTH, HEIGHT, TARGET = 390, 844, 44  # CSS pixels; of what a thumb can hit
HEADER = 60  # what may stand above the image


@pytest.fixture
def phone(browser: Browser, address: str, campaign: Campaign) -> Iterator[Page]:
    """The page of the campaign in the hand."""
    size = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=size, has_touch=True, is_mobile=True, reduced_motion="reduce")
    context.add_cookies([NAMED])
    page = context.new_page()
    open_campaign(page, address, campaign)
    yield page
    context.close()


def test_the_image_comes_first_and_all_that_is_pressed_is_large_enough_and_at_the_bottom(phone: Page) -> None:
    image = stage(phone).bounding_box()
    assert image is not None and image["y"] < HEADER and image["width"] > 0.9 * WIDTH
    pressed = phone.locator(".slim-annotator .presses button:visible")
    names = [text.split()[0] for text in pressed.all_inner_texts()]
    assert {"Right", "Wrong", "Partly", "Unsure", "Undo"} <= set(names)
    for name, box in zip(names, [one.bounding_box() for one in pressed.all()], strict=True):
        assert box is not None and min(box["width"], box["height"]) >= TARGET, name
        assert box["y"] > 0.75 * HEIGHT and box["y"] + box["height"] <= HEIGHT, name
    assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth <= innerWidth")
    menu = phone.get_by_test_id("stExpandSidebarButton").bounding_box()
    assert menu is not None and min(menu["width"], menu["height"]) >= TARGET and menu["y"] < image["y"]


def test_taps_and_swipes_answer_and_a_tap_takes_the_last_one_back(
    phone: Page, store: Store, campaign: Campaign
) -> None:
    asked = rows_of(store, campaign)
    phone.get_by_role("button", name="Partly").tap()
    shows(phone, asked[1])
    to = fingers(phone)
    for row, start, end in ((asked[2], 0.2, 0.8), (asked[3], 0.8, 0.2)):
        for kind, shares in (("touchStart", (start,)), ("touchMove", (end,)), ("touchEnd", ())):
            to(kind, *shares)
        shows(phone, row)
    phone.get_by_role("button", name="Right").tap()
    shows(phone, asked[4])
    phone.get_by_role("button", name="Undo").tap()
    shows(phone, asked[3])
    unsent(phone, 0)
    assert store.answers.frame(campaign.id)["value"].dropna().tolist() == [3, 1, 0, 1]
    assert store.answers.current(campaign.id) == {asked[0]: -1, asked[1]: 1, asked[2]: 0}


def test_below_the_question_the_page_can_be_left_for_another_campaign(phone: Page) -> None:
    field = phone.get_by_role("combobox", name="Campaign")
    field.scroll_into_view_if_needed()
    expect(field).to_be_in_viewport()
