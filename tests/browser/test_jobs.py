"""The Jobs page with real workers: open, filter, go back, run again, watch."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from slim_core.store import Store, schema
from tests.browser.steps import choose, settle, visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

PATIENCE_MS = 120_000
ROWS = ".st-key-table-runs table tbody tr"


def test_filters_live_in_the_address_and_a_row_opens_and_closes_without_loading_the_page(
    page: Page, address: str, store: Store
) -> None:
    space = store.runs.all(kind="space", status="done")[0]
    visit(page, address, "jobs")
    loads: list[str] = []
    page.on("domcontentloaded", lambda one: loads.append(one.url))
    page.get_by_role("button", name="More filters").click()
    choose(page, "Step", "space")
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("kind=space"))
    expect(page.locator(ROWS)).to_have_count(len(store.runs.all(kind="space")))
    page.locator(ROWS).filter(has_text=space.id).get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/jobs.run={space.id}"))
    expect(page.get_by_text("It finished after")).to_be_visible(timeout=30_000)
    settle(page)
    page.go_back()
    expect(page.locator(ROWS).first).to_be_visible(timeout=30_000)
    expect(page).to_have_url(re.compile("kind=space"))
    assert loads == []
    visit(page, address, "jobs", "?kind=space&status=failed")
    expect(page.get_by_text("No run matches")).to_be_visible()


def test_the_graph_leads_from_a_run_to_what_it_was_made_from(page: Page, address: str, store: Store) -> None:
    space = store.runs.all(kind="space", status="done")[0]
    visit(page, address, "jobs", f"?run={space.id}&about=Lineage")
    node = page.locator(f'svg a[*|href="jobs?run={space.spec["attention"]}"]')
    expect(node).to_be_visible(timeout=30_000)
    node.click()
    expect(page).to_have_url(re.compile(space.spec["attention"]))


def test_a_double_click_runs_it_again_once_and_the_page_follows_it_to_its_end(
    page: Page, address: str, store: Store
) -> None:
    run = store.runs.all(kind="evaluate", status="done")[-1]
    known = {one.id for one in store.runs.all(kind="evaluate")}
    visit(page, address, "jobs", f"?run={run.id}")
    page.get_by_role("button", name="Run again").click()
    page.get_by_role("button", name="Run it again").dblclick()
    page.wait_for_url(lambda url: "run=r-" in url and run.id not in url, timeout=PATIENCE_MS)
    new = [one for one in store.runs.all(kind="evaluate") if one.id not in known]
    assert len(new) == 1
    until = time.monotonic() + PATIENCE_MS / 1000
    while not store.runs.fetch(new[0].id).ended and time.monotonic() < until:
        page.wait_for_timeout(200)
    expect(page.get_by_text("It finished after")).to_be_visible(timeout=30_000)
    settle(page)
    expect(page.locator(f".st-key-log-{new[0].id}")).to_contain_text("done in")
    assert (store.runs.fetch(new[0].id).status, new[0].spec) == ("done", run.spec)
    assert {one.id for one in store.runs.all(kind="evaluate")} == {*known, new[0].id}


def test_the_command_of_a_run_runs_in_a_plain_shell_from_any_folder_and_finds_the_run(
    page: Page, address: str, store: Store, tmp_path: Path
) -> None:
    run = store.runs.all(kind="gradcam", status="done")[-1]
    visit(page, address, "jobs", f"?run={run.id}")
    page.get_by_role("button", name="Copy as command").click()
    line = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text()
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ["PYTHONPATH"]}  # of a shell that knows nothing of us
    ran = subprocess.run(["sh", "-c", line], env=bare, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0 and run.id in ran.stdout, ran.stdout + ran.stderr


def test_no_table_scrolls_sideways_whatever_the_width_and_the_names(page: Page, address: str, store: Store) -> None:
    run = store.runs.all(kind="evaluate", status="done")[-1]
    named = schema.runs.update().where(schema.runs.c.id == run.id)
    with store.database.write() as connection:
        connection.execute(named.values(name="The reference of the second team, ten epochs, judged on test images"))
    for query in ("", f"?run={run.id}&about=Parameters"):
        visit(page, address, "jobs", query)
        tables = page.locator('[class*="st-key-table-"] div:has(> table):visible')
        expect(tables.first).to_be_visible()
        for width in (1440, 1024):
            page.set_viewport_size({"width": width, "height": 900})
            for table in tables.all():
                assert table.evaluate("table => table.scrollWidth - table.clientWidth") == 0, table.inner_text()
    with store.database.write() as connection:
        connection.execute(named.values(name=run.name))
