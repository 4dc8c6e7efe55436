"""Pages that a browser has opened are in what Prometheus reads."""

from __future__ import annotations

import urllib.request

import pytest
from playwright.sync_api import Page
from prometheus_client.parser import text_string_to_metric_families

from tests.browser.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


def test_each_page_is_timed(page: Page, address: str) -> None:
    visit(page, address, "data")
    with urllib.request.urlopen(f"{address}/metrics") as answer:
        found = {family.name: family.samples for family in text_string_to_metric_families(answer.read().decode())}
    runs = {
        sample.labels["page"]: sample.value for sample in found["slim_page_seconds"] if sample.name.endswith("_count")
    }
    assert runs["data"] >= 1
