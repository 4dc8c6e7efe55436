"""One person's way from what a model looks at to a curated subset, with a real worker and a real Redis behind it."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Page, expect

from slim_core.store import Campaign, Run, Store
from tests.browser.steps import choose, settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis]

JOB_TIMEOUT_S = 120


def test_a_person_goes_from_attention_to_a_curated_subset(page: Page, address: str, store: Store) -> None:
    look_at_attention(page, address)
    select_in_the_space(page, address)
    campaign = open_a_campaign(page, address, store)
    answer_by_keys(page, store, campaign)
    subset = curate(page, address, store, campaign)
    assert subset.metrics is not None and subset.metrics["answers"] == len(store.campaigns.items(campaign.id))


def look_at_attention(page: Page, address: str) -> None:
    visit(page, address, "attention")
    pictures = page.locator(".slim-gallery img")
    expect(pictures).to_have_count(36)
    pictures.last.scroll_into_view_if_needed()
    for picture in pictures.all():
        expect(picture).not_to_have_js_property("naturalWidth", 0)
    page.get_by_role("button", name="Open image").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img", name="Heat map of")).to_be_visible()
    expect(dialog.get_by_text("Attention precision").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("tab", name="Scores per group").click()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()


def select_in_the_space(page: Page, address: str) -> None:
    """A lasso round the whole first panel selects in both, and the selection survives another colour."""
    visit(page, address, "space")
    panel = page.locator(".slim-space-plot").first
    expect(page.locator(".slim-space[data-drawn=plotly]")).to_be_visible(timeout=30_000)
    expect(page.locator(".slim-space-plot [data-title*='hare']")).to_have_count(0)  # nothing sends the data away
    box = panel.bounding_box()
    assert box is not None
    left, top, right, bottom = box["x"] + 5, box["y"] + 40, box["x"] + box["width"] - 5, box["y"] + box["height"] - 5
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator(".slim-space-status")).to_contain_text("selected")
    expect(page.locator(".slim-pictures img").first).to_be_visible()
    counted = page.locator(".slim-space-status").inner_text()
    choose(page, "Colour by", "environment cluster")
    expect(page.locator(".slim-space-title")).to_have_text("Environment cluster")
    assert page.locator(".slim-space-status").inner_text() == counted


def open_a_campaign(page: Page, address: str, store: Store) -> Campaign:
    known = len(store.campaigns.all())
    visit(page, address, "annotate", "?section=new")  # other tests may have left campaigns, which open first
    page.get_by_role("button", name="Open the campaign").click()
    until = time.monotonic() + 30
    while len(store.campaigns.all()) == known and time.monotonic() < until:
        page.wait_for_timeout(100)
    campaign = store.campaigns.all()[0]
    page.wait_for_url(f"**campaign={campaign.id}**")
    settle(page)
    expect(page.locator(".slim-annotator[data-ready=true]")).to_be_visible(timeout=30_000)
    return campaign


def answer_by_keys(page: Page, store: Store, campaign: Campaign) -> None:
    """1, then Z, then 0: the last one counts; then 1 for all others, until the page says that all are answered."""
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    stage = page.locator('.slim-annotator [data-part="stage"]')
    expect(stage).to_have_attribute("data-row", str(rows[0]))
    page.keyboard.press("1")
    expect(stage).to_have_attribute("data-row", str(rows[1]))
    page.keyboard.press("z")
    expect(stage).to_have_attribute("data-row", str(rows[0]))
    page.keyboard.press("0")
    for row in rows[1:]:
        expect(stage).to_have_attribute("data-row", str(row))
        page.keyboard.press("1")
    expect(page.get_by_role("heading", name="All images of this campaign are answered")).to_be_visible()
    expect(page.locator(".slim-annotator[data-unsent='0']")).to_be_attached()
    assert store.answers.current(campaign.id) == {row: int(row != rows[0]) for row in rows}
    given = store.answers.frame(campaign.id)["value"].tolist()
    assert len(given) == len(rows) + 2
    settle(page)


def curate(page: Page, address: str, store: Store, campaign: Campaign) -> Run:
    """The link of the finished campaign leads to the curate page; its job is done by the worker."""
    page.get_by_role("link", name="Curate").last.click()
    expect(page.get_by_role("heading", level=1, name="Curate")).to_be_visible(timeout=30_000)
    settle(page)
    page.get_by_role("button", name="Curate this subset").click()
    until = time.monotonic() + JOB_TIMEOUT_S
    while time.monotonic() < until:
        runs = store.runs.all(kind="curate", campaign=campaign.id)
        if runs and runs[0].ended:
            assert runs[0].status == "done", runs[0].message
            expect(page.get_by_role("button", name="Retrain and evaluate")).to_be_visible(timeout=30_000)
            settle(page)
            return runs[0]
        page.wait_for_timeout(300)
    raise AssertionError(f"the curate job did not end in {JOB_TIMEOUT_S} s: {runs}")
