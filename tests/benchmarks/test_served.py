"""The benchmark of the served mode counts what it is to count."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks.served.faults import Window, during
from benchmarks.served.inside import added, buckets_of
from benchmarks.served.inside import percentile as of_buckets
from benchmarks.served.people import Answer, Record, Trouble
from benchmarks.served.run import answered, errors, percentile
from benchmarks.served.work import images_for, is_sentence, stuck

WINDOWS = [Window("redis", since=100.0, until=110.0), Window("app", since=200.0)]  # the second never ended


def test_what_touches_a_fault_met_it_and_one_that_never_ended_goes_on() -> None:
    assert [during(WINDOWS, *span) for span in ((90, 99), (90, 101), (104, 105), (109, 120), (110, 199))] == [
        False, True, True, True, False,
    ]  # fmt: skip
    assert during(WINDOWS, 900, 901)


def test_answers_are_timed_outside_of_faults_and_those_that_waited_in_one_by_themselves() -> None:
    given = [Answer("a", "ann", 10.0, 10.1), Answer("b", "ann", 20.0, 20.3), Answer("c", "ben", 105.0, 112.0)]
    found = answered([*given, Answer("d", "ben", 50.0)], WINDOWS)
    assert (found["answers"], found["answers_unacknowledged"], found["answers_in_faults"]) == (3, 1, 1)
    assert found["answer_p50_ms"] == pytest.approx(200) and found["answer_p95_ms"] == pytest.approx(290)
    assert found["answer_in_faults_p95_ms"] == pytest.approx(7000)
    assert percentile([], 95) is None


def test_errors_count_outside_of_faults_and_are_named() -> None:
    found = errors([Trouble(10, 11, "ann", "500"), Trouble(99, 101, "ann", "closed")], WINDOWS)
    assert (found["errors"], found["errors_in_faults"]) == (1, 1)
    assert [one["said"] for one in found["errors_said"]] == ["500"]


def test_only_what_was_acknowledged_by_then_must_be_in_a_backup() -> None:
    record = Record([Answer("a", "ann", 1.0, 2.0), Answer("b", "ann", 1.0, 9.0), Answer("c", "ann", 1.0)])
    assert record.acknowledged(before=5.0) == {"a"} and record.acknowledged() == {"a", "b"}
    assert record.answered_since(0.5) and not record.answered_since(1.0)


def test_a_run_is_stuck_unless_it_is_done_or_says_why_it_failed() -> None:
    def run(status: str, message: str | None = None) -> SimpleNamespace:
        return SimpleNamespace(id="r", kind="train", status=status, message=message)

    ended = [run("done"), run("failed", "The disk was full: retry.")]
    hanging = [run("queued"), run("running"), run("canceled"), run("failed"), run("failed", "KeyError")]
    assert stuck(ended) == [] and len(stuck([*ended, *hanging])) == len(hanging)
    assert not is_sentence("Traceback (most recent call last): so.")


def test_there_are_images_for_everybody_until_the_end() -> None:
    assert images_for(20, 300, 1.0) * 3 >= 20 * 300
    assert images_for(1, 10, 1.0) == 60


def test_what_the_dashboard_measures_is_read_from_its_metrics_also_where_it_was_started_anew() -> None:
    text = "".join(
        f'slim_route_seconds_bucket{{le="{end}",route="{route}"}} {n}\n'
        for route, ns in (("annotate.answers", (10, 90, 100)), ("images.image", (5, 5, 5)))
        for end, n in zip(("0.1", "0.3", "+Inf"), ns, strict=True)
    )
    found = buckets_of("# TYPE slim_route_seconds histogram\n" + text)
    assert found == {0.1: 10, 0.3: 90, float("inf"): 100}
    assert of_buckets(found, 50) == pytest.approx(0.2) and of_buckets(found, 99) == 0.3 and of_buckets({}, 50) is None
    assert added(found, found) == {0.1: 0, 0.3: 0, float("inf"): 0}
    assert added({0.1: 50, 0.3: 90, float("inf"): 100}, found) == found, "counted from zero"
