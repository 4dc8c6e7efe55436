"""The state of a run in a plain sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.ui.run_state import rough_duration, sentence
from slim_core.formatting import ago, duration
from slim_core.store import Run
from workers.queue import QueueView

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = Run("r-1", "train", "a", "queued", {}, "d", "ada", NOW - timedelta(minutes=9))


def view(*waiting: str, reason: str | None = None) -> QueueView:
    return QueueView({"gpu": list(waiting), "cpu": []}, [], {}, {"r-1": reason} if reason else {})


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        (view("r-1"), "It is next in the queue."),
        (view("r-0", "r-1"), "It is number 2 in the queue."),
        (view("r-1", reason="It waits for its shards."), "It waits for its shards."),
        (view(), "It is queued."),
    ],
)  # fmt: skip
def test_a_waiting_run_says_where_it_stands_or_what_is_missing(queue: QueueView, expected: str) -> None:
    assert sentence(RUN, queue, NOW) == expected


def test_a_run_that_was_lost_says_why_it_waits_again() -> None:
    lost = replace(RUN, attempt=1, message="Its worker w was killed.")
    assert sentence(lost, view("r-1"), NOW) == "Its worker w was killed. It is next in the queue."


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (replace(RUN, status="running", worker="w", device="cpu", started_at=NOW - timedelta(seconds=75)),
         "It has been running on w (cpu) for 1 min 15 s."),
        (replace(RUN, status="running", worker="w", device="cpu", started_at=NOW + timedelta(hours=1)),
         "It has been running on w (cpu) for 0 s."),  # its clock is ahead of this one
        (replace(RUN, status="stopping", attempt=1), "It stops at its next batch."),
        (replace(RUN, status="done", attempt=1, seconds=4.0, finished_at=NOW - timedelta(hours=3)),
         "It finished after 4 s of computing, 3 h ago."),
        (replace(RUN, status="failed", attempt=1, seconds=4.2, finished_at=NOW), "It failed after 4.2 s, just now."),
        (replace(RUN, status="failed", finished_at=NOW), "It failed before it started, just now."),
        (replace(RUN, status="canceled", finished_at=NOW), "It was stopped before it started, just now."),
    ],
)  # fmt: skip
def test_every_other_state_is_a_sentence(run: Run, expected: str) -> None:
    assert sentence(run, view(), NOW).startswith(expected)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (0.01, "< 0.1 s"), (0.44, "0.4 s"), (9.97, "10 s"), (65, "1 min 05 s"), (7500, "2 h 05 min"),
     (200_000, "2 d 7 h"), (-3600, "0 s")],
)  # fmt: skip
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(2, "2 s"), (42, "40 s"), (90, "2 min"), (7300, "2 h")])
def test_rough_times(seconds: float, expected: str) -> None:
    assert rough_duration(seconds) == f"about {expected}"


@pytest.mark.parametrize(
    ("back", "expected"),
    [(1, "just now"), (42, "42 s ago"), (300, "5 min ago"), (90_000, "1 day ago"), (180_000, "2 days ago")],
)  # fmt: skip
def test_moments(back: float, expected: str) -> None:
    assert ago(NOW - timedelta(seconds=back), NOW) == expected
