"""One site whose Redis and PostgreSQL go away: sentences on every page and no traceback, and no answer is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.navigation import PAGES
from benchmarks import processes
from benchmarks.page_session import PageSession
from benchmarks.postgres import IMMEDIATE, programs
from benchmarks.served import site as sites
from benchmarks.served import work
from benchmarks.served.people import HEADER
from benchmarks.served.run import round_of
from benchmarks.served.site import Site, site
from benchmarks.served.topology import Topology
from benchmarks.served.work import Bench
from tests.workers.worker_bench import LOOP_WORKERS

pytestmark = [
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.kills_processes,
    pytest.mark.skipif(programs() is None and "CI" not in os.environ, reason="no PostgreSQL server to start"),
]

BOSS = "boss@example.org"  # an admin, who is shown every page and part
TURN_S, LAST_S, PATIENCE_S = 0.5, 4.0, 120.0
POLLED = 3  # pages, of which a part is drawn again and again: overview, jobs, a campaign
NAMES = [name for entries in PAGES.values() for name, _ in entries]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The services, with one worker; what goes away comes again sooner than in the benchmark, and work comes faster.

    The worker imports torch once, and not for each run: that of compose.yaml is in test_compose.py.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sites, "Topology", quick_topology)
        patch.setattr(sites, "N_WORKERS", 1)
        patch.setattr(sites, "DOWN_S", 1.0)
        patch.setattr(work, "EVERY_S", 3.0)
        with site(tmp_path_factory.mktemp("site")) as opened:
            yield opened


def quick_topology(*given: Any, **named: Any) -> Topology:
    topology = Topology(*given, **named)
    topology.services["worker"]["command"] = [*LOOP_WORKERS]
    return topology


@pytest.fixture(scope="module")
def bench(at: Site) -> Bench:
    """What the pages show."""
    made = Bench(at, 60, ["ann@example.org"], 1.0)
    at.store.members.set_role(BOSS, "admin")
    return made


@pytest.fixture(scope="module")
def before(at: Site, bench: Bench) -> Iterator[list[PageSession]]:
    """Pages that are open before anything goes away."""
    with opened(sessions(at, bench)) as pages:
        assert not [(one.page, one.problems) for one in pages if one.problems]
        yield pages


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
def opened(pages: list[PageSession]) -> Iterator[list[PageSession]]:
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(PageSession.open, pages))
        yield pages
    finally:
        for page in pages:
            page.close()


@contextmanager
def redis_away(at: Site) -> Iterator[None]:
    """Ended in order, and started again."""
    (pid,) = at.groups()["redis"]()
    psutil.Process(pid).terminate()
    psutil.Process(pid).wait(PATIENCE_S)
    yield
    at.topology.start_redis()
    processes.until(at.topology.redis_is_healthy, "Redis to be back", PATIENCE_S)


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


def test_while_redis_is_away_no_page_shows_a_traceback(at: Site, bench: Bench, before: list[PageSession]) -> None:
    with ExitStack() as stack:
        with redis_away(at):
            meanwhile = stack.enter_context(opened(sessions(at, bench)))
            follow([*before, *meanwhile], LAST_S)
        follow([*before, *meanwhile], LAST_S)
        assert exceptions([*before, *meanwhile]) == []


def test_while_the_database_is_away_every_page_says_so_and_draws_itself_again_once_it_is_back(
    at: Site, bench: Bench, before: list[PageSession]
) -> None:
    follow_until(before, lambda: sum(one.polls for one in before) >= POLLED)
    polled = [one for one in before if one.polls]
    for one in before:
        one.problems.clear()
    at.cluster.stop(IMMEDIATE)
    with opened(sessions(at, bench)) as meanwhile:
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


def test_no_answer_is_lost_with_the_database_and_the_backup_taken_meanwhile_holds_all_before_it(
    at: Site, tmp_path: Path
) -> None:
    """The short form of benchmarks.served: a few people answer while PostgreSQL dies and comes again."""
    seen = round_of(at, tmp_path, people=3, browsers=0, seconds=6, faults=["database"], pace_s=0.3)

    assert seen["answers"] > 0 and seen["backup_answers"] > 0
    assert (seen["lost"], seen["backup_answers_missing"], seen["answers_unacknowledged"]) == (0, 0, 0)
    assert seen["runs_stuck"] == [] and seen["runs"]["done"] >= 3
    assert seen["back_s"]["database"] is not None and seen["faults_not_struck"] == []
    assert 0 < seen["rss_mb_max"] < 1_500
