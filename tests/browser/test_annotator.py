"""The annotator: what happens when the connection, the page or the campaign does something else."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, Route, expect

from slim_core.store import Campaign, Store
from tests.browser.annotator import (
    ANSWERS,
    open_campaign,
    press,
    rows_of,
    shows,
    stage,
    tells,
    unsent,
)
from tests.browser.steps import intercept, settle

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


def test_answers_outlive_a_lost_connection_and_a_reload(
    annotator: Page, address: str, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    tolerated.add(ANSWERS)
    intercept(annotator, f"**{ANSWERS}", lambda route: route.abort())
    press(annotator, "101")
    unsent(annotator, 3)
    tells(annotator, "No connection. 3 answers are stored in this browser")
    open_campaign(annotator, address, campaign)
    asked = rows_of(store, campaign)
    shows(annotator, asked[3])
    unsent(annotator, 3)
    annotator.unroute(f"**{ANSWERS}")
    unsent(annotator, 0)
    tells(annotator, "All answers saved")
    tells(annotator, "3 left")
    assert store.answers.current(campaign.id) == {asked[0]: 1, asked[1]: 0, asked[2]: 1}
    assert len(store.answers.frame(campaign.id)) == 3


# width, height, how much of each answer and of the image is seen; 853 x 480 is a small screen at 150 %
SCREENS = (
    (1440, 900, 1.0, 0.9),
    (1280, 800, 1.0, 0.9),
    (1024, 768, 1.0, 0.9),
    (853, 480, 0.9, 0.65),
    (390, 844, 0.9, 0.8),
)
CUT = "all => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)"


def test_on_every_screen_the_answers_are_beside_the_image_and_on_usual_ones_the_line_above_it_is_whole(
    annotator: Page,
) -> None:
    press(annotator, "101")  # from the third answer on, the line says how many there are in a minute
    unsent(annotator, 0)
    for width, height, of_answer, of_image in SCREENS:
        annotator.set_viewport_size({"width": width, "height": height})
        settle(annotator)
        # no further than it must: Playwright's own scrolling puts what was out of sight into the middle
        annotator.get_by_role("button", name="Unsure").evaluate("button => button.scrollIntoView({block: 'nearest'})")
        for name in ("Right", "Wrong", "Partly", "Unsure") + (("Empty",) if width > 640 else ()):
            expect(annotator.get_by_role("button", name=name)).to_be_in_viewport(ratio=of_answer)
        expect(stage(annotator)).to_be_in_viewport(ratio=of_image)
        cut = annotator.locator(".slim-annotator .head span").evaluate_all(CUT)
        assert width < 1024 or not any(cut), width
    room = annotator.locator(".slim-annotator").bounding_box()
    image = stage(annotator).bounding_box()
    assert room is not None and image is not None
    assert room["x"] <= image["x"] and image["x"] + image["width"] <= room["x"] + room["width"] + 0.5


def test_what_lies_in_the_browser_and_is_no_answer_keeps_nobody_from_answering(
    annotator: Page, address: str, store: Store, campaign: Campaign
) -> None:
    foreign = json.dumps({"id": f"foreign-{campaign.id}", "item": 2**31 - 1, "value": 1, "net": 1, "ms": 1, "seen": {}})
    for name, kept in (("1-a", "{torn"), ("1-b", "null"), ("1-c", '{"id": 3}'), ("1-d", foreign)):
        annotator.evaluate(
            "([key, text]) => localStorage.setItem(key, text)", [f"slim-answer:{campaign.id}:ann:{name}", kept]
        )
    open_campaign(annotator, address, campaign)
    annotator.keyboard.press("1")
    tells(annotator, "5 left")
    unsent(annotator, 0)
    tells(annotator, "Saved, except 1 answer")
    assert store.answers.current(campaign.id) == {rows_of(store, campaign)[0]: 1}


def test_the_page_opens_where_the_server_says_and_undo_goes_back_to_earlier_answers(
    annotator: Page, address: str, store: Store, campaign: Campaign
) -> None:
    asked = rows_of(store, campaign)
    press(annotator, "10")
    unsent(annotator, 0)
    annotator.evaluate("localStorage.clear()")
    open_campaign(annotator, address, campaign)
    shows(annotator, asked[2])
    annotator.keyboard.press("z")
    shows(annotator, asked[1])
    annotator.keyboard.press("z")
    shows(annotator, asked[0])
    annotator.keyboard.press("0")
    unsent(annotator, 0)
    assert store.answers.current(campaign.id) == {asked[0]: 0}
    assert store.answers.frame(campaign.id)["annotator"].unique().tolist() == ["ann"]


def test_typing_in_a_field_and_held_keys_and_shortcuts_answer_nothing(
    annotator: Page, store: Store, campaign: Campaign
) -> None:
    field = annotator.get_by_role("combobox", name="Campaign")
    field.click()
    annotator.keyboard.type("1010uz")
    annotator.keyboard.press("Escape")
    annotator.locator(".slim-annotator .question").first.click()
    annotator.keyboard.press("Control+1")
    unsent(annotator, 0)
    assert len(store.answers.frame(campaign.id)) == 0
    annotator.keyboard.down("1")
    annotator.keyboard.down("1")  # what a keyboard sends while a key is held
    annotator.keyboard.up("1")
    unsent(annotator, 0)
    assert store.answers.frame(campaign.id)["value"].tolist() == [1]


def test_while_a_campaign_is_closed_no_key_takes_back_what_is_saved_or_waits_and_once_open_it_takes_what_waited(
    annotator: Page, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    tolerated |= {ANSWERS, "/api/next", "/api/given"}
    first, second, third, *_ = rows_of(store, campaign)
    annotator.keyboard.press("1")
    shows(annotator, second)
    unsent(annotator, 0)
    store.campaigns.close(campaign.id, by="lead")
    annotator.keyboard.press("0")
    tells(annotator, "This campaign is not accepting answers")
    tells(annotator, "1 answer arrived too late")
    expect(annotator.get_by_role("button", name="Undo")).to_have_count(0)
    annotator.keyboard.press("z")
    annotator.keyboard.press("z")
    unsent(annotator, 1)
    store.campaigns.reopen(campaign.id, by="lead")
    unsent(annotator, 0)
    shows(annotator, third)
    assert store.answers.current(campaign.id) == {first: 1, second: 0}
    expect(annotator.get_by_role("button", name="Undo")).to_be_enabled()


def test_an_annotator_who_was_taken_off_the_campaign_is_told_and_what_they_answered_is_kept(
    annotator: Page, address: str, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    tolerated |= {ANSWERS, "/api/next", "/api/given"}
    store.campaigns.set_members(campaign.id, ["ben"])
    annotator.keyboard.press("1")
    tells(annotator, "You cannot answer in this campaign")
    tells(annotator, "an annotator of Six images")
    open_campaign(annotator, address, campaign)
    tells(annotator, "You cannot answer in this campaign")
    expect(annotator.get_by_text("Loading ...").filter(visible=True)).to_have_count(0)
    unsent(annotator, 1)
    store.campaigns.set_members(campaign.id, [])
    unsent(annotator, 0)
    assert store.answers.current(campaign.id) == {rows_of(store, campaign)[0]: 1}


def test_a_token_over_its_time_is_renewed_without_a_word_from_the_person(
    annotator: Page, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    tolerated.add(ANSWERS)
    refused = []

    def refuse_the_first(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.headers["x-slim-token"])
        route.fulfill(status=401, content_type="application/json", body=json.dumps({"error": "over its time."}))

    intercept(annotator, f"**{ANSWERS}", refuse_the_first)
    annotator.keyboard.press("1")
    unsent(annotator, 1)
    unsent(annotator, 0)
    tells(annotator, "All answers saved")
    assert len(refused) == 1 and len(store.answers.frame(campaign.id)) == 1


def test_an_image_that_was_deleted_meanwhile_says_so_and_can_only_be_passed_over(
    page: Page, address: str, store: Store, campaign: Campaign, tolerated: set[str]
) -> None:
    first, second = rows_of(store, campaign)[:2]
    where = f"/api/image/{campaign.dataset_id}/{first}"
    tolerated.add(where)
    gone = json.dumps({"error": "photo.png is gone."})
    page.route(f"**{where}?**", lambda route: route.fulfill(status=404, content_type="application/json", body=gone))
    open_campaign(page, address, campaign)
    tells(page, "photo.png is gone. Press U or S")
    page.keyboard.press("1")
    shows(page, first)
    expect(page.get_by_role("button", name="Right 1")).to_be_disabled()
    page.keyboard.press("u")
    shows(page, second)
    expect(page.get_by_role("button", name="Right 1")).to_be_enabled()
    unsent(page, 0)
    assert store.answers.current(campaign.id) == {first: -1}


def test_a_browser_gives_a_name_that_can_be_kept_once_and_may_change_it(
    page: Page, address: str, store: Store, campaign: Campaign
) -> None:
    page.context.clear_cookies()
    page.goto(f"{address}/annotate?campaign={campaign.id}")
    name = page.get_by_label("Your name")
    expect(name).to_be_focused(timeout=60_000)
    for text, shown in (("A\u200bnn", r"A\u200bnn"), ("B\u00adb", r"B\xadb")):
        name.fill(text)
        name.press("Enter")
        expect(page.get_by_role("alert").filter(has_text=f"{shown} is not")).to_be_visible()
    assert not [one for one in page.context.cookies() if one["name"] == "slim-name"]
    name.fill("Ben 1 O")
    name.press("Enter")
    expect(page.locator(".slim-annotator[data-ready=true]")).to_be_visible(timeout=60_000)
    press(page, "1")
    unsent(page, 0)
    open_campaign(page, address, campaign)  # asked only once
    tells(page, "Ben 1 O")
    for again in ("Ben 1 O", "Cid"):
        page.get_by_role("button", name="not you?").click()
        name.fill(again)
        page.get_by_role("button", name="Start").click()
        tells(page, again)
    expect(page.locator(".slim-annotator[data-ready=true]")).to_be_visible(timeout=60_000)
    shows(page, rows_of(store, campaign)[1])
    page.keyboard.press("0")
    unsent(page, 0)
    kept = store.answers.frame(campaign.id)
    assert list(kept["annotator"]) == ["Ben 1 O", "Cid"] and list(kept["value"]) == [1, 0]


def test_a_long_name_leaves_room_for_changing_it_beside_the_navigation(
    page: Page, address: str, campaign: Campaign
) -> None:
    """960 pixels are what a page of 1440 has at a zoom of 150 %."""
    somebody = {"name": "slim-name", "value": "a.very.long.name.of.somebody@example.org", "domain": "127.0.0.1"}
    page.context.add_cookies([{**somebody, "path": "/"}])
    open_campaign(page, address, campaign)
    page.set_viewport_size({"width": 960, "height": 600})
    expect(page.get_by_role("button", name="not you?")).to_be_in_viewport(ratio=0.9)  # what is cut away is not


# Gives the name, and tells the server other things so fast that no run of the page comes to an end meanwhile.
HASTY = """async (root) => {
  let place = root;
  while (!place.__slimAnnotator) place = place.parentNode ?? place.host;
  const app = place.__slimAnnotator;
  root.querySelector("[data-part=who] button").click();
  for (let n = 0; n < 40; n++) {
    await new Promise((done) => setTimeout(done, 25));
    if (!app.signal.aborted) app.trigger("renew", n);
  }
}"""


def test_a_name_is_taken_even_while_the_page_is_told_other_things(page: Page, address: str, campaign: Campaign) -> None:
    open_campaign(page, address, campaign)
    page.get_by_role("button", name="not you?").click()
    page.get_by_label("Your name").fill("Dora")
    page.locator(".slim-annotator").evaluate(HASTY)
    tells(page, "Dora")
