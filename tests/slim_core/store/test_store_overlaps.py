"""Two writes that overlap: the second begins when the first has done all but its commit.

SQLite has one writer at a time. In PostgreSQL the second sees nothing of the first until it waits for one of its rows.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from slim_core.errors import ConflictError, SpecRefusedError
from slim_core.steps.specs import EvaluateSpec, GradcamSpec, SpaceSpec
from slim_core.store import Dataset, Run, Store, schema
from slim_core.store.runs.rows import lock_run
from slim_core.store.workers import Heartbeat
from tests.refusals import missing
from tests.slim_core.store.conftest import DATABASES
from tests.slim_core.store.store_makers import image_table, imported, train_spec

pytestmark = pytest.mark.parametrize("migrated", DATABASES[1:], indirect=True)  # PostgreSQL alone
_WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' LIMIT 1"


@pytest.fixture
def model(store: Store, dataset) -> Run:
    """A queued training."""
    return store.runs.submit(train_spec(dataset))[0]


@pytest.fixture
def attention(store: Store, dataset, model: Run) -> Run:
    """A queued attention pass that waits for it."""
    return store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0]


def overlapped(
    store: Store, first: Callable[[], object], second: Callable[[], object], *, at: str = "COMMIT"
) -> tuple[Any, Any]:
    """What two writes return, or raise: the first goes on once the second waits for it, or has ended.

    ``at``: the first statement of the first write that is held up has this in it; the second begins then.
    """
    held, go_on = threading.Event(), threading.Event()

    def hold(connection: sa.Connection, statement: str) -> None:
        if connection.get_execution_options().get("slim_write") and at in statement and not held.is_set():
            held.set()
            assert go_on.wait(60)

    def on_statement(connection: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        hold(connection, statement)

    def on_commit(connection: sa.Connection) -> None:
        hold(connection, "COMMIT")

    listeners = {"before_cursor_execute": on_statement, "commit": on_commit}
    for event, listener in listeners.items():
        sa.event.listen(store.database.engine, event, listener)
    try:
        with ThreadPoolExecutor(2) as pool:
            began = pool.submit(_tried, first)
            assert held.wait(60)
            after = pool.submit(_tried, second)
            while not after.done() and not _waits(store):
                time.sleep(0.01)
            go_on.set()
            return began.result(60), after.result(60)
    finally:
        for event, listener in listeners.items():
            sa.event.remove(store.database.engine, event, listener)


def _tried(act: Callable[[], object]) -> object:
    try:
        return act()
    except Exception as error:
        return error


def _waits(store: Store) -> bool:
    with store.database.read() as connection:
        return connection.execute(sa.text(_WAITS)).first() is not None


def work_on(store: Store, run: Run) -> str:
    """The token of a worker that has claimed it."""
    return store.attempts.claim(run.id, "worker-1", "cpu")


def space_of(store: Store, attention: Run) -> Callable[[], Any]:
    """Submits a space of it."""
    return lambda: store.runs.submit(SpaceSpec(dataset=attention.dataset_id, attention=attention.id))[0]


def _loops(store: Store, dataset: Dataset) -> Iterator[tuple[Run, Run]]:
    """Trainings, each with a space of its attention; ids have no order."""
    for seed in itertools.count():
        model = store.runs.submit(train_spec(dataset, seed))[0]
        attention = store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0]
        yield model, space_of(store, attention)()


def test_a_run_that_is_submitted_while_its_grandparent_fails_fails_with_it(store, model, attention):
    token = work_on(store, model)
    space, _ = overlapped(store, space_of(store, attention), lambda: store.attempts.fail(model.id, token, "no memory"))
    assert isinstance(space, Run)
    assert [store.runs.fetch(run.id).status for run in (model, attention, space)] == ["failed"] * 3
    assert store.attempts.retried_with(model.id) == [attention.id, space.id]


def test_one_who_submits_and_a_run_that_fails_do_not_wait_for_each_other(store, dataset):
    model, space = next((model, space) for model, space in _loops(store, dataset) if space.id < model.id)
    token = work_on(store, model)
    _, scores = overlapped(
        store,
        lambda: store.attempts.fail(model.id, token, "no memory"),
        lambda: store.runs.submit(EvaluateSpec(dataset=dataset.id, model=model.id, space=space.id)),
        at="ended_with",
    )
    assert isinstance(scores, SpecRefusedError) and f"run {model.id} is failed" in str(scores)


def test_a_run_is_not_queued_again_behind_a_parent_that_fails_meanwhile(store, model, attention):
    token = work_on(store, model)
    fail = lambda: store.attempts.fail(model.id, token, "no memory")  # noqa: E731
    store.attempts.request_stop(attention.id)
    again, _ = overlapped(store, lambda: store.attempts.retry(attention.id), fail)
    assert store.runs.fetch(attention.id).status == "failed", again


def test_a_run_is_not_queued_again_behind_a_parent_that_has_just_failed(store, model, attention):
    token = work_on(store, model)
    fail = lambda: store.attempts.fail(model.id, token, "no memory")  # noqa: E731
    store.attempts.request_stop(attention.id)
    _, again = overlapped(store, fail, lambda: store.attempts.retry(attention.id))
    assert isinstance(again, ConflictError) and "retry that one" in str(again)
    assert store.runs.fetch(attention.id).status == "canceled"


def test_a_run_that_a_worker_is_taking_is_not_deleted_with_its_parent(store, model, attention, finish):
    finish(model)
    token, refused = overlapped(
        store, lambda: work_on(store, attention), lambda: store.runs.delete(model.id, cascade=True)
    )
    assert isinstance(refused, ConflictError) and f"Run {attention.id} is running" in str(refused)
    store.attempts.finish(attention.id, token, {})
    assert store.runs.fetch(model.id).status == "done" == store.runs.fetch(attention.id).status


def test_a_run_that_is_submitted_while_its_ancestors_are_deleted_goes_with_them(store, model, attention, finish):
    finish(model), finish(attention)
    space, deleted = overlapped(store, space_of(store, attention), lambda: store.runs.delete(model.id, cascade=True))
    assert deleted == [space.id, attention.id, model.id] and store.runs.all() == []


def test_a_person_whom_two_admins_add_at_once_is_one_member(store):
    add = lambda: store.members.set_role("ann@lab.org", "lead")  # noqa: E731
    assert overlapped(store, add, add) == (None, None)
    assert [one.role for one in store.members.all()] == ["lead"]


def test_a_worker_that_enters_itself_while_its_service_does_is_one_worker_and_keeps_its_version(store):
    about = {"host": "h", "pid": 1, "device": "cpu", "queues": ["cpu"]}
    by_service = lambda: store.workers.beat(Heartbeat("w", **about, current_run="r-1"))  # noqa: E731
    by_itself = lambda: store.workers.beat(Heartbeat("w", **about, version="1.0"))  # noqa: E731
    assert overlapped(store, by_service, by_itself) == (None, None)
    assert [(one.id, one.version) for one in store.workers.alive()] == [("w", "1.0")]


def test_a_service_that_waits_for_one_of_the_lost_runs_holds_no_other(store, dataset):
    oldest, *others = (store.runs.submit(train_spec(dataset, seed))[0] for seed in range(4))
    for run in (oldest, *others):
        work_on(store, run)
    store.attempts.request_stop(oldest.id)  # in an index by status, and among the rows as they lie, it is the last now
    past_every_lease = datetime.now(UTC) + timedelta(seconds=store.settings.lease_s + 5)
    with ThreadPoolExecutor(1) as pool:
        with store.database.write() as connection:
            lock_run(connection, oldest.id)
            service = pool.submit(store.attempts.lose_expired, past_every_lease)
            while not service.done() and not _waits(store):
                time.sleep(0.01)
            free = sa.select(schema.runs.c.id).with_for_update(skip_locked=True)
            found = set(connection.execute(free).scalars())
        assert [run.status for run in service.result(60)] == ["canceled", "queued", "queued", "queued"]
    assert found == {run.id for run in (oldest, *others)}


def test_a_shard_that_is_done_while_its_run_is_stopped_stays_done(store, dataset, model, finish):
    finish(model)
    many = Store.open(store.settings)
    many.runs.shard_images = 20
    whole = many.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id, batch_size=4))[0]
    shard, *others = many.runs.shards(whole.id)
    token = work_on(many, shard)
    ends, stops = lambda: many.attempts.finish(shard.id, token, {}), lambda: many.attempts.request_stop(whole.id)
    overlapped(many, ends, stops)
    assert [one.status for one in many.runs.shards(whole.id)] == ["done", *("canceled" for _ in others)]
    many.close()


def test_two_data_sets_that_are_named_alike_at_once_do_not_share_the_name(store, dataset, tmp_path):
    other = store.datasets.register(imported(image_table(tmp_path, name="other", seed=1)))
    named = lambda which: lambda: store.notes.write(which.id, name="birds", text="", tags=())  # noqa: E731
    _, refused = overlapped(store, named(dataset), named(other))
    assert isinstance(refused, ConflictError) and not missing(str(refused), "birds", dataset.id)
    assert [store.datasets.fetch(each.id).name for each in (dataset, other)] == ["birds", "other"]


def test_two_who_rename_data_sets_at_once_do_not_wait_for_each_other(store, dataset, tmp_path):
    other = store.datasets.register(imported(image_table(tmp_path, name="other", seed=1)))
    named = lambda which, name: lambda: store.notes.write(which.id, name=name, text="", tags=())  # noqa: E731
    assert overlapped(store, named(dataset, "birds"), named(other, "cats"), at="ORDER BY datasets.id") == (None, None)
    assert {each.name for each in store.datasets.all()} == {"birds", "cats"}


def test_two_admins_who_take_each_others_role_at_once_leave_one_of_them(store):
    for email in ("ann@lab.org", "bob@lab.org"):
        store.members.set_role(email, "admin")
    demote = lambda: store.members.set_role("bob@lab.org", "viewer")  # noqa: E731
    _, refused = overlapped(store, demote, lambda: store.members.remove("ann@lab.org"))
    assert isinstance(refused, ConflictError) and "be an admin" in str(refused)


def test_an_admin_who_hands_over_while_another_demotes_the_heir_leaves_an_admin(store):
    for email, role in (("ann@lab.org", "admin"), ("bob@lab.org", "lead")):
        store.members.set_role(email, role)

    def hand_over() -> None:
        store.members.set_role("bob@lab.org", "admin", by="ann@lab.org")
        store.members.set_role("ann@lab.org", "lead", by="ann@lab.org")

    overlapped(store, lambda: store.members.set_role("bob@lab.org", "viewer"), hand_over, at="UPDATE members")
    assert "admin" in [one.role for one in store.members.all()]
