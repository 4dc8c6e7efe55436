"""What happened to a run, from its events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from app.jobs.parts.attempts import story
from slim_core.store import Event

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def events(*told: tuple[str, dict[str, Any]]) -> list[Event]:
    """One every ten seconds."""
    return [
        Event(n, BEGIN + timedelta(seconds=10 * n), "ada", f"run.{what}", "r-1", details)
        for n, (what, details) in enumerate(told)
    ]


def test_a_run_that_was_lost_and_then_done_has_two_attempts() -> None:
    told = story(
        events(
            ("submitted", {"kind": "train"}),
            ("claimed", {"device": "cuda:1"}),
            ("lost", {"attempt": 1, "why": "was killed by SIGKILL (signal 9)"}),
            ("claimed", {"device": "cpu"}),
            ("done", {"message": None}),
        )
    )
    assert [(one.attempt, one.text, one.tone, one.after_s) for one in told] == [
        (0, "ada submitted it", "", None),
        (1, "ada started on cuda:1", "", None),
        (1, "ada was killed by SIGKILL (signal 9)", "warn", 10.0),
        (2, "ada started on cpu", "", None),
        (2, "done", "good", 10.0),
    ]


def test_an_attempt_that_was_handed_back_says_so_and_is_not_one_that_was_lost() -> None:
    told = story(events(("claimed", {}), ("handed_back", {"attempt": 1}), ("claimed", {})))
    assert [(one.attempt, one.text) for one in told][1:] == [
        (1, "ada shut down and requeued it"),
        (2, "ada started on its device"),
    ]


def test_a_failure_tells_its_message_and_an_unknown_event_its_name() -> None:
    told = story(events(("claimed", {}), ("failed", {"message": "no memory"}), ("put_aside", {})))
    assert [one.text for one in told][1:] == ["failed: no memory", "put aside (ada)"]
