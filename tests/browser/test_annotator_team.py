"""A team at one campaign: tabs and people that share it, and a server that dies in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from benchmarks.annotators import race
from benchmarks.dashboard import server
from slim_core.settings import Settings
from slim_core.store import Store
from tests.browser.annotator import ask_about, loaded, open_campaign, press, rows_of, shows, stage, tells, unsent
from tests.browser.conftest import NAMED

# Eight images, each with its heat map, have come.
SEEN_AHEAD = "performance.getEntriesByType('resource').filter(({ name }) => name.includes('/api/image/')).length >= 16"
pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


@pytest.fixture
def ben(other: Page) -> Page:
    """Another person's browser."""
    other.context.add_cookies([{**NAMED, "value": "ben"}])
    return other


def test_two_tabs_of_one_person_never_show_the_same_image(page: Page, address: str, store: Store) -> None:
    campaign = ask_about(store, 40, "Two tabs")
    other = page.context.new_page()
    for tab in (page, other):
        open_campaign(tab, address, campaign)
    seen = []
    for _ in range(3):
        for tab in (page, other):
            loaded(tab)
            seen.append(stage(tab).get_attribute("data-row"))
            tab.keyboard.press("1")
            expect(stage(tab)).not_to_have_attribute("data-row", str(seen[-1]))
    for tab in (page, other):
        unsent(tab, 0)
    assert len(set(seen)) == 6
    assert sorted(map(int, seen)) == sorted(store.answers.current(campaign.id))
    assert not store.answers.frame(campaign.id)["surplus"].any()


def test_whoever_finds_nothing_is_told_who_holds_the_rest_and_goes_on_when_it_is_given_back(
    page: Page, ben: Page, address: str, store: Store
) -> None:
    campaign = ask_about(store, 5, "Held")
    open_campaign(page, address, campaign)
    open_campaign(ben, address, campaign)
    tells(ben, "The last images are with other annotators")
    tells(ben, "ann has 5 images open, for at most 1:")
    expect(ben.get_by_text("All images of this campaign are answered")).to_have_count(0)
    page.goto("about:blank")  # the tab is closed, and gives back what it held
    shows(ben, rows_of(store, campaign)[0])


@pytest.mark.parametrize("overlap", [1, 2])
def test_a_team_answers_everything_and_nothing_twice(address: str, store: Store, overlap: int) -> None:
    campaign = ask_about(store, 60, f"Team {overlap}", overlap=overlap)
    result = race(store, [address], campaign.id, n_people=3, n_tabs=2)
    assert (result.double, result.left, result.false_done) == (0, 0, 0)
    assert store.campaigns.progress(campaign.id)["done"] == 60


@pytest.mark.kills_processes
def test_answers_and_place_outlive_a_server_that_is_killed(ben: Page, home: Path, tmp_path: Path) -> None:
    page = ben  # whose console may tell of the lost connection
    own = tmp_path / "home"
    shutil.copytree(home, own, ignore=shutil.ignore_patterns("slim.db*", "redis", "*.log"))
    with sqlite3.connect(home / "slim.db") as source:
        source.execute("VACUUM INTO ?", (str(own / "slim.db"),))
    source.close()
    store = Store.open(Settings(home=own))
    campaign = ask_about(store, 40, "Killed")
    asked = rows_of(store, campaign)
    with server(own) as first:
        open_campaign(page, first.address, campaign)
        page.wait_for_function(SEEN_AHEAD)  # what has not come is not answered
        press(page, "111")
        os.kill(first.pid, signal.SIGKILL)
        press(page, "000")
        shows(page, asked[6])
        tells(page, "No connection")
    with server(own, port=int(first.address.rpartition(":")[2])) as second:
        open_campaign(page, second.address, campaign)
        shows(page, asked[6])
        unsent(page, 0)
        expected = {row: int(place < 3) for place, row in enumerate(asked[:6])}
        assert store.answers.current(campaign.id) == dict(sorted(expected.items()))
    store.close()
