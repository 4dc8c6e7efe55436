"""A worker performs nothing but our steps, whatever else lies in Redis."""

from __future__ import annotations

import json
import os
import pickle
import time
import zlib
from pathlib import Path

import pytest
import rq
from rq.command import PUBSUB_CHANNEL_TEMPLATE
from rq.job import Job
from rq.suspension import resume, suspend

from tests.workers.worker_bench import Bench, until
from workers.queue import RUN_STEP
from workers.worker import SlotWorker

pytestmark = pytest.mark.redis


class _Bomb:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def _enqueue(bench: Bench, function: str = RUN_STEP, args: tuple = ("r-nothing",), **options) -> Job:
    options = {"timeout": 60, **options}
    return rq.Queue("cpu", connection=bench.redis(), serializer="json").enqueue_call(function, args=args, **options)


def _await_refusal(bench: Bench, job: Job) -> None:
    """The job has failed with one line in the log, and the worker lives and works."""
    until(lambda: job.get_status() == "failed", "the job to be refused")
    bench.await_status(bench.submit(), "done")
    log = bench.services.log_path.read_text()
    assert job.id in log and "Traceback" not in log


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"function": "os.system", "args": ("touch touched",)}, RUN_STEP),
        ({"function": "workers.local.redis_url"}, RUN_STEP),
        *(({"args": args}, "takes one run") for args in [(), ("r-a", "r-b"), (5,), ("../../etc/passwd",), (["r-a"],)]),
        *(({outcome: rq.Callback("os.abort")}, "callbacks") for outcome in ("on_success", "on_failure")),
        ({"timeout": -1}, "no time-out"),
        ({"function": "os.system", "args": ("true",), "retry": rq.Retry(max=1_000_000)}, RUN_STEP),
    ],
)
def test_any_other_job_is_refused_and_not_tried_again(bench: Bench, given: dict, why: str):
    job = _enqueue(bench, **given)

    _await_refusal(bench, job)
    assert why in job.latest_result().exc_string
    assert job.id not in bench.redis().lrange("rq:queue:cpu", 0, -1)
    files = {name for _, _, names in os.walk(bench.home) for name in names}  # workers may be removing folders meanwhile
    assert "touched" not in files and not Path("touched").exists()


def test_a_pickle_is_never_loaded(bench: Bench, tmp_path: Path):
    job = _enqueue(bench)
    held = bench.submit(counts=1000, pause_s=0.02)  # keeps the worker busy while we tamper
    job = _enqueue(bench)
    payload = pickle.dumps((RUN_STEP, None, (_Bomb(tmp_path / "exploded"),), {}))
    bench.redis().hset(job.key, "data", zlib.compress(payload))
    bench.queue.stop(held.id)

    _await_refusal(bench, job)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "nope"),
        ("created_at", "yesterday"),
        ("timeout", "soon"),
        ("result_ttl", "for ever"),
        ("description", b"\xff\xfe"),
        ("meta", b"\xff"),
    ],
)
def test_a_job_that_cannot_be_read_is_dropped_and_its_worker_lives(bench: Bench, field: str, value: str | bytes):
    worker = bench.slot("light").pid
    held = bench.submit(counts=1000, pause_s=0.02)  # keeps the worker busy while we tamper
    bench.await_count(held, 1)
    bench.redis().hset(_enqueue(bench).key, field, value)
    bench.queue.stop(held.id)

    bench.await_status(bench.submit(), "done")
    assert bench.slot("light").pid == worker


def test_an_entry_of_the_queue_that_is_no_id_is_dropped_and_its_worker_lives(bench: Bench):
    worker = bench.slot("light").pid
    bench.redis().rpush("rq:queue:cpu", "../../x:y z", b"\xff\xfe", "")

    bench.await_status(bench.submit(), "done")
    assert bench.slot("light").pid == worker


def test_a_run_id_that_does_not_exist_is_dropped(bench: Bench):
    job = _enqueue(bench, args=("r-nothing",))

    until(lambda: job.get_status() == "finished", "the job to be dropped")
    bench.await_status(bench.submit(), "done")


def test_workers_take_json_and_our_own_kind_of_job_only(bench: Bench):
    redis = bench.redis()
    worker = SlotWorker(("cpu",), connection=redis, name="never-started", store=bench.store, device="cpu")

    assert worker.serializer.__name__ == "JSONSerializer"
    assert worker.job_class.__name__ == worker.queues[0].job_class.__name__ == "StepJob"


def test_no_command_and_no_key_in_redis_ends_a_worker_or_its_job_or_holds_it_up(bench: Bench, tmp_path: Path):
    worker, gate = bench.slot("light").pid, tmp_path / "gate"
    run = bench.submit(gate=str(gate))
    bench.await_count(run, 1)
    (name,) = (each.id for each in bench.store.workers.alive() if each.pid == worker)
    for command in ("kill-horse", "shutdown"):
        assert bench.redis().publish(PUBSUB_CHANNEL_TEMPLATE % name, json.dumps({"command": command})) == 0
    suspend(bench.redis())
    gate.touch()
    done = [bench.await_status(each, "done") for each in (run, bench.submit())]
    resume(bench.redis())

    assert done[0].attempt == 1 and bench.slot("light").pid == worker


def test_a_queue_that_is_no_list_is_said_once_and_drops_no_job(bench: Bench, tmp_path: Path):
    gate = tmp_path / "gate"
    bench.await_count(bench.submit(gate=str(gate)), 1)  # the worker is busy, and asks Redis after it
    before = len(bench.services.log_path.read_text())
    bench.redis().delete("rq:queue:cpu")
    bench.redis().set("rq:queue:cpu", "no list")
    gate.touch()

    def said() -> str:
        return bench.services.log_path.read_text()[before:]

    until(lambda: "(WRONGTYPE" in said(), "the worker to say so")
    time.sleep(2.0)  # four tries more
    assert said().count("(WRONGTYPE") == 1 and "is dropped" not in said()
    bench.redis().delete("rq:queue:cpu")
    bench.await_status(bench.submit(), "done")
