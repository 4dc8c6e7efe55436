"""The address of a page, and what the browser keeps of it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from slim_core.store import Store
from tests.browser.steps import settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


@pytest.mark.parametrize("name", ["Attention", "Space", "Compare", "Train", "Curate"])
def test_back_takes_one_press_a_page(page: Page, address: str, name: str) -> None:
    visit(page, address, "overview")
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible(timeout=30_000)
    settle(page)
    assert "dataset=" in page.url, "the page has written into its address"
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible(timeout=30_000)
    settle(page)


def test_the_browser_remembers_the_data_set_and_its_console_stays_clean(page: Page, address: str, store: Store) -> None:
    """``page`` fails for every error in the console: Streamlit's probing for its root was two to four a page."""
    (dataset, *_) = store.datasets.all()
    visit(page, address, "train", f"?dataset={dataset.id}")
    kept = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    assert kept["slim-dataset"] == dataset.id
    visit(page, address, "data")
    expect(page.get_by_role("combobox", name="Data set")).to_have_value(f"{dataset.name} ({dataset.n_images:,} images)")
