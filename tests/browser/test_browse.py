"""Choosing a folder to register by the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

FIELD = "Folder or metadata"


def test_a_folder_is_chosen_by_tab_and_enter(page: Page, address: str, tmp_path: Path) -> None:
    (tmp_path / "pets" / "cats" / "train").mkdir(parents=True)
    (tmp_path / "pets" / "dogs").mkdir()
    (tmp_path / "pets" / "out").symlink_to("/etc")
    visit(page, address, "data")
    settle(page)
    page.get_by_text("Register data").first.click()
    field = page.get_by_role("textbox", name=FIELD)
    field.fill(str(tmp_path / "pets"))
    field.press("Tab")
    settle(page)
    page.get_by_role("button", name="Browse").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="dogs")).to_be_visible()
    expect(dialog.get_by_role("button", name="out")).to_have_count(0)
    _tab_to(page, "cats")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="train")).to_be_visible()
    _tab_to(page, "Use this folder")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("textbox", name=FIELD)).to_have_value(str(tmp_path.resolve() / "pets" / "cats"))


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until the button of this name has the focus."""
    for _ in range(20):
        if name in page.evaluate("document.activeElement.matches('button') ? document.activeElement.innerText : ''"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {name}")
