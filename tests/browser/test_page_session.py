"""A page without a browser (benchmarks.page_session) runs what a browser would: its own script, then its fragments."""

from __future__ import annotations

import re
import time
import urllib.request

import pytest

from benchmarks.page_session import PageSession
from slim_core.store import Store
from tests.browser.conftest import NAMED

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

RUNS = re.compile(r'slim_page_seconds_count{page="(\w+)"} (\S+)')


def runs(address: str) -> dict[str, float]:
    """How often the script of each page has been run."""
    with urllib.request.urlopen(f"{address}/metrics") as response:
        return {name: float(n) for name, n in RUNS.findall(response.read().decode())}


def test_what_a_component_says_runs_its_own_page_again(address: str, store: Store) -> None:
    dataset, space = store.datasets.all()[0], store.runs.all(kind="space")[-1]
    rows = store.datasets.table(dataset.id).rows("train")[:8]
    campaign = store.campaigns.create("Without a browser", dataset.id, space.id, rows, by="ann")
    headers = {"Cookie": f"{NAMED['name']}={NAMED['value']}"}
    page = PageSession(int(address.rsplit(":", 1)[1]), "annotate", f"campaign={campaign.id}", headers, "slim_annotator")
    before = runs(address)
    page.open()
    page.trigger("shown")
    until, twice = time.monotonic() + 60, before.get("annotate", 0) + 2
    while runs(address).get("annotate", 0) < twice and time.monotonic() < until:
        page.follow(time.monotonic() + 0.5)
    after = runs(address)
    page.close()
    assert after["annotate"] == twice
    assert after.get("overview", 0) == before.get("overview", 0)
    assert page.polls, "once its first image is shown, the page follows the campaign"
