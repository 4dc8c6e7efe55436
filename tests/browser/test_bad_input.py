"""Bad input on the Data page, in a browser: the sentence stands at the form, which keeps what was typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from slim_core.data.sets.digits import DemoConfig, write_demo
from slim_core.store import Store
from tests.browser.steps import settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


def ask(page: Page, path: Path) -> None:
    """Type the path, and press Check with the field still in focus."""
    page.get_by_role("textbox", name="Folder or metadata").fill(str(path))
    page.get_by_role("button", name="Check", exact=True).click()
    settle(page)


def test_what_is_refused_is_said_below_the_form_and_the_next_folder_is_registered(
    page: Page, address: str, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "birds.tar.gz").write_bytes(b"<!DOCTYPE html><title>404</title>")
    (tmp_path / "latin").mkdir()
    (tmp_path / "latin" / "t.csv").write_bytes("path,label\n1.png,K\xe4fer\n2.png,B\xe4r\n".encode("latin-1"))
    write_demo(tmp_path / "good", DemoConfig(train=12, val=8, test=8))
    known = len(store.datasets.all())
    visit(page, address, "data")
    page.get_by_text("Register data").first.click()
    settle(page)
    page.get_by_role("textbox", name="Name").fill("after errors")
    for path, said in (
        (tmp_path / "birds.tar.gz", "a web page"),
        (tmp_path / "latin", "line 2 seems"),
        (tmp_path / "typo", "does not exist"),
    ):
        ask(page, path)
        expect(page.get_by_text(said)).to_have_count(1)
        expect(page.get_by_role("textbox", name="Folder or metadata")).to_have_value(str(path))
        expect(page.get_by_role("textbox", name="Name")).to_have_value("after errors")
        expect(page.get_by_role("button", name="Register", exact=True)).to_have_count(0)
    assert len(store.datasets.all()) == known
    ask(page, tmp_path / "good")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_text(f"{tmp_path / 'good'} · fingerprint")).to_be_visible(timeout=30_000)
    added = store.datasets.all()[0]
    assert added.name == "after errors" and len(store.datasets.all()) == known + 1
    page.goto("about:blank")  # its images are still on their way
    store.removals.remove(added.id)  # the other tests share this home


def test_a_zip_that_is_cut_short_is_refused_beside_its_field(
    page: Page, address: str, store: Store, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.zip").write_bytes(b"PK\x03\x04 and no more")
    known = len(store.datasets.all())
    visit(page, address, "data")
    page.get_by_text("Register data").first.click()
    settle(page)
    page.get_by_role("textbox", name="Folder or metadata").fill("/data/typed")
    page.get_by_role("button", name="Upload a zip").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "mine.zip")
    expect(page.get_by_text("'mine.zip' cannot be unpacked (File is not a zip file)")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("textbox", name="Folder or metadata")).to_have_value("/data/typed")
    assert len(store.datasets.all()) == known
    assert not [path for path in (home / "uploads").rglob("*") if path.is_file()]
