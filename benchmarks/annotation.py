"""How fast and how safe is the annotation page, for one person and for a team, in a real Chromium and over HTTP?

    python -m benchmarks.annotation --json annotation.json [--quick] [--homes DIR]

key_to_paint_p95_ms: 200 answers at 3 and at 10 keys a second, key to next image painted; saved_p95_ms: key to the
server's acknowledgement, which follows its commit. burst_lost: answers missing or out of order after 10 keys a second
for 10 s. team: 5 annotators with 2 tabs each at 1,000 images at once, two servers, one annotator's tabs in Chromium.
kill_lost: answers lost, or 1 where another image came next, when the server is killed in the middle. export_8k_s: the
slowest format. open_100k_*: a campaign over 100,000 rows (which share 240 files of 64 px), address to first image,
for a person who is new to it. open_100k_new_browser_s: in a browser that has to load the whole program (median of 3);
open_100k_known_browser_s: in one that was on another page before (median of 5); open_100k_cold_s: a new browser, from a
server that has read nothing yet. PostgreSQL: SLIM_TEST_POSTGRES_URL, or a cluster of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

from benchmarks.annotation_keys import (
    all_saved,
    as_annotator,
    measure_burst,
    measure_keys,
    name_browser,
    opened_campaign,
    press,
)
from benchmarks.annotators import PATIENCE_S, race
from benchmarks.browser import chromium, visit
from benchmarks.dashboard import server
from benchmarks.postgres import postgres
from benchmarks.synthetic import Synthetic, make_home
from slim_core.annotation.answer_export import FORMATS, export
from slim_core.settings import Settings
from slim_core.store import AnswerIn, Campaign, CampaignSettings, Store

SMALL, LARGE = 2_400, 100_000  # training images of the two homes
RATES = (3, 10)  # keys a second
ALL_DONE, MINE_DONE = "All images of this campaign are answered", "You have answered all your images"


def ask_about(store: Store, home: Synthetic, n: int, overlap: int = 1) -> Campaign:
    """A campaign over the first n training images."""
    rows = store.datasets.table(home.dataset).rows("train")[:n]
    return store.campaigns.create(
        f"{n} images", home.dataset, home.space, rows, "bench", CampaignSettings(overlap=overlap)
    )


def measure_kill(browser: Browser, store: Store, home: Synthetic) -> int:
    """The server is killed at press 30 and a few more follow; then it comes back and the page is loaded again.

    No more than have been fetched ahead: an image that is not on screen takes no answer.
    """
    campaign = ask_about(store, home, 400)
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    page = as_annotator(browser, "bench kill").new_page()
    with server(Path(home.home)) as first:
        opened_campaign(page, first.address, campaign.id)
        page.wait_for_load_state("networkidle")
        press(page, "1" * 30, 10)
        os.kill(first.pid, signal.SIGKILL)
        press(page, "0" * 6, 10)
    with server(Path(home.home), port=int(first.address.rpartition(":")[2])) as second:
        opened_campaign(page, second.address, campaign.id)
        all_saved(page)
        shown = page.locator('.slim-annotator [data-part="stage"]').get_attribute("data-row")
    page.context.close()
    wanted = {row: int(place < 30) for place, row in enumerate(rows[:36])}
    current = store.answers.current(campaign.id)
    return sum(current.get(row) != value for row, value in wanted.items()) + (shown != str(rows[36]))


def measure_export(store: Store, home: Synthetic, n: int) -> float:
    """Seconds of the slowest format, for n answers."""
    rows = store.datasets.table(home.dataset).rows("train")[:n]
    campaign = store.campaigns.create("export", home.dataset, home.space, rows, by="bench")
    given = [AnswerIn(f"{campaign.id}-{item.id}", item.id, item.row % 2) for item in store.campaigns.items(campaign.id)]
    store.answers.save(campaign.id, "bench", given)
    spent = []
    for form in FORMATS:
        since = time.perf_counter()
        content = b"".join(export(store, campaign, form))
        spent.append(time.perf_counter() - since)
        assert content
    return max(spent)


def measure_open(browser: Browser, address: str, store: Store, home: Synthetic) -> dict[str, float]:
    """Seconds until a campaign over all images stands there; nobody has opened it on this server before."""
    campaign = ask_about(store, home, home.n, overlap=2)
    items = store.campaigns.items(campaign.id)
    for start in range(0, len(items) // 2, 5_000):  # half answered, by somebody else
        some = items[start : start + 5_000]
        store.answers.save(campaign.id, "earlier", [AnswerIn(f"o{one.id}", one.id, 1) for one in some])
    new_browser, again = [], []
    for turn in range(4):
        context = as_annotator(browser, f"bench open {turn}")
        new_browser.append(opened_campaign(context.new_page(), address, campaign.id))
        context.close()
    context = as_annotator(browser, "bench open")
    visit(context.new_page(), f"{address}/data")
    for turn in range(5):
        name_browser(context, f"bench open again {turn}")
        page = context.new_page()
        again.append(opened_campaign(page, address, campaign.id))
        page.close()
    context.close()
    return {
        "open_100k_known_browser_s": round(statistics.median(again), 2),
        "open_100k_new_browser_s": round(statistics.median(new_browser[1:]), 2),
        "open_100k_cold_s": round(new_browser[0], 2),
    }


def measure_team(browser: Browser, folder: Path, database: str, url: str | None, n: int) -> list[dict[str, Any]]:
    """Five annotators, two tabs each, two server processes."""
    more = {} if url is None else {"SLIM_DATABASE_URL": url}
    with _environment(more):
        home = make_home(folder / database, SMALL)
    store = Store.open(Settings(home=Path(home.home), database_url=url))
    measured = []
    with contextlib.ExitStack() as stack:
        addresses = [stack.enter_context(server(Path(home.home), more=more)).address for _ in range(2)]
        for overlap in (1, 2):
            campaign = ask_about(store, home, n, overlap=overlap)
            tabs = _Tabs(browser, addresses, store, campaign)
            result = race(store, addresses, campaign.id, n_people=4, n_tabs=2, beside=tabs.work)
            measured.append(
                {
                    "database": database,
                    "overlap": overlap,
                    "double": result.double,
                    "left": result.left,
                    "false_done": result.false_done + tabs.early,
                    "answers_by_browser": tabs.pressed,
                    "saved_p95_ms": round(float(np.percentile(result.saved_ms, 95)), 1),
                }
            )
    store.close()
    return measured


class _Tabs:
    """The fifth annotator: two tabs of one Chromium."""

    def __init__(self, browser: Browser, addresses: list[str], store: Store, campaign: Campaign) -> None:
        self._store, self._campaign = store, campaign
        self.pressed, self.early = 0, 0
        self._context = as_annotator(browser, "in a browser")
        self._tabs = [self._context.new_page() for _ in range(2)]
        for tab, address in zip(self._tabs, addresses, strict=True):
            opened_campaign(tab, address, campaign.id)

    def work(self) -> None:
        """Press 1 wherever there is a new image, until both tabs say that nothing is left for this person.

        Raises:
            TimeoutError: one of them does not, as long as the others wait.
        """
        tabs, until = dict.fromkeys(self._tabs, ""), time.monotonic() + PATIENCE_S
        while tabs:
            if time.monotonic() > until:
                raise TimeoutError(f"{len(tabs)} tabs in Chromium were still waiting after {PATIENCE_S:.0f} s")
            for tab, last in list(tabs.items()):
                row, told = self._look(tab)
                if told in (ALL_DONE, MINE_DONE):
                    progress = self._store.campaigns.progress(self._campaign.id)
                    self.early += told == ALL_DONE and progress["done"] < progress["total"]
                    del tabs[tab]
                elif row and row != last:
                    tab.keyboard.press("1")
                    self.pressed, tabs[tab] = self.pressed + 1, row
        self._context.close()

    @staticmethod
    def _look(tab: Page) -> tuple[str, str]:
        """The row on screen, and what is said instead of one; either is empty."""
        row, told, hidden = tab.locator(".slim-annotator").evaluate(
            "root => [root.querySelector('[data-part=stage]').dataset.row ?? '',"
            " root.querySelector('[data-part=rest-title]').textContent,"
            " root.querySelector('[data-part=rest]').hidden]"
        )
        return (row, "") if hidden else ("", told)


@contextlib.contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def measured(browser: Browser, homes: Path, *, quick: bool) -> dict[str, Any]:
    """All numbers of the script."""
    n_keys, n_team, n_large = (40, 100, 5_000) if quick else (200, 1_000, LARGE)
    small, large = make_home(homes / "sqlite", SMALL), make_home(homes / f"large-{n_large}", n_large)
    store = Store.open(Settings(home=Path(small.home)))
    with server(Path(small.home)) as dashboard:
        keys = measure_keys(browser, dashboard.address, ask_about(store, small, 1_000).id, n_keys, RATES)
        burst = measure_burst(browser, dashboard.address, store, ask_about(store, small, 400))
    killed = measure_kill(browser, store, small)
    store.close()
    store = Store.open(Settings(home=Path(large.home)))
    exported = measure_export(store, large, min(8_000, large.n))
    with server(Path(large.home)) as dashboard:
        opened = measure_open(browser, dashboard.address, store, large)
    store.close()
    team = measure_team(browser, homes, "sqlite", None, n_team)
    with postgres() as url, tempfile.TemporaryDirectory(dir=homes) as folder:  # its database goes, too
        team += measure_team(browser, Path(folder), "postgresql", url, n_team)
    return {
        "key_to_paint_p95_ms": round(float(np.percentile(keys["paints"], 95)), 1),
        "key_to_paint_p50_ms": round(float(np.percentile(keys["paints"], 50)), 1),
        "saved_p95_ms": round(float(np.percentile(keys["saves"], 95)), 1),
        "saved_p50_ms": round(float(np.percentile(keys["saves"], 50)), 1),
        "burst_lost": burst,
        "team": team,
        "kill_lost": killed,
        "export_8k_s": round(exported, 2),
        **opened,
    }


def main() -> None:
    """Make the homes where they are not there yet, measure, print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="file the result is written to")
    parser.add_argument("--quick", action="store_true", help="fewer keys and images, to see that it runs")
    parser.add_argument("--homes", type=Path, help="folder the homes are kept in; default: a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        homes = asked.homes or Path(folder)
        homes.mkdir(parents=True, exist_ok=True)
        result = measured(browser, homes, quick=asked.quick)
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
