"""The effect of the answers is computed once for all sessions, and not most of the time."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from app.annotate import pace
from app.annotate.pace import Pace, State


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes only when a test says so."""
    hands = SimpleNamespace(now=100.0)
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: hands.now))
    return hands


def test_twenty_pages_that_poll_among_new_answers_compute_a_tenth_of_the_time(clock: SimpleNamespace) -> None:
    shared, computed = Pace(), list[State]()

    def compute(state: State) -> None:
        computed.append(state)
        clock.now += 0.2

    for poll in range(200):  # twenty seconds of twenty pages, each of which meets an answer of its own
        shared.state("c-one", (poll, 0), compute)
        clock.now += 0.1
    assert len(computed) == pytest.approx(10, abs=1)
    assert 0.2 * len(computed) <= 1.1 * pace.SHARE * (clock.now - 100)


def test_the_last_answer_is_shown_once_it_is_time_and_an_old_state_is_not_computed_again(
    clock: SimpleNamespace,
) -> None:
    shared, computed = Pace(), list[State]()

    def compute(state: State) -> None:
        computed.append(state)
        clock.now += 0.2

    assert shared.state("c-one", (1, 0), compute) == (1, 0)
    assert shared.state("c-one", (2, 0), compute) == (1, 0)  # too soon
    assert shared.state("c-two", (9, 9), compute) == (9, 9)  # another campaign does not wait
    clock.now += 2.0
    assert shared.state("c-one", (2, 0), compute) == (2, 0)
    clock.now += 60.0
    assert shared.state("c-one", (2, 0), compute) == (2, 0)
    assert computed == [(1, 0), (9, 9), (2, 0)]


def test_while_one_session_computes_the_others_show_the_last_state_and_the_first_one_is_waited_for() -> None:
    shared, begun, may_end, calls = Pace(), threading.Event(), threading.Event(), list[State]()

    def slow(state: State) -> None:
        calls.append(state)
        begun.set()
        assert may_end.wait(30)

    found = list[State]()
    sessions = [threading.Thread(target=lambda: found.append(shared.state("c", (1, 0), slow))) for _ in range(3)]
    for each in sessions:
        each.start()
    assert begun.wait(30)
    may_end.set()
    for each in sessions:
        each.join(30)
    assert found == [(1, 0)] * 3 and calls == [(1, 0)]

    begun.clear(), may_end.clear()
    shared._campaigns["c"].again_at = 0.0
    computing = threading.Thread(target=lambda: shared.state("c", (2, 0), slow))
    computing.start()
    assert begun.wait(30)
    assert shared.state("c", (3, 0), slow) == (1, 0)  # at once
    may_end.set()
    computing.join(30)
    assert calls == [(1, 0), (2, 0)]


def test_whoever_has_waited_for_a_state_for_long_does_not_compute_it_again() -> None:
    shared, calls, found = Pace(), list[State](), list[State]()
    campaign = shared._of("c")
    waiting = threading.Thread(target=lambda: found.append(shared.state("c", (1, 0), calls.append)))
    with campaign.making:  # as if another session computed
        waiting.start()
        time.sleep(0.1)
        campaign.state, campaign.again_at = (1, 0), 0.0
    waiting.join(30)
    assert (found, calls) == ([(1, 0)], [])


def test_one_that_fails_is_told_and_the_next_session_tries_again() -> None:
    shared = Pace()

    def broken(_state: State) -> None:
        raise ValueError("no space")

    with pytest.raises(ValueError, match="no space"):
        shared.state("c", (1, 0), broken)
    assert shared.state("c", (1, 0), lambda _state: None) == (1, 0)


def test_no_more_campaigns_are_kept_than_are_of_use() -> None:
    shared = Pace()
    for n in range(pace.MOST_KEPT + 5):
        shared.state(f"c-{n}", (n, 0), lambda _state: None)
    assert len(shared._campaigns) == pace.MOST_KEPT


def test_pages_that_are_open_are_counted_and_those_that_stopped_polling_are_not(clock: SimpleNamespace) -> None:
    shared = Pace()
    assert [shared.followers("c-one", page) for page in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert shared.followers("c-two", "a") == 1
    clock.now += pace.FOLLOWS_S - 1
    assert shared.followers("c-one", "b") == 3
    clock.now += 2
    assert shared.followers("c-one", "b") == 1
