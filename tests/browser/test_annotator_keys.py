"""The annotator's keys, buttons and swipes, one image at a time and many at once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from slim_core.store import Campaign, Store
from tests.browser.annotator import ask_about, loaded, open_campaign, rows_of, shows, stage, tells, unsent
from tests.browser.steps import settle

pytestmark = [pytest.mark.browser, pytest.mark.redis]


def test_h_turns_the_view_plus_strengthens_it_space_alternates_it_and_a_scale_explains_it(annotator: Page) -> None:
    heat = stage(annotator).locator("img").nth(1)
    scale = annotator.locator(".slim-annotator [data-part=scale]")
    expect(scale).to_contain_text("strongest in this")
    assert "gradient" in scale.locator(".ramp").evaluate("ramp => getComputedStyle(ramp).backgroundImage")
    for opacity in ("0", "0.5"):
        annotator.keyboard.press("Space")
        assert heat.evaluate("image => getComputedStyle(image).opacity") == opacity
    opacities, shown = [], annotator.locator(".slim-annotator [data-part=view]")
    views = []
    for _ in range(5):
        opacities.append(float(heat.evaluate("image => getComputedStyle(image).opacity")))
        views.append(shown.inner_text().split(",")[0])
        annotator.keyboard.press("h")
    assert opacities == [0.5, 0, 1, 0, 0.5]
    assert views == ["overlay", "image", "heat map", "contour", "overlay"]
    annotator.keyboard.press("+")
    assert float(heat.evaluate("image => getComputedStyle(image).opacity")) == pytest.approx(0.6)
    beside = annotator.locator(".slim-annotator [data-part=beside]")
    expect(beside).to_be_hidden()
    annotator.keyboard.press("b")
    expect(beside.locator("img")).to_be_visible()
    for _ in range(9):
        annotator.keyboard.press("+")
    assert heat.evaluate("image => getComputedStyle(image).opacity") == "0.8", "the picture is never hidden"
    annotator.keyboard.press("Space")
    expect(scale).to_be_hidden()


@pytest.mark.parametrize(("key", "value", "counts_as", "told"), [("e", 2, 0, "1 empty"), ("p", 3, -1, "1 partly")])
def test_empty_counts_as_wrong_and_partly_as_neither_and_each_is_kept_and_undone_as_itself(
    annotator: Page, store: Store, campaign: Campaign, key: str, value: int, counts_as: int, told: str
) -> None:
    first = rows_of(store, campaign)[0]
    annotator.keyboard.press(key)
    unsent(annotator, 0)
    assert store.answers.frame(campaign.id)["value"].tolist() == [value]
    assert store.answers.current(campaign.id) == {first: counts_as}
    expect(annotator.locator("[data-part=tally]")).to_contain_text(told)
    annotator.keyboard.press("z")
    unsent(annotator, 0)
    shows(annotator, first)
    assert store.answers.current(campaign.id) == {}


def test_buttons_answer_as_keys_do(annotator: Page, store: Store, campaign: Campaign) -> None:
    for name in ("Right 1", "Wrong 0", "Partly P", "Empty E", "Unsure U"):
        annotator.get_by_role("button", name=name).click()
    unsent(annotator, 0)
    assert store.answers.frame(campaign.id)["value"].tolist() == [1, 0, 3, 2, -1]
    seen = store.answers.frame(campaign.id)["seen"].iloc[0]
    assert (seen["view"], seen["opacity"], seen["grid"]) == ("overlay", 0.5, False) and seen["run"].startswith("r-")


def test_a_skipped_image_comes_back_at_the_end_and_a_skip_can_be_undone(
    annotator: Page, store: Store, campaign: Campaign
) -> None:
    asked = rows_of(store, campaign)
    annotator.keyboard.press("s")
    shows(annotator, asked[1])
    annotator.keyboard.press("z")
    shows(annotator, asked[0])
    annotator.keyboard.press("s")
    for row in asked[1:]:
        shows(annotator, row)
        annotator.keyboard.press("ArrowRight")
    shows(annotator, asked[0])
    annotator.keyboard.press("ArrowLeft")
    tells(annotator, "All images of this campaign are answered")
    unsent(annotator, 0)
    assert store.answers.current(campaign.id) == {row: int(row != asked[0]) for row in asked}
    assert store.answers.frame(campaign.id)["source"].tolist().count("skip") == 2


def test_the_keys_are_shown_and_while_they_are_nothing_is_answered(
    annotator: Page, store: Store, campaign: Campaign
) -> None:
    annotator.keyboard.press("?")
    expect(annotator.get_by_role("dialog", name="Keys")).to_be_visible()
    annotator.keyboard.press("1")
    annotator.keyboard.press("Escape")
    expect(annotator.get_by_role("dialog", name="Keys")).to_be_hidden()
    unsent(annotator, 0)
    assert len(store.answers.frame(campaign.id)) == 0


def test_a_blind_campaign_shows_neither_label_nor_prediction(page: Page, address: str, store: Store) -> None:
    guideline = "Right: on the digit."
    blind = ask_about(store, 3, "Blind", guideline=guideline, options={"blind": True, "examples": {"right": [0, 1]}})
    open_campaign(page, address, blind)
    tells(page, "Does the model look at the object itself?")
    tells(page, guideline)
    expect(page.locator(".slim-annotator [data-part=seen]")).to_be_hidden()
    expect(page.get_by_alt_text("Example: right")).to_have_count(2)
    expect(page.get_by_alt_text("Example: wrong")).to_have_count(0)
    alts = stage(page).locator("img").evaluate_all("images => images.map(image => image.alt)")
    assert not any("label" in alt for alt in alts)


def test_a_page_of_images_is_flipped_confirmed_and_brought_back(annotator: Page, store: Store) -> None:
    campaign = store.campaigns.all()[0]
    asked = rows_of(store, campaign)
    annotator.keyboard.press("g")
    tiles = annotator.locator(".slim-annotator .tile")
    expect(tiles).to_have_count(6)
    tells(annotator, "0 right, 0 wrong, 0 partly, 0 empty, 0 unsure, 6 open")
    loaded(annotator)
    covered = "all => all.filter(one => [...one.querySelectorAll('kbd, .asked, .word')].some(text =>"
    covered += (
        " text.getBoundingClientRect().top < one.querySelector('.picture').getBoundingClientRect().bottom)).length"
    )
    assert tiles.evaluate_all(covered) == 0, "its picture is free"
    annotator.keyboard.press("Enter")  # nobody has looked at any of them
    annotator.keyboard.press("w")  # the letter of the second tile
    tells(annotator, "0 right, 1 wrong, 0 partly, 0 empty, 0 unsure, 5 open")
    annotator.keyboard.press("ArrowRight")
    annotator.keyboard.press("0")  # the third, and on to the fourth
    annotator.keyboard.press("u")
    tiles.nth(5).click()
    tells(annotator, "0 right, 3 wrong, 0 partly, 0 empty, 1 unsure, 2 open")
    annotator.keyboard.press("a")
    tells(annotator, "2 right, 3 wrong, 0 partly, 0 empty, 1 unsure, 0 open")
    annotator.keyboard.press("Enter")
    tells(annotator, "All images of this campaign are answered")
    unsent(annotator, 0)
    expected = dict(zip(asked, (1, 0, 0, -1, 1, 0), strict=True))
    assert store.answers.current(campaign.id) == dict(sorted(expected.items()))
    annotator.keyboard.press("z")
    tells(annotator, "2 right, 3 wrong, 0 partly, 0 empty, 1 unsure, 0 open")
    unsent(annotator, 0)
    assert store.answers.current(campaign.id) == {}
    settle(annotator)  # a tile that is drawn anew between press and release is not clicked
    tiles.nth(5).click()
    tells(annotator, "3 right, 2 wrong, 0 partly, 0 empty, 1 unsure, 0 open")
    annotator.keyboard.press("Enter")
    unsent(annotator, 0)
    assert store.answers.current(campaign.id)[asked[5]] == 1
    assert store.answers.frame(campaign.id)["seen"].iloc[0]["grid"] is True


def test_a_screen_reader_hears_each_image_and_every_control_has_a_name(annotator: Page) -> None:
    live = annotator.locator(".slim-annotator [data-part=live]")
    expect(live).to_have_attribute("aria-live", "polite")
    before = live.inner_text()
    assert before.startswith("Image ") and "prediction" in before and "6 left" in before
    annotator.keyboard.press("1")
    expect(live).not_to_have_text(before)
    nameless = annotator.locator(".slim-annotator button").evaluate_all(
        "buttons => buttons.filter(one => !one.innerText.trim() && !one.ariaLabel && one.offsetParent).length"
    )
    assert nameless == 0
    assert annotator.evaluate("document.activeElement !== document.body")
