"""When a waiting run probably starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from slim_core.store import Store, Worker, schema
from slim_core.store.queue.estimates import Busy, Durations, Estimate, estimates
from slim_core.store.queue.order import Waiting
from slim_core.store.workers import Heartbeat

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = Durations({("train", False, "d1"): 100.0, ("train", False, None): 60.0, ("curate", False, None): 1.0})


def wait(name: str, kind: str = "train", dataset: str = "d1", queue: str = "gpu", device: str | None = None) -> Waiting:
    return Waiting(name, kind, queue, 0, "ann", NOW, dataset, None, device)


def worker(name: str, queues: str = "gpu", device: str = "cuda:0") -> Worker:
    return Worker(name, "host", 1, device, queues, None, "", None, NOW, NOW)


def busy(name: str, seconds_left: float | None, since_s: float = 0.0, kind: str = "train") -> Busy:
    return Busy(kind, "d1", None, name, NOW - timedelta(seconds=since_s), None, None, seconds_left)


def starts(waiting, workers, under_way=()) -> dict[str, float | None]:
    return {name: each.starts_in_s for name, each in estimates(waiting, workers, under_way, KNOWN, NOW).items()}


def test_runs_go_one_after_another_to_the_worker_that_is_free_first():
    waiting = [wait("a"), wait("b"), wait("c", dataset="d2"), wait("d")]
    assert starts(waiting, [worker("w")]) == {"a": 0.0, "b": 100.0, "c": 200.0, "d": 260.0}
    assert starts(waiting, [worker("w"), worker("x")]) == {"a": 0.0, "b": 0.0, "c": 100.0, "d": 100.0}


def test_a_busy_worker_is_free_when_its_run_says_or_when_such_a_run_usually_ends():
    assert starts([wait("a")], [worker("w")], [busy("w", 30.0)]) == {"a": 30.0}
    assert starts([wait("a")], [worker("w")], [busy("w", None, since_s=80)]) == {"a": 20.0}
    assert starts([wait("a")], [worker("w")], [busy("w", None, since_s=500)]) == {"a": 0.0}


def test_where_nobody_knows_nothing_is_said():
    unknown = busy("w", None, kind="space")
    assert starts([wait("a")], [worker("w")], [unknown]) == {"a": None}
    assert starts([wait("a")], [worker("w"), worker("x")], [unknown]) == {"a": 0.0}
    behind = estimates([wait("a", kind="space"), wait("b")], [worker("w")], [], KNOWN, NOW)
    assert behind == {"a": Estimate(0.0, None), "b": Estimate(None, 100.0)}
    assert starts([wait("a", queue="cpu")], [worker("w")]) == {"a": None}
    assert starts([wait("a", device="cuda:1")], [worker("w")]) == {"a": None}


def test_a_run_that_asks_for_a_device_waits_for_it_while_others_go_elsewhere():
    two = [worker("w", device="cuda:0"), worker("x", device="cuda:1")]
    waiting = [wait("a", device="cuda:1"), wait("b", device="cuda:1"), wait("c"), wait("d", kind="curate")]
    assert starts(waiting, two) == {"a": 0.0, "b": 100.0, "c": 0.0, "d": 100.0}


@pytest.fixture
def thousands(store: Store, dataset) -> None:
    """Finished runs: newer ones of this data set took 50 s, all others longer."""
    row = {"kind": "train", "name": "n", "queue": "gpu", "status": "done", "spec": {}, "progress": {}}
    row |= {"created_by": "ann", "queued_at": NOW, "dataset_id": dataset.id, "metrics": {"x": [0.5] * 500}}
    rows = [
        row
        | {"id": f"r-{k}", "spec_hash": f"{k}", "created_at": NOW - timedelta(seconds=k), "seconds": 50.0 + k // 300}
        for k in range(2_000)
    ]
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), rows)
        connection.execute(
            schema.runs.insert(), [row | {"id": "w", "spec_hash": "w", "status": "queued", "created_at": NOW}]
        )


def test_the_newest_finished_runs_say_how_long_one_takes_along_an_index(store: Store, thousands):
    store.workers.beat(Heartbeat("w1", host="h", pid=1, device="cpu", queues=["gpu"], version=""))
    assert store.queue.estimates(store.queue.waiting(), store.workers.alive()) == {"w": Estimate(0.0, 50.0)}
    if store.database.is_sqlite:
        with store.database.read() as connection:
            plan = connection.execute(
                sa.text(
                    "EXPLAIN QUERY PLAN SELECT seconds FROM runs WHERE status = 'done' AND deleted_at IS NULL "
                    "ORDER BY created_at DESC LIMIT 300"
                )
            ).all()
        assert "USING INDEX ix_runs_status_created_at" in str(plan) and "TEMP B-TREE" not in str(plan)


@pytest.fixture
def passes(store: Store, dataset) -> None:
    """A pass of 20 s over a data set, and none over "d-large", which has a hundred times as many images."""
    row = {"kind": "gradcam", "queue": "gpu", "name": "n", "status": "done", "spec": {}, "progress": {}}
    row |= {"created_at": NOW, "queued_at": NOW, "dataset_id": dataset.id, "created_by": "ann"}
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), [row | {"id": "r-1", "spec_hash": "1", "seconds": 20.0}])
        columns = [column.name for column in schema.datasets.columns if column.name not in ("id", "fingerprint")]
        (known,) = connection.execute(sa.select(*(schema.datasets.c[name] for name in columns))).mappings()
        larger = {**known, "id": "d-large", "fingerprint": "other", "n_images": 100 * dataset.n_images}
        connection.execute(schema.datasets.insert(), [larger])


@pytest.mark.usefixtures("passes")
def test_a_data_set_on_which_nothing_ran_takes_as_long_as_its_images_do_elsewhere(store: Store, dataset):
    known = store.queue.durations()
    assert known.of_step("gradcam", dataset.id) == 20.0
    assert known.of_step("gradcam", "d-large") == pytest.approx(2_000.0)
    assert known.of_step("space", "d-large") is None


@pytest.mark.usefixtures("passes")
def test_a_pass_in_shards_takes_as_long_as_they_did_and_its_merge_as_long_as_a_merge(store: Store):
    row = {"kind": "gradcam", "queue": "gpu", "name": "n", "status": "done", "spec": {}, "progress": {}}
    row |= {"created_at": NOW, "queued_at": NOW, "dataset_id": "d-large", "created_by": "ann"}
    merge = row | {"id": "r-2", "spec_hash": "2", "seconds": 2.0, "shard_of": None, "worker": "w0"}
    of_it = row | {"seconds": 500.0, "shard_of": "r-2"}
    shards = [of_it | {"id": f"s-{k}", "spec_hash": f"s{k}", "worker": f"w{k % 2}"} for k in range(4)]
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), [merge, *shards])
    known = store.queue.durations()
    assert known.of_step("gradcam", "d-large") == 1_002.0, "2,000 s on two workers, and 2 s of merging"
    assert known.of(wait("a", "gradcam", "d-large")) == 2.0
    shard = Waiting("b", "gradcam", "gpu", 0, "ann", NOW, "d-large", "r-2", None)
    assert known.of(shard) == 500.0


def test_a_whole_network_takes_as_long_as_its_epochs_and_a_last_layer_says_nothing_of_it(store: Store, dataset):
    row = {"kind": "train", "queue": "gpu", "name": "n", "status": "done", "progress": {}, "created_by": "ann"}
    row |= {"created_at": NOW, "queued_at": NOW, "dataset_id": dataset.id}
    done = [("full", 10, 20.0), ("full", 40, 80.0), *[("last-layer", 30, 1.0)] * 5, *[("registered", 30, 0.2)] * 5]
    rows = [
        row | {"id": f"r-{k}", "spec_hash": str(k), "seconds": seconds, "spec": {"mode": mode, "epochs": epochs}}
        for k, (mode, epochs, seconds) in enumerate(done)
    ]
    later = {"status": "queued", "created_at": NOW + timedelta(seconds=1), "seconds": 0.0}
    rows += [rows[0] | later | {"id": "w", "spec_hash": "w", "spec": {"mode": "full", "epochs": 3_000}}]
    rows += [rows[2] | later | {"id": "l", "spec_hash": "l"}]
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), rows)
    takes = {run.id: store.queue.durations().of(run) for run in store.queue.waiting()}
    assert takes == {"w": 6_000.0, "l": 1.0}
    store.workers.beat(Heartbeat("w1", host="h", pid=1, device="cpu", queues=["gpu"], version=""))
    found = store.queue.estimates(store.queue.waiting(), store.workers.alive())
    assert found["w"].takes_s == 6_000.0
