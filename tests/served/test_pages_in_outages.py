"""Pages that are open, and pages that are opened, while the database or Redis is away: sentences, and no traceback."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.navigation import PAGES
from benchmarks.page_session import PageSession
from benchmarks.postgres import IMMEDIATE, programs
from benchmarks.served.people import HEADER
from benchmarks.served.site import Site, site
from benchmarks.served.work import Bench

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    pytest.mark.skipif(programs() is None and "CI" not in os.environ, reason="no PostgreSQL server to start"),
]

BOSS = "boss@example.org"  # an admin, who is shown every page and part
TURN_S, LAST_S, PATIENCE_S = 2.0, 4.0, 120.0
POLLED = 4  # pages, of which a part is drawn again and again: overview, jobs, a campaign, its answers
NAMES = [name for entries in PAGES.values() for name, _ in entries]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Site, Bench]]:
    with site(tmp_path) as opened:
        bench = Bench(opened, 60, ["ann@example.org"], 1.0)
        opened.store.members.set_role(BOSS, "admin")
        yield opened, bench


def sessions(site: Site, bench: Bench) -> list[PageSession]:
    """One of every page, and one of each part that is drawn by itself."""
    run = f"run={bench.space}"
    parts = [("annotate", f"campaign={bench.room.campaign}&section={part}") for part in ("environments", "campaign")]
    asked = [*((name, "") for name in NAMES), *parts, ("jobs", run), ("space", f"space={bench.space}")]
    return [
        PageSession(site.topology.port, name, query, {HEADER: BOSS}, "slim_annotator" if name == "annotate" else "")
        for name, query in asked
    ]


@contextmanager
def opened(pages: list[PageSession]) -> Iterator[None]:
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(PageSession.open, pages))
        yield
    finally:
        for page in pages:
            page.close()


def follow(pages: Iterable[PageSession], seconds: float) -> None:
    """Each as its browser would."""
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda page: page.follow(until), pages))


def follow_until(pages: list[PageSession], holds: Callable[[], bool]) -> None:
    """Whatever else the machine has to do meanwhile."""
    end = time.monotonic() + PATIENCE_S
    while not holds() and time.monotonic() < end:
        follow(pages, TURN_S)
    assert holds()


def exceptions(pages: Iterable[PageSession]) -> list[tuple[str, str, str]]:
    return [(one.page, one.query, said) for one in pages for said in one.problems if said.startswith("exception")]


def test_while_the_database_is_away_every_page_says_so_and_draws_itself_again_once_it_is_back(
    bench: tuple[Site, Bench],
) -> None:
    at, made = bench
    before, meanwhile = sessions(at, made), sessions(at, made)
    with opened(before):
        assert not [(one.page, one.problems) for one in before if one.problems]
        next(one for one in before if one.component).trigger("shown")
        follow_until(before, lambda: sum(one.polls for one in before) >= POLLED)
        polled = [one for one in before if one.polls]
        at.cluster.stop(IMMEDIATE)
        with opened(meanwhile):
            assert not [one.page for one in meanwhile if not one.problems]
            everybody = [*before, *meanwhile]
            follow_until(everybody, lambda: all(one.problems for one in polled))
            n_runs = [one.n_runs for one in meanwhile]
            at.cluster.start()
            follow_until(everybody, lambda: all(one.n_runs > n for one, n in zip(meanwhile, n_runs, strict=True)))
            follow(everybody, TURN_S)
            assert exceptions(everybody) == []
            for one in everybody:
                one.problems.clear()
            follow(everybody, LAST_S)
            assert [(one.page, one.problems) for one in everybody if one.problems] == []


def test_while_redis_is_away_no_page_shows_a_traceback(bench: tuple[Site, Bench]) -> None:
    at, made = bench
    before, meanwhile = sessions(at, made), sessions(at, made)
    with opened(before), ThreadPoolExecutor(1) as aside:
        restarted = aside.submit(at.restart_redis)
        with opened(meanwhile):
            follow_until([*before, *meanwhile], restarted.done)
            follow([*before, *meanwhile], LAST_S)
            assert exceptions([*before, *meanwhile]) == []
