"""What happened to a run, from its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import session
from app.jobs.about import attempt_events, waited_s
from slim_core.steps.registry import parse_spec
from slim_core.store import Dataset, Event
from slim_core.store.database import Database

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def events(*told: tuple[str, dict[str, Any]]) -> list[Event]:
    """One every ten seconds."""
    return [
        Event(n, BEGIN + timedelta(seconds=10 * n), "ada", f"run.{what}", "r-1", details)
        for n, (what, details) in enumerate(told)
    ]


def test_a_run_that_was_lost_and_then_done_has_two_attempts() -> None:
    told = attempt_events(
        events(
            ("submitted", {"kind": "train"}),
            ("claimed", {"device": "cuda:1"}),
            ("lost", {"attempt": 1, "why": "was killed by SIGKILL (signal 9)"}),
            ("claimed", {"device": "cpu"}),
            ("done", {"message": None}),
        ),
        2,
    )
    assert [(one.attempt, one.text, one.colour, one.after_s) for one in told] == [
        (0, "ada submitted it", "", None),
        (1, "ada started on cuda:1", "", None),
        (1, "ada was killed by SIGKILL (signal 9)", "orange", 10.0),
        (2, "ada started on cpu", "", None),
        (2, "done", "green", 10.0),
    ]


def test_an_attempt_that_was_handed_back_says_so_and_is_not_one_that_was_lost() -> None:
    told = attempt_events(events(("claimed", {}), ("handed_back", {"attempt": 1}), ("claimed", {})), 2)
    assert [(one.attempt, one.text) for one in told][1:] == [
        (1, "ada shut down and requeued it"),
        (2, "ada started on its device"),
    ]


def test_a_failure_tells_its_message_and_an_unknown_event_its_name() -> None:
    told = attempt_events(events(("claimed", {}), ("failed", {"message": "no memory"}), ("put_aside", {})), 1)
    assert [one.text for one in told][1:] == ["failed: no memory", "put aside (ada)"]


def test_attempts_are_counted_though_the_first_events_are_not_read() -> None:
    told = attempt_events(events(("lost", {}), ("claimed", {}), ("failed", {}), ("retried", {}), ("claimed", {})), 70)
    assert [one.attempt for one in told] == [68, 69, 69, 69, 70]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The time by the database's clock, as its only entry."""
    clock = [BEGIN]
    monkeypatch.setattr(Database, "now", lambda _self, _connection: clock[0])
    return clock


@pytest.mark.usefixtures("waiting_queue")
def test_a_run_that_was_lost_has_waited_without_the_computing_before(dataset: Dataset, now: list[datetime]) -> None:
    store = session.store()
    run, _ = store.runs.submit(parse_spec({"kind": "train", "dataset": dataset.id, "model": "small-resnet"}))
    for waits_s, computes_s in ((10, 3600), (20, 1800)):
        now[0] += timedelta(seconds=waits_s)
        token = store.attempts.claim(run.id, "w", "cpu")
        now[0] += timedelta(seconds=computes_s)
        store.attempts.lose(run.id, token, "was killed by SIGKILL (signal 9)")
    assert waited_s(store.runs.fetch(run.id)) == 30
    now[0] += timedelta(seconds=5)
    store.attempts.fail(run.id, store.attempts.claim(run.id, "w", "cpu"), "no memory")
    assert waited_s(store.runs.fetch(run.id)) == 35
    now[0] += timedelta(days=1)
    store.attempts.retry(run.id)
    now[0] += timedelta(seconds=7)
    store.attempts.claim(run.id, "w", "cpu")
    assert waited_s(store.runs.fetch(run.id)) == 7
