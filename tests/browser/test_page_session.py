"""A page without a browser (benchmarks.page_session) runs what a browser would: its own script, then its fragments."""

from __future__ import annotations

import time
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.page_session import PageSession
from slim_core.store import Store
from tests.browser.conftest import NAMED

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


def runs(address: str) -> dict[str, float]:
    """How often the script of each page has been run, as Prometheus reads it."""
    with urllib.request.urlopen(f"{address}/metrics") as response:
        found = {family.name: family.samples for family in text_string_to_metric_families(response.read().decode())}
    timed = found.get("slim_page_seconds", [])
    return {one.labels["page"]: one.value for one in timed if one.name.endswith("_count")}


def test_what_a_component_says_runs_its_own_page_again(address: str, store: Store) -> None:
    dataset, space = store.datasets.all()[0], store.runs.all(kind="space")[-1]
    rows = store.datasets.table(dataset.id).rows("train")[:8]
    campaign = store.campaigns.create("Without a browser", dataset.id, space.id, rows, by="ann")
    headers = {"Cookie": f"{NAMED['name']}={NAMED['value']}"}
    page = PageSession(int(address.rsplit(":", 1)[1]), "annotate", f"campaign={campaign.id}", headers, "slim_annotator")
    before = runs(address)
    page.open()
    page.trigger("renew")
    until, twice = time.monotonic() + 60, before.get("annotate", 0) + 2
    while runs(address).get("annotate", 0) < twice and time.monotonic() < until:
        page.follow(time.monotonic() + 0.5)
    after = runs(address)
    page.close()
    assert after["annotate"] == twice
    assert after.get("overview", 0) == before.get("overview", 0)
    assert not page.polls, "the page asks for nothing while images are answered"
