"""The pause of the queue: kept in the database, held against workers alone."""

from __future__ import annotations

import pytest

from slim_core.errors import ConflictError
from slim_core.store import Dataset, Store
from tests.slim_core.store.store_makers import in_threads, train_spec

ANY = (1,)


def best(store: Store) -> tuple[str, str] | None:
    return store.attempts.claim_best("worker-1", "cpu", ("gpu",), ANY, "1")


def test_no_worker_takes_anything_while_it_is_paused_and_what_runs_can_end(store: Store, dataset: Dataset):
    first, _ = store.runs.submit(train_spec(dataset))
    claimed = best(store)
    assert claimed is not None and claimed[0] == first.id
    second, _ = store.runs.submit(train_spec(dataset, seed=1))
    pause = store.queue.pause("ann")
    assert "ann paused the queue" in str(pause) and store.queue.paused() == pause
    assert best(store) is None and store.queue.next_for(("gpu",), ANY) == []
    with pytest.raises(ConflictError, match=f"Run {second.id} waits: ann paused the queue"):
        store.attempts.claim(second.id, "worker-1", "cpu", of_queue=True)
    store.attempts.finish(*claimed, {})
    assert store.runs.fetch(first.id).status == "done"
    assert [one.id for one in store.queue.waiting()] == [second.id], "it keeps its place"
    assert store.queue.resume("ben") and store.queue.paused() is None
    assert (best(store) or ("",))[0] == second.id


def test_a_command_that_computes_by_itself_is_not_held_back(store: Store, dataset: Dataset):
    run, _ = store.runs.submit(train_spec(dataset))
    store.queue.pause("ann")
    assert store.attempts.claim(run.id, "here:in-process", "cpu")


def test_it_outlives_the_process_that_has_paused_it(store: Store):
    pause = store.queue.pause("ann")
    again = Store.open(store.settings)
    assert again.queue.paused() == pause
    again.close()


def test_of_many_who_press_at_once_one_pauses_and_one_resumes(store: Store):
    pauses = in_threads(4, lambda k: store.queue.pause(f"p{k}"))
    assert len({pause.paused_by for pause in pauses}) == 1
    assert sorted(in_threads(4, lambda k: store.queue.resume(f"p{k}"))) == [False, False, False, True]
    assert [event.what for event in store.events.recent(subject="queue")] == ["queue.resumed", "queue.paused"]
