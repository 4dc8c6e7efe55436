"""Jobs in Redis that are not ours: other functions, pickles, fields and entries of other types."""

from __future__ import annotations

import json
import pickle
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import rq
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.hostile.bad_files import Code
from benchmarks.hostile.case import Case, Outcome, drawn
from benchmarks.hostile.studio import Studio
from workers.queue import RUN_STEP

DRAWN = 60
QUEUE = "rq:queue:cpu"
PATIENCE_S = 20.0
IDLE_S = 0.3
Put = Callable[[Studio, Redis], object]
FIELDS: dict[str, tuple[Any, ...]] = {
    "status": ("nope", b"\xff"),
    "created_at": ("yesterday", "9" * 400),
    "timeout": ("soon", "-5", "1e99"),
    "result_ttl": ("for ever",),
    "meta": (b"\xff", b"[]"),
    "data": (b"", b"\xff", zlib.compress(b"[]"), zlib.compress(b"[" * 100_000), bytes(20_000_000)),
    "retries_left": ("many", "1000000000"),
    "dependency_ids": ("[",),
    "success_callback_name": ("os.abort",),
    "group_id": (b"\xff",),
}  # fmt: skip
ENTRIES = (b"", b"../../x:y z", b"\xff\xfe", b"r-nothing", b"x" * 10_000, b"\x00")
CALLS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    *((name, ("touch /tmp/got-out",)) for name in ("os.system", "builtins.eval", "workers.queue", "", "a" * 3_000)),
    *((RUN_STEP, args) for args in ((), ("r-a", "r-b"), (5,), ([],), ("../../outside/secret.txt",), ("\x00",))),
)


def cases(studio: Studio, seed: int) -> Iterator[Case]:  # noqa: ARG001  # as every kind
    """Each is dropped within seconds, by workers that live on; then a real job is done."""
    for name, args in CALLS:
        yield _case(f"{name[:40]!r} {args!r}"[:60], _enqueued(name, args))
    for field, values in FIELDS.items():
        yield from (_case(f"{field}={value[:40]!r}", _changed(field, value)) for value in values)
    for entry in ENTRIES:
        yield _case(f"entry {entry[:30]!r}", lambda _, redis, entry=entry: redis.rpush(QUEUE, entry))
    yield _case("a pickle", _pickle)
    yield _case("a job that is a list", lambda _, redis: (redis.rpush("rq:job:list", "x"), redis.rpush(QUEUE, "list")))
    yield _case("a foreign entry among the failed", lambda _, redis: redis.zadd("rq:failed:cpu", {b"\xff": 1}))
    field_names = st.sampled_from(sorted({*FIELDS, "worker_name", "ended_at", "last_heartbeat", "x"}))
    for name, value in drawn(st.tuples(field_names, st.binary(max_size=20)), DRAWN, of_seed=seed):
        yield _case(f"drawn {name}={value!r}"[:60], _changed(name, value), is_drawn=True)
    yield Case("a real job afterwards", _real_job, "accepted")


def _queue(redis: Redis) -> rq.Queue:
    return rq.Queue("cpu", connection=redis, serializer="json")


def _enqueued(function: str, args: tuple[Any, ...]) -> Put:
    return lambda _, redis: _queue(redis).enqueue_call(function, args=args, timeout=60)


def _changed(field: str, value: Any) -> Put:
    """A job of ours, but for one field; it is complete before a worker can find it."""

    def put(_: Studio, redis: Redis) -> None:
        job = _queue(redis).create_job(RUN_STEP, args=("r-nothing",), timeout=60)
        job.save()
        redis.hset(job.key, field, value)
        redis.rpush(QUEUE, job.id)

    return put


def _pickle(studio: Studio, redis: Redis) -> None:
    _changed("data", zlib.compress(pickle.dumps((RUN_STEP, None, (Code(studio),), {}))))(studio, redis)


def _case(name: str, put: Put, *, is_drawn: bool = False) -> Case:
    return Case(name, lambda studio: _dropped(studio, put), drawn=is_drawn)


def _dropped(studio: Studio, put: Put) -> Outcome:
    """Refused: the queue is empty again, and no worker ended."""
    before, since = studio.slots(), time.monotonic()
    with studio.redis() as redis:
        put(studio, redis)
        gone = _is_settled(redis, since + PATIENCE_S)
    lives = studio.slots() == before
    said = json.dumps({"left the queue": gone, "its worker lives": lives}).encode()
    return Outcome("refused" if gone and lives else "broken", said, time.monotonic() - since - IDLE_S)


def _is_settled(redis: Redis, until: float) -> bool:
    """Whether nothing waited or was worked on for a while; between taking a job and saying so a worker seems idle."""
    idle_since = time.monotonic()
    while time.monotonic() - idle_since < IDLE_S:
        if _is_busy(redis):
            idle_since = time.monotonic()
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _is_busy(redis: Redis) -> bool:
    """Whether anything waits or is worked on."""
    try:
        workers = [redis.hgetall(key) for key in redis.smembers("rq:workers")]
        return bool(redis.llen(QUEUE)) or any(worker.get(b"state") == b"busy" for worker in workers)
    except RedisError:
        return True


def _real_job(studio: Studio) -> Outcome:
    """A curation through the queue."""
    from slim_core.steps.specs import parse_spec
    from workers.queue import Queue

    at, since = studio.results, time.monotonic()
    spec = parse_spec(
        {"kind": "curate", "dataset": at.dataset, "space": at.space, "strategy": "random", "size": 20, "seed": 77}
    )
    run, _ = studio.store.runs.submit(spec, by="benchmark")
    Queue(studio.settings, studio.store).submit(run)
    while not (run := studio.store.runs.fetch(run.id)).ended and time.monotonic() - since < PATIENCE_S:
        time.sleep(0.05)
    verdict = "accepted" if run.status == "done" else "broken"
    return Outcome(verdict, str(run.message).encode(), time.monotonic() - since)
