"""What happened to a run, from its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.jobs.about import attempt_events
from slim_core.store import Event
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
