"""Who is next: priority, then users in turn, then age; only what can start, on as many devices as it needs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from slim_core.errors import ConflictError
from slim_core.steps.specs import EvaluateSpec, GradcamSpec, SpaceSpec
from slim_core.store import Store, schema
from slim_core.store.runs.queue import Unfinished, waiting
from slim_core.version import code_version
from tests.slim_core.store.store_makers import in_processes, in_threads, statements, train_spec

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANY = (1,)

# (what it shows, users with a run under way or "user!" with one that is over, in the order in which they were taken,
#  waiting runs as "user name [priority]" from old to young, who is next)
EXAMPLES = [
    ("age alone", "", "ann a, ann b, ann c", "a b c"),
    ("users in turn", "", "ann a1, ann a2, ann a3, ben b1, ben b2", "a1 b1 a2 b2 a3"),
    ("a single run of another user is second", "", "ann a1, ann a2, ann a3, ann a4, ben b", "a1 b a2 a3 a4"),
    ("what is running counts", "ann, ann", "ann a1, ann a2, ben b1, ben b2, cid c", "b1 c b2 a1 a2"),
    ("who was served longest ago comes first", "ben!, ann!", "ann a1, ann a2, ben b1, ben b2", "b1 a1 b2 a2"),
    ("who was never served comes before", "ann!", "ann a1, ann a2, ben b1, cid c1, cid c2", "b1 c1 a1 c2 a2"),
    ("priority before turns", "ann", "ann a1, ben b1, ann a2 5, ben b2", "a2 b1 b2 a1"),
    ("turns within a priority", "", "ann a1 1, ann a2 1, ben b1, ben b2 1, cid c", "a1 b2 a2 c b1"),
    ("a priority below the usual goes last", "", "ann a -1, ben b1, ben b2", "b1 b2 a"),
]


def put(store: Store, dataset, user: str, name: str, **values) -> None:
    """A run of a user as a row, whatever it stands for; later ones are younger."""
    row = {"id": name, "kind": "train", "name": name, "queue": "gpu", "status": "queued", "spec": {}, "progress": {}}
    row |= {"spec_hash": secrets.token_hex(8), "dataset_id": dataset.id, "created_by": user, "priority": 0}
    with store.database.write() as connection:
        n = connection.execute(sa.select(sa.func.count()).select_from(schema.runs)).scalar_one()
        at = NOW + timedelta(seconds=n)
        connection.execute(schema.runs.insert().values(**{**row, "created_at": at, "queued_at": at, **values}))


def names(store: Store, *where) -> list[str]:
    """The waiting runs, next first."""
    with store.database.read() as connection:
        return [run.id for run in waiting(connection, *where)]


@pytest.mark.parametrize(("running", "queued", "expected"), [pytest.param(*rest, id=what) for what, *rest in EXAMPLES])
def test_the_next_run_is(store, dataset, running: str, queued: str, expected: str):
    for k, user in enumerate(filter(None, running.split(", "))):
        put(store, dataset, user.strip("!"), f"taken-{k}", status="done" if "!" in user else "running")
        with store.database.write() as connection:
            store.events.note(connection, "worker", "run.claimed", f"taken-{k}")
    for user, name, *priority in (each.split() for each in queued.split(", ")):
        put(store, dataset, user, name, priority=int((priority or ["0"])[0]))
    assert names(store) == expected.split()


def test_what_runs_in_one_queue_does_not_count_in_another(store, dataset):
    put(store, dataset, "ann", "long", status="running", queue="gpu")
    put(store, dataset, "ann", "a", queue="cpu")
    put(store, dataset, "ben", "b", queue="cpu")
    assert names(store, ("cpu",)) == ["a", "b"]


def test_only_what_can_start_waits(store, dataset, finish):
    model, _ = store.runs.submit(train_spec(dataset), by="ann")
    child, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id), by="ann")
    gone, _ = store.runs.submit(train_spec(dataset, seed=1), by="ann")
    lost, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=model.id), by="ann")
    for each in (gone, lost):
        store.runs.delete(each.id)
    stopped, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=child.id), by="ann")
    store.attempts.request_stop(stopped.id)
    assert names(store) == [model.id] and store.queue.count_waiting() == {("gpu", 1): 1}
    assert store.queue.unfinished_parents() == {
        child.id: Unfinished(model.id, "Training on digits: small-resnet, seed 0", "queued", is_shard=False)
    }
    finish(model)
    assert names(store) == [child.id] and store.queue.unfinished_parents() == {}


def test_a_training_is_given_only_to_who_has_devices_for_its_processes(store, dataset):
    put(store, dataset, "ann", "alone", spec={"processes": 1})
    put(store, dataset, "ann", "older", spec={})
    put(store, dataset, "ann", "shared", spec={"processes": 2})
    assert names(store, ("gpu",), (1,)) == ["alone", "older"]
    assert names(store, ("gpu",), (1, 2)) == ["alone", "older", "shared"]
    assert store.queue.count_waiting() == {("gpu", 1): 2, ("gpu", 2): 1}


@pytest.mark.slow
def test_many_claimers_take_each_run_once_and_the_best_first(store, dataset):
    for user, n in (("ann", 7), ("ben", 2)):
        for k in range(n):
            put(store, dataset, user, f"{user}-{k}")

    def take(k: int) -> str | None:
        claimed = store.attempts.claim_best(f"worker-{k}", "cpu", ("gpu",), ANY, code_version())
        return claimed and claimed[0]

    first, second = in_processes(4, take), in_threads(4, take)
    assert set(first) >= {"ann-0", "ben-0"} and len(set(first)) == 4
    assert len({*first, *second}) == 8 and {"ben-0", "ben-1"} <= {*first, *second}
    assert list(filter(None, in_threads(4, take))) == ["ann-6"] and take(0) is None


@pytest.mark.parametrize("again", ["lost", "handed back"])
def test_a_run_whose_worker_is_gone_keeps_its_place_and_one_that_is_retried_goes_last(store, dataset, again: str):
    for k in range(3):
        put(store, dataset, "ann", f"ann-{k}")
    token = store.attempts.claim("ann-0", "host/cpu", "cpu")
    if again == "lost":
        store.attempts.lose("ann-0", token, "was killed")
    else:
        store.attempts.requeue("ann-0", token)
    assert names(store) == ["ann-0", "ann-1", "ann-2"]
    store.attempts.request_stop("ann-0")
    store.attempts.retry("ann-0")
    assert names(store) == ["ann-1", "ann-2", "ann-0"]


def test_a_run_is_not_retried_before_its_parent(store, dataset):
    model, _ = store.runs.submit(train_spec(dataset))
    child, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    store.attempts.fail(model.id, store.attempts.claim(model.id, "w", "cpu"), "No.")
    with pytest.raises(ConflictError, match=f"{model.id} has failed"):
        store.attempts.retry(child.id)
    assert store.runs.fetch(child.id).status == "failed"
    store.attempts.retry(model.id)
    assert store.runs.fetch(child.id).status == "queued", "with its parent"


def test_what_waits_for_a_stopped_run_is_stopped_with_it(store, dataset):
    model, _ = store.runs.submit(train_spec(dataset))
    child, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    store.attempts.request_stop(model.id, "ann")
    ended = store.runs.fetch(child.id)
    assert ended.status == "canceled"
    assert f"{model.id} was stopped" in ended.message
    with pytest.raises(ConflictError, match=f"{model.id} was stopped"):
        store.attempts.retry(child.id)
    store.attempts.retry(model.id)
    assert store.runs.fetch(child.id).status == "queued", "with its parent"


def test_a_retry_queues_again_all_that_ended_only_because_they_waited(store, dataset):
    model, _ = store.runs.submit(train_spec(dataset))
    maps, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    space, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id))
    stopped, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=model.id))
    assert [store.attempts.stopped_with(run.id) for run in (model, maps, space, stopped)] == [3, 1, 0, 0]
    store.attempts.request_stop(stopped.id, "ann")
    assert store.attempts.stopped_with(model.id) == 2, "one of them has ended by itself"
    store.attempts.fail(model.id, store.attempts.claim(model.id, "w", "cpu"), "No memory.")
    assert store.attempts.retried_with(model.id) == [maps.id, space.id]
    ended_with = [store.runs.fetch(run.id).ended_with for run in (model, maps, space, stopped)]
    assert ended_with == [None, model.id, model.id, None]
    store.attempts.retry(model.id)
    again = [store.runs.fetch(run.id) for run in (model, maps, space)]
    assert {(run.status, run.ended_with) for run in again} == {("queued", None)}
    by_hand = store.runs.fetch(stopped.id)
    assert (by_hand.status, by_hand.message) == ("canceled", "Stopped by ann before it started.")
    assert store.attempts.retried_with(model.id) == []


def test_what_waited_for_two_runs_is_queued_again_with_the_last_of_them(store, dataset):
    model, _ = store.runs.submit(train_spec(dataset))
    maps, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    space, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id))
    other, _ = store.runs.submit(train_spec(dataset, seed=1))
    both, _ = store.runs.submit(EvaluateSpec(dataset=dataset.id, model=other.id, space=space.id))
    assert store.attempts.stopped_with(model.id) == 3, "the one that waits for both is counted"
    for run in (model, other):
        store.attempts.request_stop(run.id, "ann")
    assert store.attempts.retried_with(model.id) == [maps.id, space.id], "the other model has still ended"
    store.attempts.retry(model.id)
    assert store.runs.fetch(both.id).status == "canceled"
    assert store.attempts.retried_with(other.id) == [both.id]
    store.attempts.retry(other.id)
    assert store.runs.fetch(both.id).status == "queued"


def test_what_waits_for_a_run_that_stays_ended_stays_ended_with_all_behind_it(store, dataset):
    model, _ = store.runs.submit(train_spec(dataset))
    other, _ = store.runs.submit(train_spec(dataset, seed=1))
    maps, _ = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))
    space, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=maps.id))
    with store.database.write() as connection:
        connection.execute(schema.run_parents.insert().values(run_id=maps.id, role="initial", parent_id=other.id))
    for run in (model, other):
        store.attempts.request_stop(run.id, "ann")
    store.attempts.retry(model.id)
    assert [store.runs.fetch(run.id).status for run in (maps, space)] == ["canceled"] * 2
    store.attempts.retry(other.id)
    assert [store.runs.fetch(run.id).status for run in (maps, space)] == ["queued"] * 2


def test_progress_is_dated_so_that_a_hung_run_shows(store, dataset):
    run, _ = store.runs.submit(train_spec(dataset))
    token = store.attempts.claim(run.id, "w", "cpu")
    claimed = store.runs.fetch(run.id).progress_at
    assert claimed is not None
    store.attempts.renew(run.id, token)
    assert store.runs.fetch(run.id).progress_at == claimed
    store.attempts.progress(run.id, token, {"done": 1})
    assert store.runs.fetch(run.id).progress_at > claimed


def test_the_order_of_many_is_read_at_once(store, dataset):
    row = {"kind": "train", "name": "n", "queue": "gpu", "status": "queued", "spec": {}, "progress": {}, "attempt": 0}
    row |= {"dataset_id": dataset.id, "created_at": NOW, "queued_at": NOW}
    rows = [row | {"id": f"r-{k:05}", "spec_hash": f"{k}", "created_by": f"user {k % 7}"} for k in range(1_200)]
    parents = [{"run_id": f"r-{k:05}", "role": "model", "parent_id": "r-00000"} for k in range(600, 1_200)]
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), rows)
        connection.execute(schema.run_parents.insert(), parents)
    with statements(store.database) as told:
        assert len(store.queue.waiting()) == 600 and len(store.queue.unfinished_parents()) == 600
        assert [run.id for run in store.queue.next_for(("gpu",), ANY)][:7] == [f"r-{k:05}" for k in range(7)]
    assert len(told) <= 9
