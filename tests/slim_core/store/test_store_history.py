"""The long list of runs, its filters and pages; moving a waiting run to the front."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slim_core.errors import ConflictError, NotFoundError
from slim_core.steps.specs import GradcamSpec
from slim_core.store.runs.lineage import Link
from slim_core.store.runs.runs import RunFilter
from tests.slim_core.store.store_makers import train_spec


def ids(runs) -> list[str]:
    return [run.id for run in runs]


@pytest.fixture
def runs(store, dataset):
    """Five runs of two people, oldest first: the first is done, the second failed, the rest waits."""
    made = [
        store.runs.submit(train_spec(dataset, n), by="ada" if n < 3 else "grace", name=f"50%_try {n}")[0]
        for n in range(5)
    ]
    for run, end in zip(made, (store.attempts.finish, store.attempts.fail), strict=False):
        end(
            run.id,
            store.attempts.claim(run.id, "w", "cpu"),
            {"wga": 1.0} if end == store.attempts.finish else "no luck",
        )
    return made


def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_overlap(store, runs) -> None:
    history = store.history
    paged = [*history.page(RunFilter(), 2), *history.page(RunFilter(), 2, 2), *history.page(RunFilter(), 2, 4)]
    assert ids(paged) == ids(reversed(runs))
    assert history.count(RunFilter()) == 5
    assert all(run.metrics is None for run in paged)


def test_the_finished_runs_of_a_data_set_are_named_in_short(store, runs, dataset) -> None:
    assert store.history.finished(dataset.id) == [(runs[0].id, "train", "50%_try 0")]
    assert store.history.finished("another") == []


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (RunFilter(statuses=("done", "failed")), [1, 0]),
        (RunFilter(by="grace"), [4, 3]),
        (RunFilter(text="TRY 3"), [3]),
        (RunFilter(text="50%_"), [4, 3, 2, 1, 0]),
        (RunFilter(text="5%t"), []),  # no wildcards
        (RunFilter(kinds=("evaluate",)), []),
        (RunFilter(dataset="d-other"), []),
        (RunFilter(since=datetime.now(UTC) + timedelta(days=1)), []),
    ],
)
def test_filters_choose_and_counts_agree(store, runs, which: RunFilter, expected: list[int]) -> None:
    history = store.history
    assert ids(history.page(which, 10)) == [runs[n].id for n in expected]
    assert history.count(which) == len(expected)


def test_an_id_is_found_by_its_beginning(store, runs) -> None:
    assert ids(store.history.page(RunFilter(text=runs[2].id[:9].upper()), 10)) == [runs[2].id]


def test_deleted_runs_are_left_out(store, runs) -> None:
    store.runs.delete(runs[0].id)
    history = store.history
    assert history.count(RunFilter()) == 4
    assert set(history.some([runs[0].id, runs[1].id])) == {runs[1].id}


def test_submitters_are_named_once(store, runs) -> None:
    assert store.history.submitters() == ["ada", "grace"]


def test_links_are_read_both_ways_and_a_deleted_child_is_not_shown(store, runs, dataset) -> None:
    child = store.runs.submit(GradcamSpec(dataset=dataset.id, model=runs[0].id), by="ada")[0]
    link = Link(runs[0].id, child.id, "model")
    assert store.lineage.parents([child.id, runs[1].id]) == [link]
    assert store.lineage.children([runs[0].id]) == [link]
    store.runs.delete(child.id)
    assert store.lineage.children([runs[0].id]) == []


def test_a_run_moved_to_the_front_is_next_and_the_move_is_noted(store, runs) -> None:
    assert ids(store.queue.waiting()) == ids([runs[3], runs[2], runs[4]]), "it is grace's turn"
    for run in (runs[4], runs[3]):
        store.queue.move_to_front(run.id, "lead")
        assert store.queue.waiting()[0].id == run.id
    assert ids(store.queue.waiting()) == ids([runs[3], runs[4], runs[2]])
    event = store.events.recent(1)[0]
    assert (event.what, event.who, event.subject) == ("run.prioritised", "lead", runs[3].id)


def test_what_a_moved_run_waits_for_goes_with_it(store, runs, dataset) -> None:
    child = store.runs.submit(GradcamSpec(dataset=dataset.id, model=runs[4].id), by="ada")[0]
    store.queue.move_to_front(child.id, "lead")
    assert store.queue.waiting()[0].id == runs[4].id
    assert store.runs.fetch(runs[0].id).priority == 0  # done: nothing to move


def test_only_a_waiting_run_is_moved(store, runs) -> None:
    with pytest.raises(ConflictError, match="is done by now"):
        store.queue.move_to_front(runs[0].id, "lead")
    with pytest.raises(NotFoundError):
        store.queue.move_to_front("r-nothere", "lead")
