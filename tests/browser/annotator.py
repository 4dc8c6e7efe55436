"""What the tests of the annotator share: a campaign, its page, and what they wait for."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect

from slim_core.store import Campaign, CampaignSettings, Store
from tests.browser.steps import visit

ANSWERS = "/api/answers"
PATIENCE_MS = 60_000
UNPAINTED = '[data-part="work"]:not([hidden]) [data-part="stage"]:not([data-row]), .slim-annotator [data-turned]'


def ask_about(store: Store, n: int = 6, name: str = "Images", **settings: Any) -> Campaign:
    """A campaign about the first n images of the space."""
    (space,) = store.runs.all(kind="space")
    rows = np.load(store.artifacts.folder(space.id) / "rows.npy")[:n]
    return store.campaigns.create(name, space.dataset_id, space.id, rows, settings=CampaignSettings(**settings))


def rows_of(store: Store, campaign: Campaign) -> list[int]:
    """The rows in the order in which they are asked."""
    return [item.row for item in store.campaigns.items(campaign.id)]


def open_campaign(page: Page, address: str, campaign: Campaign) -> None:
    """Its page, ready for keys."""
    visit(page, address, "annotate", f"?campaign={campaign.id}")
    expect(page.locator(".slim-annotator[data-ready=true]")).to_be_visible(timeout=PATIENCE_MS)
    loaded(page)


def loaded(page: Page) -> None:
    """Wait until what is asked about is on screen, in a frame: before that no key answers it."""
    expect(page.locator('.slim-annotator [data-part="loading"]')).to_be_hidden(timeout=PATIENCE_MS)
    expect(page.locator(".slim-annotator .tile .word:text-is('loading')")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.locator(f".slim-annotator {UNPAINTED}")).to_have_count(0, timeout=PATIENCE_MS)


def press(page: Page, keys: str) -> None:
    """Each once the image before it is on screen."""
    for key in keys:
        loaded(page)
        page.keyboard.press(key)


def unsent(page: Page, n: int) -> None:
    """Wait until so many answers are under way."""
    expect(page.locator(f".slim-annotator[data-unsent='{n}']")).to_be_attached(timeout=PATIENCE_MS)


def stage(page: Page) -> Locator:
    """Where the image is."""
    return page.locator('.slim-annotator [data-part="stage"]')


def shows(page: Page, row: int) -> None:
    """Wait until this image is on screen."""
    expect(stage(page)).to_have_attribute("data-row", str(row), timeout=PATIENCE_MS)


def tells(page: Page, text: str) -> None:
    """Wait until the annotator says this."""
    expect(page.locator(".slim-annotator").get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)
