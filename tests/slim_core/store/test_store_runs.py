"""A run's life: submitted once, claimed once, ended once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from slim_core.errors import ConflictError, NotFoundError, RunLostError, SpecRefusedError
from slim_core.steps.specs import GradcamSpec, SpaceSpec, TrainSpec
from slim_core.store import Run, Store, schema
from tests.refusals import missing
from tests.slim_core.store.store_makers import image_table, imported, in_processes, in_threads, statements, train_spec

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@pytest.fixture
def run(store: Store, dataset) -> Run:
    """A queued training."""
    return store.runs.submit(train_spec(dataset), by="ann")[0]


@pytest.fixture
def child(store: Store, dataset, run: Run) -> Run:
    """A queued attention pass over the model of ``run``."""
    return store.runs.submit(GradcamSpec(dataset=dataset.id, model=run.id))[0]


def expire(store: Store, run_id: str) -> list[Run]:
    """Let the lease of a run end, as if its worker had been killed."""
    return store.attempts.lose_expired(datetime.now(UTC) + timedelta(seconds=store.settings.lease_s + 5))


def test_a_run_whose_worker_was_killed_has_computed_until_the_lease_was_last_renewed(store, run):
    store.attempts.claim(run.id, "w", "cpu")
    now, lease_s = datetime.now(UTC), store.settings.lease_s
    ended = {"started_at": now - timedelta(seconds=200), "lease_until": now - timedelta(seconds=100)}
    with store.database.write() as connection:
        connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(**ended))
    (lost,) = store.attempts.lose_expired()
    assert lost.status == "queued" and lost.seconds == pytest.approx(100 - lease_s, abs=0.01)


def test_a_submitted_run_tells_what_it_was_asked_for(store, dataset, run):
    assert (run.status, run.kind, run.queue, run.attempt) == ("queued", "train", "gpu", 0)
    assert run.spec["model"] == "small-resnet" and run.dataset_id == dataset.id and run.created_by == "ann"
    assert run.created_at.tzinfo is UTC and abs(datetime.now(UTC) - run.created_at) < timedelta(minutes=1)
    assert run.name == "Training on digits: small-resnet, seed 0"
    assert store.runs.fetch(run.id) == run and store.runs.find(run.id) == run
    assert [event.what for event in store.events.recent(subject=run.id)] == ["run.submitted"]


def test_the_same_spec_on_the_same_inputs_is_the_same_run(store, dataset, run, finish):
    by_name = TrainSpec(dataset=dataset.name, model="small-resnet")
    assert store.runs.submit(by_name) == (run, False)
    done = finish(run).run
    assert store.runs.submit(train_spec(dataset)) == (done, False)
    assert store.runs.submit(train_spec(dataset, seed=1))[1]
    forced, created = store.runs.submit(train_spec(dataset), force=True)
    assert created and forced.id != run.id


def test_the_run_of_a_spec_is_found_without_one_being_made(store, dataset, run):
    spec = train_spec(dataset)
    assert store.runs.find_same(spec) == run and store.runs.find_same(train_spec(dataset, seed=1)) is None
    store.attempts.fail(run.id, store.attempts.claim(run.id, "w", "cpu"), "No.")
    assert store.runs.find_same(spec) is None, "it would be queued anew"
    assert len(store.runs.all()) == 1


def test_the_same_spec_on_changed_data_is_another_run(store, dataset, run, tmp_path):
    changed = store.datasets.register(imported(image_table(tmp_path / "images", seed=1)))
    assert changed.id != dataset.id
    assert store.runs.submit(train_spec(changed))[1]


@pytest.mark.parametrize("ending", ["fail", "canceled"])
def test_a_run_that_failed_or_was_canceled_is_not_offered_again(store, dataset, run, ending):
    token = store.attempts.claim(run.id, "w", "cpu")
    store.attempts.fail(run.id, token, "No.") if ending == "fail" else store.attempts.cancel(run.id, token)
    again, created = store.runs.submit(train_spec(dataset))
    assert created and again.id != run.id
    with pytest.raises(ConflictError, match="done already: use"):
        store.attempts.retry(run.id)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [in_processes, in_threads])
def test_six_submitters_at_once_queue_one_run(store, dataset, at_once):
    def submit(k: int) -> tuple[str, bool]:
        run, created = store.runs.submit(train_spec(dataset), by=f"tab {k}")
        return run.id, created

    ids, created = zip(*at_once(6, submit), strict=True)
    assert len(set(ids)) == 1 and sum(created) == 1
    assert [run.id for run in store.runs.all()] == [ids[0]]


@pytest.mark.slow
def test_of_six_claimers_at_once_one_wins(store, run):
    def claim(k: int) -> str | None:
        try:
            return store.attempts.claim(run.id, f"worker-{k}", "cpu")
        except ConflictError:
            return None

    for work in (in_processes, in_threads):
        tokens = [token for token in work(6, claim) if token]
        assert len(tokens) == 1
        store.attempts.renew(run.id, tokens[0])
        store.attempts.requeue(run.id, tokens[0])
    assert store.runs.fetch(run.id).attempt == 2


def test_a_claimed_run_reports_progress_and_ends_with_its_metrics(store, run):
    token = store.attempts.claim(run.id, "host:1", "cuda:0", code_version="0.1.0")
    assert store.attempts.renew(run.id, token) is False and not store.attempts.stop_requested(run.id)
    assert store.attempts.lose_expired() == [], "its lease was renewed"
    store.attempts.progress(run.id, token, {"done": 3, "total": 9, "loss": float("nan")})
    running = store.runs.fetch(run.id)
    assert (running.status, running.worker, running.device, running.attempt) == ("running", "host:1", "cuda:0", 1)
    assert running.code_version == "0.1.0"
    assert running.progress == {"done": 3, "total": 9, "loss": None}
    (store.artifacts.attempt(run.id, 1) / "log.txt").write_text("line")
    store.artifacts.publish(run.id, 1)
    store.attempts.finish(run.id, token, {"wga": 0.7}, peak_memory_mb=12.5)
    done = store.runs.fetch(run.id)
    assert (done.status, done.metrics, done.peak_memory_mb) == ("done", {"wga": 0.7}, 12.5)
    assert done.finished_at and done.seconds >= 0 and done.ended
    assert store.attempts.stop_requested(run.id), "whoever computes it yet may end"
    assert not (store.settings.home / "work" / run.id).exists()


def test_nobody_without_the_token_changes_a_run(store, run):
    token = store.attempts.claim(run.id, "w", "cpu")
    for call in (
        lambda t: store.attempts.renew(run.id, t),
        lambda t: store.attempts.progress(run.id, t, {}),
        lambda t: store.attempts.finish(run.id, t, {}),
        lambda t: store.attempts.fail(run.id, t, "no"),
        lambda t: store.attempts.cancel(run.id, t),
        lambda t: store.attempts.requeue(run.id, t),
    ):
        with pytest.raises(RunLostError, match="longer belongs to"):
            call("another token")
    assert store.runs.fetch(run.id).status == "running"
    store.attempts.finish(run.id, token, {})
    with pytest.raises(RunLostError):
        store.attempts.finish(run.id, token, {"twice": 1})
    assert store.runs.fetch(run.id).metrics == {}


def test_a_worker_that_lost_its_run_cannot_finish_it_after_another_took_over(store, run):
    first = store.attempts.claim(run.id, "w1", "cpu")
    assert [lost.status for lost in expire(store, run.id)] == ["queued"]
    second = store.attempts.claim(run.id, "w2", "cpu")
    with pytest.raises(RunLostError):
        store.attempts.finish(run.id, first, {"by": "first"})
    store.attempts.finish(run.id, second, {"by": "second"})
    assert store.runs.fetch(run.id).metrics == {"by": "second"}


def test_a_run_whose_worker_vanishes_goes_on_twice_then_fails_in_plain_words(store, run, child):
    for _ in range(2):
        store.attempts.claim(run.id, "w", "cpu")
        assert store.attempts.lose_expired() == []
        [lost] = expire(store, run.id)
        assert lost.status == "queued" and "its last checkpoint" in lost.message
    store.attempts.claim(run.id, "w", "cpu")
    [lost] = expire(store, run.id)
    assert lost.status == "failed" and "vanished 3 times" in lost.message and lost.attempt == 3
    assert "smaller batch" in lost.message
    assert store.runs.fetch(child.id).status == "failed"
    assert "Its parent" in store.runs.fetch(child.id).message
    assert store.attempts.retry(run.id).losses == 0, "it may be lost twice again"


def test_a_run_whose_process_was_seen_to_die_is_queued_again_at_once(store, run):
    token = store.attempts.claim(run.id, "host:1", "cpu")
    why = "was killed by SIGKILL (signal 9)"
    lost = store.attempts.lose(run.id, token, why)
    assert lost.status == "queued" and lost.losses == 1
    assert not missing(lost.message, "host:1", why)
    with pytest.raises(RunLostError):
        store.attempts.lose(run.id, token, "was killed twice")
    store.attempts.claim(run.id, "host:1", "cpu")
    assert store.runs.fetch(run.id).message is None, "it runs again"


@pytest.mark.parametrize("again", ["lost", "requeued"])
def test_the_next_attempt_does_not_begin_with_the_pace_of_the_last(store, run, again):
    token = store.attempts.claim(run.id, "w1", "cpu")
    told = {"done": 30, "total": 40, "phase": "train", "epoch": 3, "epochs": 4}
    store.attempts.progress(run.id, token, {**told, "images_per_s": 812.5, "seconds_left": 9.0})
    if again == "lost":
        store.attempts.lose(run.id, token, "was killed")
    else:
        store.attempts.requeue(run.id, token)
    store.attempts.claim(run.id, "w2", "cpu")
    assert store.runs.fetch(run.id).progress == told


def test_a_run_that_is_lost_too_often_says_how_and_what_to_do(store, run):
    for _ in range(3):
        token = store.attempts.claim(run.id, "w", "cpu")
        why, remedy = "said nothing for 9 s", "raise SLIM_LEASE_S."
        lost = store.attempts.lose(run.id, token, why, remedy)
    assert lost.status == "failed" and "vanished 3 times" in lost.message
    assert lost.message.endswith(f" {why}: {remedy}")


def test_a_stopping_run_whose_worker_vanishes_is_canceled(store, run):
    store.attempts.claim(run.id, "w", "cpu")
    store.attempts.request_stop(run.id)
    assert [lost.status for lost in expire(store, run.id)] == ["canceled"]


def test_a_stopping_run_whose_worker_shuts_down_is_canceled(store, run):
    token = store.attempts.claim(run.id, "w", "cpu")
    store.attempts.request_stop(run.id)
    store.attempts.requeue(run.id, token)
    assert store.runs.fetch(run.id).status == "canceled"


def test_the_time_of_a_run_is_that_of_all_its_attempts(store, run):
    def attempt(seconds: float) -> str:
        token = store.attempts.claim(run.id, "w", "cpu")
        begun = {"started_at": datetime.now(UTC) - timedelta(seconds=seconds)}
        with store.database.write() as connection:
            connection.execute(schema.runs.update().where(schema.runs.c.id == run.id).values(**begun))
        return token

    store.attempts.requeue(run.id, attempt(1_000))
    store.attempts.requeue(run.id, attempt(2_000))
    assert store.runs.fetch(run.id).seconds == pytest.approx(3_000, abs=60)
    store.attempts.fail(run.id, attempt(4_000), "No.")
    assert store.runs.fetch(run.id).seconds == pytest.approx(7_000, abs=60)


def test_a_failed_run_says_how_far_it_was_and_of_which_class_its_error_is(store, run):
    token = store.attempts.claim(run.id, "w", "cpu")
    store.attempts.progress(run.id, token, {"done": 3})
    store.attempts.fail(run.id, token, "No.", error="DataRefusedError")
    assert store.runs.fetch(run.id).progress == {"done": 3, "error": "DataRefusedError"}


def test_stopping_cancels_a_queued_run_and_asks_a_running_one(store, dataset, run):
    token = store.attempts.claim(run.id, "w", "cpu")
    assert store.attempts.request_stop(run.id, by="ann").status == "stopping"
    assert store.attempts.renew(run.id, token) is True and store.attempts.stop_requested(run.id)
    store.attempts.cancel(run.id, token)
    stopped = store.runs.fetch(run.id)
    assert stopped.status == "canceled" and stopped.message == "Stopped as asked."
    assert store.attempts.request_stop(run.id) == stopped
    assert [event.who for event in store.events.recent(subject=run.id) if event.what == "run.stop"] == ["ann"]
    queued, _ = store.runs.submit(train_spec(dataset, seed=3))
    assert store.attempts.request_stop(queued.id, by="ann").status == "canceled"
    with pytest.raises(ConflictError, match="is stopped"):
        store.attempts.claim(queued.id, "w", "cpu")


def test_a_stopped_run_is_retried_from_where_it_was(store, run):
    token = store.attempts.claim(run.id, "w", "cpu")
    (store.artifacts.checkpoints(run.id) / "epoch.json").write_text("{}")
    store.attempts.progress(run.id, token, {"epoch": 1})
    store.attempts.cancel(run.id, token)
    again = store.attempts.retry(run.id)
    assert (again.status, again.losses, again.progress) == ("queued", 0, {})
    assert (store.artifacts.checkpoints(run.id) / "epoch.json").exists()
    store.attempts.claim(run.id, "w", "cpu")
    with pytest.raises(ConflictError, match="is running: only a failed"):
        store.attempts.retry(run.id)


def test_a_run_waits_for_its_parents(store, run, child, finish):
    assert store.runs.waiting_for(child.id) == [run]
    with pytest.raises(ConflictError, match=f"waits for {run.id}, which is queued"):
        store.attempts.claim(child.id, "w", "cpu")
    token = store.attempts.claim(run.id, "w", "cpu")
    with pytest.raises(ConflictError, match=f"waits for {run.id}, which is running"):
        store.attempts.claim(child.id, "w", "cpu")
    store.attempts.requeue(run.id, token)
    done = finish(run).run
    assert store.runs.waiting_for(child.id) == [] and store.runs.parents(child.id) == [("model", done)]
    assert [each.id for each in store.runs.children(run.id)] == [child.id]
    finish(store.runs.fetch(child.id))


def test_runs_that_wait_for_a_failed_one_fail_with_it_and_are_retried_with_it(store, dataset, run, child):
    space, _ = store.runs.submit(SpaceSpec(dataset=dataset.id, attention=child.id))
    token = store.attempts.claim(run.id, "w", "cpu")
    store.attempts.fail(run.id, token, "The batch does not fit.")
    assert [store.runs.fetch(each.id).status for each in (run, child, space)] == ["failed"] * 3
    with pytest.raises(SpecRefusedError, match="is failed: retry it, or"):
        store.runs.submit(GradcamSpec(dataset=dataset.id, model=run.id))
    store.attempts.retry(run.id)
    assert [store.runs.fetch(each.id).status for each in (run, child, space)] == ["queued"] * 3


def test_a_spec_that_names_what_is_not_there_is_refused(store, dataset, run, tmp_path):
    with pytest.raises(NotFoundError, match="no data set 'nowhere': import it first"):
        store.runs.submit(TrainSpec(dataset="nowhere", model="small-resnet"))
    with pytest.raises(NotFoundError, match="model run r-none does not exist"):
        store.runs.submit(GradcamSpec(dataset=dataset.id, model="r-none"))
    other = store.datasets.register(imported(image_table(tmp_path / "other", seed=2)))
    with pytest.raises(SpecRefusedError, match="was made on"):
        store.runs.submit(GradcamSpec(dataset=other.id, model=run.id))
    assert len(store.runs.all()) == 1
    with pytest.raises(NotFoundError, match="no run r-none"):
        store.runs.fetch("r-none")


def test_a_parent_of_another_kind_is_refused(store, dataset, run, child):
    for wrong in (
        GradcamSpec(dataset=dataset.id, model=child.id),
        TrainSpec(dataset=dataset.id, model="small-resnet", subset=run.id),
    ):
        (role, parent), *_ = wrong.parents().items()
        with pytest.raises(SpecRefusedError, match=f"The {role} run {parent} is a (gradcam|train) run: choose a "):
            store.runs.submit(wrong)
    assert len(store.runs.all()) == 2


def test_lists_are_filtered_and_newest_first(store, dataset, run, child, finish):
    finish(run)
    assert [each.id for each in store.runs.all()] == [child.id, run.id]
    assert [each.id for each in store.runs.all(kind="train")] == [run.id]
    assert [each.id for each in store.runs.all(status="queued")] == [child.id]
    assert len(store.runs.all(status=("queued", "done"))) == 2
    assert store.runs.all(dataset="d-other") == [] and len(store.runs.all(limit=1)) == 1
    assert store.runs.all(kind="train", metrics=False)[0].metrics is None
    assert store.runs.counts() == {"done": 1, "queued": 1}
    assert [(each.id, each.queue) for each in store.queue.waiting()] == [(child.id, "gpu")]


def test_deleting_removes_the_artifacts_of_a_run_and_nothing_else(store, dataset, run, child, finish):
    folder = finish(run).folder
    image = store.datasets.table(dataset.id).root / "kept.png"
    image.write_text("pixels")
    with pytest.raises(ConflictError, match=f"was used by {child.id}: delete those too .*, or keep it"):
        store.runs.delete(run.id)
    assert folder.exists()
    assert store.runs.delete(run.id, by="ann", cascade=True) == [child.id, run.id]
    assert not folder.exists() and image.exists()
    assert store.runs.all() == [] and store.runs.find(run.id) is None
    with pytest.raises(NotFoundError, match="was deleted on"):
        store.runs.fetch(run.id)
    assert store.runs.submit(train_spec(dataset))[1]


def test_a_running_run_is_not_deleted(store, run):
    token = store.attempts.claim(run.id, "w", "cpu")
    with pytest.raises(ConflictError, match="running: stop it"):
        store.runs.delete(run.id, cascade=True)
    store.attempts.cancel(run.id, token)
    assert store.runs.delete(run.id) == [run.id]


def test_many_runs_are_listed_by_few_reads_and_an_index(store, dataset):
    now = datetime.now(UTC)
    row = {"kind": "train", "name": "n", "queue": "gpu", "status": "done", "spec": train_spec(dataset).model_dump()}
    row |= {"dataset_id": dataset.id, "progress": {"done": 1, "total": 1}, "created_by": "ann", "queued_at": now}
    row["metrics"] = {"groups": [{"group": k, "name": "zero, flower", "accuracy": 0.123456} for k in range(40)]}
    rows = [row | {"id": f"r-{k}", "spec_hash": f"{k}", "created_at": now - timedelta(seconds=k)} for k in range(2_000)]
    with store.database.write() as connection:
        connection.execute(schema.runs.insert(), rows)
    with statements(store.database) as told:
        page = store.runs.all(limit=100, metrics=False)
        counts = store.runs.counts()
    assert len(told) <= 6
    assert len(page) == 100 and page[0].id == "r-0" and counts == {"done": 2_000}
    if store.database.is_sqlite:
        with store.database.read() as connection:
            plan = connection.execute(
                sa.text("EXPLAIN QUERY PLAN SELECT id FROM runs WHERE kind = 'train' ORDER BY created_at DESC LIMIT 9")
            ).all()
        assert "USING INDEX ix_runs_kind_created_at" in str(plan) and "TEMP B-TREE" not in str(plan)
