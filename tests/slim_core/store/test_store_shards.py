"""Shards: parts of a run that live by themselves, and the run that waits for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from slim_core.errors import ConflictError, NotFoundError, SpecRefusedError
from slim_core.steps.specs import GradcamSpec, SpaceSpec
from slim_core.store import Run, Store, schema
from tests.slim_core.store.store_makers import in_processes, in_threads, train_spec

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
N_SHARDS = 3


@pytest.fixture
def many(store: Store):
    """The same store, where 20 images are many."""
    opened = Store.open(store.settings)
    opened.runs.shard_images = 20
    yield opened
    opened.close()


@pytest.fixture
def model(store: Store, dataset, finish) -> Run:
    """A finished training."""
    return finish(store.runs.submit(train_spec(dataset))[0]).run


def gradcam(dataset, model: Run, **fields) -> GradcamSpec:
    return GradcamSpec(dataset=dataset.id, model=model.id, batch_size=4, **fields)


@pytest.fixture
def whole(many: Store, dataset, model) -> Run:
    """A queued pass over 50 images in three shards."""
    return many.runs.submit(gradcam(dataset, model), by="ann", priority=2)[0]


def states(store: Store, run: Run) -> list[str]:
    return [shard.status for shard in store.runs.shards(run.id)]


def test_a_pass_over_many_images_is_queued_with_shards_that_cover_them_all_once(many, dataset, model, whole):
    shards = many.runs.shards(whole.id)
    assert [(shard.spec["shard"], shard.spec["shards"]) for shard in shards] == [(n, N_SHARDS) for n in range(N_SHARDS)]
    assert {(shard.kind, shard.priority, shard.created_by, shard.shard_of) for shard in shards} == {
        ("gradcam", 2, "ann", whole.id)
    }
    shares = [GradcamSpec.model_validate(shard.spec).share(50) for shard in shards]
    assert [n for share in shares for n in share] == list(range(50))
    assert all(share.start % 4 == 0 for share in shares)
    assert [shard.progress["total"] for shard in shards] == [len(share) for share in shares]
    assert whole.spec["shard"] is None and whole.shard_of is None


def test_a_pass_that_is_small_enough_or_done_by_one_process_has_no_shards(store, many, dataset, model):
    small = many.runs.submit(gradcam(dataset, model, splits=("val",)))[0]
    alone = many.runs.submit(gradcam(dataset, model), sharded=False)[0]
    space = many.runs.submit(SpaceSpec(dataset=dataset.id, attention=alone.id))[0]
    assert [store.runs.shards(run.id) for run in (small, alone, space)] == [[], [], []]


def test_a_shard_cannot_be_submitted_by_itself(many, dataset, model):
    with pytest.raises(SpecRefusedError, match="refuses shard = 0: leave it out"):
        many.runs.submit(gradcam(dataset, model, shard=0, shards=2))


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [in_processes, in_threads])
def test_six_submitters_at_once_queue_one_run_with_one_set_of_shards(many, dataset, model, at_once):
    answers = at_once(6, lambda _k: many.runs.submit(gradcam(dataset, model)))
    assert len({run.id for run, _ in answers}) == 1 and sum(created for _, created in answers) == 1
    assert len(many.runs.all(kind="gradcam")) == 1
    assert len(many.runs.all(kind="gradcam", shards=True)) == 1 + N_SHARDS


def test_counts_leave_shards_out_and_lists_do_unless_asked(many, model, whole):
    assert [run.id for run in many.runs.all()] == [whole.id, model.id]
    assert many.runs.counts() == {"done": 1, "queued": 1}
    assert many.runs.under_way() == {whole.id: (whole.dataset_id, "gradcam", "queued")}
    assert [run.id for run in many.runs.children(model.id)] == [whole.id]
    assert [role for role, _ in many.runs.parents(whole.id)] == ["model"]
    assert len(many.runs.all(status="queued", shards=True)) == 1 + N_SHARDS, "workers take shards as they take runs"


def test_a_run_waits_for_its_shards_is_claimed_once_and_then_their_artifacts_are_removed(many, whole, finish):
    shards = many.runs.shards(whole.id)
    for shard in shards:
        with pytest.raises(ConflictError, match="waits for"):
            many.attempts.claim(whole.id, "w", "cpu")
        finish(shard)

    def claim(k: int) -> bool:
        try:
            return bool(many.attempts.claim(whole.id, f"w{k}", "cpu"))
        except ConflictError:
            return False

    assert sum(in_threads(4, claim)) == 1
    many.attempts.lose_expired(datetime.now(UTC) + timedelta(minutes=5))
    assert all((many.artifacts.folder(shard.id) / "out.txt").exists() for shard in shards), "kept for another merge"
    finish(many.runs.fetch(whole.id))
    assert states(many, whole) == ["done"] * N_SHARDS
    for shard in shards:
        assert [path.name for path in many.artifacts.folder(shard.id).iterdir()] == ["published.json"]


def test_progress_is_that_of_the_shards_at_each_moment(many, whole, finish):
    first, second, _ = many.runs.shards(whole.id)
    assert many.runs.fetch(whole.id).progress["phase"] == f"0 of {N_SHARDS} shards"
    token = many.attempts.claim(first.id, "w", "cpu")
    many.attempts.progress(first.id, token, {"done": 4, "total": 16, "phase": "attention", "seconds_left": 6.0})
    told = many.runs.fetch(whole.id).progress
    assert (told["done"], told["total"], told["shards_running"]) == (4, 50, 1)
    assert (many.runs.fetch(whole.id).status, many.runs.fetch(whole.id).shown_status) == ("queued", "running")
    assert told["seconds_left"] == 23.0, "46 images at 2 images a second"
    many.attempts.progress(first.id, token, {"done": 16, "total": 16, "phase": "attention", "seconds_left": 0.0})
    many.attempts.finish(first.id, token, {})
    (listed,) = many.runs.all(kind="gradcam")
    assert (listed.progress["done"], listed.progress["phase"]) == (16, f"1 of {N_SHARDS} shards")
    assert listed.progress["seconds_left"] is None
    many.attempts.claim(second.id, "w", "cpu")
    many.attempts.request_stop(whole.id)
    assert many.runs.fetch(whole.id).progress["shards_done"] == 1


def test_stopping_the_run_stops_its_shards_and_a_retry_goes_on_with_those_that_are_not_done(many, whole, finish):
    first, second, third = many.runs.shards(whole.id)
    finish(first)
    token = many.attempts.claim(second.id, "w", "cpu")

    stopped = many.attempts.request_stop(whole.id, "ann")

    assert stopped.status == "canceled"
    assert stopped.message.startswith("Stopped by ann: ")
    assert states(many, whole) == ["done", "stopping", "canceled"]
    assert many.runs.fetch(whole.id).progress["shards_running"] == 1, "one has not stopped yet"
    with pytest.raises(ConflictError, match="still stopping: retry"):
        many.attempts.retry(whole.id)
    many.attempts.cancel(second.id, token)
    assert many.runs.fetch(whole.id).message == stopped.message

    assert many.attempts.retry(whole.id).status == "queued"
    assert states(many, whole) == ["done", "queued", "queued"]
    for shard in (second, third):
        finish(many.runs.fetch(shard.id))
    assert finish(many.runs.fetch(whole.id)).run.status == "done"


def test_a_run_of_shards_that_ended_with_its_model_is_queued_again_with_them(many, dataset):
    model, _ = many.runs.submit(train_spec(dataset, seed=8))
    waits, _ = many.runs.submit(gradcam(dataset, model))
    size = many.runs.fetch(waits.id).progress["total"]
    assert many.attempts.stopped_with(model.id) == 1, "a run is counted, its shards are not"
    many.attempts.request_stop(model.id)
    assert many.runs.fetch(waits.id).status == "canceled" and states(many, waits) == ["canceled"] * N_SHARDS
    assert many.attempts.retried_with(model.id) == [waits.id], "its shards are counted with it"
    many.attempts.retry(model.id)
    again = many.runs.fetch(waits.id)
    assert again.status == "queued" and states(many, waits) == ["queued"] * N_SHARDS
    assert again.progress["total"] == size


def test_a_failed_shard_fails_the_run_with_its_sentence_and_is_redone_alone(many, dataset, whole, finish):
    space = many.runs.submit(SpaceSpec(dataset=dataset.id, attention=whole.id))[0]
    first, second, third = many.runs.shards(whole.id)
    finish(first)
    token = many.attempts.claim(second.id, "w", "cpu")
    many.attempts.progress(second.id, token, {"done": 4, "total": 16, "seconds_left": 9.0})
    many.attempts.fail(second.id, token, "x.png is missing: put it back.")
    failed = many.runs.fetch(whole.id)
    assert failed.progress["seconds_left"] is None, "none is running"
    assert failed.status == "failed" and failed.message.startswith("Shard 2 of 3 failed. x.png is missing: put it back")
    assert many.runs.fetch(space.id).status == "failed"
    finish(third)
    assert many.attempts.retried_with(whole.id) == [space.id]
    many.attempts.retry(whole.id)
    assert many.runs.fetch(space.id).status == "queued"
    assert states(many, whole) == ["done", "queued", "done"]
    assert many.runs.fetch(first.id).attempt == many.runs.fetch(third.id).attempt == 1


def test_a_lost_shard_is_queued_again_alone(many, whole, finish):
    first, second, _ = many.runs.shards(whole.id)
    finish(first)
    many.attempts.claim(second.id, "w", "cpu")
    lost = many.attempts.lose_expired(datetime.now(UTC) + timedelta(minutes=5))
    assert [(run.id, run.status) for run in lost] == [(second.id, "queued")]
    assert many.runs.fetch(whole.id).status == "queued" and states(many, whole)[0] == "done"


def test_a_run_that_is_moved_to_the_front_takes_its_shards_and_those_of_what_it_waits_for_along(many, dataset, whole):
    space = many.runs.submit(SpaceSpec(dataset=dataset.id, attention=whole.id))[0]
    many.runs.submit(train_spec(dataset, seed=7), priority=5)
    for moved in (space, whole):
        priority = many.queue.move_to_front(moved.id, "ann")
        assert {one.priority for one in many.queue.waiting()[:N_SHARDS]} == {priority}
        assert {one.shard_of for one in many.queue.waiting()[:N_SHARDS]} == {whole.id}


def test_deleting_the_run_deletes_its_shards(many, model, whole, finish):
    first, *_ = many.runs.shards(whole.id)
    with pytest.raises(ConflictError, match=f"shard of {whole.id}"):
        many.runs.delete(first.id)
    token = many.attempts.claim(first.id, "w", "cpu")
    with pytest.raises(ConflictError, match=f"{whole.id} is running"):
        many.runs.delete(whole.id)
    many.attempts.requeue(first.id, token)
    finish(many.runs.fetch(first.id))
    many.runs.delete(whole.id)
    assert many.runs.shards(whole.id) == [] and many.runs.all(status="queued", shards=True) == []
    with pytest.raises(NotFoundError):
        many.artifacts.folder(first.id)
    assert many.runs.delete(model.id) == [model.id]


def test_a_pass_submitted_again_after_a_failure_has_shards_of_its_own(many, dataset, model, whole, finish):
    first, second, _ = many.runs.shards(whole.id)
    finish(first)
    many.attempts.fail(second.id, many.attempts.claim(second.id, "w", "cpu"), "no")
    again, created = many.runs.submit(gradcam(dataset, model))
    assert created and states(many, again) == ["queued"] * N_SHARDS
    forced = many.runs.submit(gradcam(dataset, model), force=True)[0]
    assert states(many, forced) == ["queued"] * N_SHARDS


@pytest.mark.parametrize("n", [2, 7, 8, 9, 16, 17, 40, 41, 129])
@pytest.mark.parametrize("batch_size", [2, 8])
def test_shares_are_whole_batches_of_the_unsharded_pass(n, batch_size):
    spec = GradcamSpec(dataset="d", model="m", splits=("val",), batch_size=batch_size)
    for largest in (2, 5, 20, 60):
        parts = spec.in_shards({"train": 0, "val": n, "test": 0}, largest)
        shares = [part.share(n) for part, _ in parts]
        assert all(len(share) == n_images >= 2 for share, (_, n_images) in zip(shares, parts, strict=True))
        assert [row for share in shares for row in share] == (list(range(n)) if parts else [])
        assert all(share.start % batch_size == 0 for share in shares)
    assert not spec.in_shards({"train": 0, "val": n, "test": 0}, n)


def test_the_time_of_a_pass_is_that_from_its_first_shard_to_the_end_of_the_merge(many, whole, model):
    history, began = many.history, datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert history.shard_totals([many.runs.fetch(whole.id)]) == {}, "it has not ended"
    shards = many.runs.shards(whole.id)
    rows = [(shard.id, at, at + 20, 20) for shard, at in zip(shards, (0, 15, 15), strict=True)] + [
        (whole.id, 40, 43, 3)
    ]
    with many.database.write() as connection:
        for run_id, start, end, seconds in rows:
            times = {"started_at": began + timedelta(minutes=start), "finished_at": began + timedelta(minutes=end)}
            values = {**times, "seconds": 60.0 * seconds, "status": "done", "peak_memory_mb": 100.0 * seconds}
            connection.execute(schema.runs.update().where(schema.runs.c.id == run_id).values(values))
    merged = many.runs.fetch(whole.id)
    together = history.shard_totals([merged, model])
    assert set(together) == {whole.id}, "the training has no shards"
    as_one = together[whole.id].with_merge(merged)
    assert (merged.seconds, as_one.seconds, as_one.passed_s) == (180.0, 3_780.0, 2_580.0)
    assert (as_one.started_at, as_one.finished_at) == (began, began + timedelta(minutes=43))
    assert (merged.peak_memory_mb, as_one.peak_memory_mb) == (300.0, 2_000.0), "of the largest shard"


def test_a_pass_that_ended_with_a_shard_took_what_its_shards_took(many, whole):
    first, *_ = many.runs.shards(whole.id)
    token = many.attempts.claim(first.id, "w", "cpu")
    many.attempts.fail(first.id, token, "It did not work.")
    ended = many.runs.fetch(whole.id)
    as_one = many.history.shard_totals([ended])[whole.id].with_merge(ended)
    assert (ended.status, ended.attempt, ended.started_at) == ("failed", 0, None)
    assert as_one.attempt == 1 and as_one.passed_s is not None, "it began, with its first shard"


def test_a_run_that_waits_for_a_pass_is_told_that_it_runs_as_soon_as_a_shard_does(many, whole):
    space = many.runs.submit(SpaceSpec(dataset=whole.dataset_id, attention=whole.id))[0]
    assert many.queue.unfinished_parents()[space.id].status == "queued"
    many.attempts.claim(many.runs.shards(whole.id)[0].id, "w", "cpu")
    parents = many.queue.unfinished_parents()
    assert (parents[space.id].id, parents[space.id].status) == (whole.id, many.runs.fetch(whole.id).shown_status)
    assert parents[space.id].status == "running" and parents[whole.id].is_shard
