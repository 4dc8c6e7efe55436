"""The benchmark of hostile inputs notices what it is to notice; its cases are many, and the same for a seed."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st
from PIL import Image
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.hostile.__main__ import KINDS
from benchmarks.hostile.case import Case, Effects, Outcome, drawn, judge
from benchmarks.hostile.run import services_ended
from benchmarks.hostile.studio import Results, Studio
from benchmarks.hostile.watch import (
    COLOUR,
    MARK,
    Canaries,
    Kept,
    Logs,
    differences,
    files_with_a_canary,
    shows_a_canary,
)
from slim_core.settings import Settings

REFUSED = Outcome("refused", b"No such thing: name another.", 0.1, 400)
CASE = Case("one", lambda _studio: REFUSED)
TRACEBACK = b"Traceback (most recent call last):\n"


def wrong(outcome: Outcome = REFUSED, effects: Effects = Effects(), case: Case = CASE) -> set[str]:  # noqa: B008
    return {name for name, is_so in vars(judge(case, outcome, effects)).items() if is_so}


def test_a_refusal_in_order_is_no_finding() -> None:
    assert wrong() == set() and not judge(CASE, REFUSED, Effects()).any


@pytest.mark.parametrize(
    ("outcome", "effects", "found"),
    [
        (replace(REFUSED, said=TRACEBACK), Effects(), {"traceback"}),
        (REFUSED, Effects(logged=b"x\n" + TRACEBACK), {"traceback"}),
        (Outcome("broken", b"", 0.1, 500), Effects(), {"status_500", "unexpected"}),
        (REFUSED, Effects(outside=("/etc/passwd",)), {"outside_roots"}),
        (replace(REFUSED, seconds=5.1), Effects(), {"hang"}),
        (REFUSED, Effects(left=("table runs: 1 -> 2",)), {"left_behind"}),
        (replace(REFUSED, verdict="accepted"), Effects(left=("table runs: 1 -> 2",)), {"unexpected"}),
    ],
)
def test_each_kind_of_disorder_is_found(outcome: Outcome, effects: Effects, found: set[str]) -> None:
    assert wrong(outcome, effects) == found


def test_either_is_in_order_but_not_broken() -> None:
    case = replace(CASE, expected="either")
    assert wrong(case=case) == set() and wrong(replace(REFUSED, verdict="accepted"), case=case) == set()
    assert wrong(replace(REFUSED, verdict="broken"), case=case) == {"unexpected"}


def test_a_file_that_is_read_written_added_or_removed_is_noticed_once(tmp_path: Path) -> None:
    canaries = Canaries(tmp_path / "outside")
    if canaries.by_times:
        canaries.text.read_bytes()
        assert canaries.touched() == [str(canaries.text)]
    assert canaries.touched() == []
    (tmp_path / "outside" / "got-in").touch()
    canaries.table.unlink()
    assert canaries.touched() == sorted(map(str, (canaries.table, tmp_path / "outside" / "got-in")))


def picture(colour: tuple[int, int, int], form: str) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (32, 32), colour).resize((96, 96)).save(content, form)
    return content.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_canary_is_recognised_in_texts_and_pictures(form: str, tmp_path: Path) -> None:
    assert shows_a_canary(b"a " + MARK.encode()) and not shows_a_canary(b"a canary")
    assert shows_a_canary(picture(COLOUR, form)) and not shows_a_canary(picture((200, 20, 30), form))
    (tmp_path / "kept").write_text(f"row {MARK}")
    assert files_with_a_canary(tmp_path) == [str(tmp_path / "kept")]


def test_what_stays_in_the_database_and_the_home_is_named(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "slim.db")
    database.execute("CREATE TABLE runs (id)")
    database.execute("CREATE TABLE workers (id)")
    kept = Kept(tmp_path)
    before = kept.now()
    database.execute("INSERT INTO runs VALUES (1)")
    database.execute("INSERT INTO workers VALUES (1)")  # a heartbeat
    database.commit()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "left.bin").touch()
    database.close()
    assert differences(before, kept.now()) == ("table runs: 0 -> 1", "work/left.bin: 0 -> 1")


def test_a_log_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    logs = Logs(tmp_path / "a.log", tmp_path / "b.log")
    (tmp_path / "a.log").write_bytes(b"one\n")
    assert logs.new() == b"one\n" and logs.new() == b""
    with (tmp_path / "a.log").open("ab") as log:
        log.write(TRACEBACK)
    assert logs.new() == TRACEBACK


@pytest.mark.slow
def test_the_same_seed_draws_the_same_inputs() -> None:
    texts = st.text(min_size=1)
    assert drawn(texts, 20, of_seed=1) == drawn(texts, 20, of_seed=1) != drawn(texts, 20, of_seed=2)
    assert len(set(drawn(texts, 20, of_seed=1))) == 20


@pytest.mark.slow
def test_there_are_more_than_a_thousand_cases_of_all_kinds(tmp_path: Path) -> None:
    results = Results("d-one", "d-two", "r-m", "r-a", "r-s", "r-c", "r-e", "c-one", (1, 2))
    studio = Studio(tmp_path, Settings(home=tmp_path), None, results, None, 1, 1, 1)
    cases = {
        kind: list(make(studio, 0)) for kind, make in KINDS.items() if kind != "files"
    }  # whose sets are registered
    assert sum(map(len, cases.values())) > 1_000
    for kind, made in cases.items():
        assert any(case.drawn for case in made), kind


def test_a_service_that_has_died_is_counted_though_nobody_has_waited_for_it() -> None:
    with subprocess.Popen(["true"]) as worker:
        os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is a zombie
        once = Retry(NoBackoff(), 0)  # nobody answers there
        studio = SimpleNamespace(port=1, worker_pid=worker.pid, redis=lambda: Redis(port=1, retry=once))
        assert services_ended(studio) == 3
        assert services_ended(SimpleNamespace(**vars(studio) | {"worker_pid": os.getpid()})) == 2
