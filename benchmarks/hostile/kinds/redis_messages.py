"""Jobs in Redis that are not ours: other functions, pickles, callbacks, fields and entries of other types."""

from __future__ import annotations

import json
import pickle
import time
import zlib
from collections.abc import Callable
from typing import Any

import rq
from hypothesis import strategies as st
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.hostile.case import Case, Outcome
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.kinds.checkpoints import Code
from benchmarks.hostile.studio import Studio
from workers.slots.job import RUN_STEP

DRAWN = 40
QUEUE = "rq:queue:cpu"
PATIENCE_S = 20.0
IDLE_S = 0.3
Put = Callable[[Studio, Redis], object]
FUNCTIONS = (
    "os.system",
    "subprocess.run",
    "builtins.eval",
    "workers.local.redis_url",
    "workers.tasks",
    "",
    "x",
    "a" * 3_000,
    "os:system",
)
ARGUMENTS: tuple[tuple[Any, ...], ...] = (
    (),
    ("r-a", "r-b"),
    (5,),
    (None,),
    ([],),
    ({},),
    ("../../outside/secret.txt",),
    ("r-" + "x" * 5_000,),
    ("' OR 1=1 --",),
    ("\x00",),
)
FIELDS: dict[str, tuple[Any, ...]] = {
    "status": ("nope", "", b"\xff"),
    "created_at": ("yesterday", "", "9" * 400),
    "enqueued_at": ("x",),
    "timeout": ("soon", "-5", "1e99"),
    "result_ttl": ("for ever",),
    "failure_ttl": ("x",),
    "ttl": ("x",),
    "description": (b"\xff\xfe",),
    "meta": (b"\xff", b"[]"),
    "data": (
        b"",
        b"\xff",
        zlib.compress(b"[]"),
        zlib.compress(b"{}"),
        zlib.compress(b"null"),
        zlib.compress(b"[" * 100_000),
    ),
    "retries_left": ("many", "1000000000"),
    "dependency_ids": ("[", '["x"]'),
    "origin": ("../x",),
    "success_callback_name": ("os.abort",),
    "failure_callback_name": ("os.abort",),
    "group_id": (b"\xff",),
}
ENTRIES: tuple[bytes, ...] = (b"", b"../../x:y z", b"\xff\xfe", b"r-nothing", b"*", b"x" * 10_000, b"rq:job:x", b"\x00")


def cases(studio: Studio, seed: int) -> list[Case]:  # noqa: ARG001  # as every kind
    """Each is dropped within seconds, by workers that live on; then a real job is done."""
    made = [_case(f"function {name[:40]!r}", _enqueued(name, ("touch /tmp/got-out",))) for name in FUNCTIONS]
    made += [_case(f"arguments {args!r}"[:60], _enqueued(RUN_STEP, args)) for args in ARGUMENTS]
    made += [
        _case(f"{field}={value!r}"[:60], _changed(field, value)) for field, values in FIELDS.items() for value in values
    ]
    made += [_case(f"entry {entry[:30]!r}", _pushed(entry)) for entry in ENTRIES]
    made += [
        _case("a pickle", lambda studio, redis: _pickle(studio, redis)),
        _case("callbacks", _enqueued(RUN_STEP, ("r-x",), on_success=rq.Callback("os.abort"))),
        _case("no time-out", _enqueued(RUN_STEP, ("r-x",), timeout=-1)),
        _case("retries", _enqueued("os.system", ("true",), retry=rq.Retry(max=1_000_000))),
        _case("a job that is a list", lambda _, redis: (redis.rpush("rq:job:list", "x"), redis.rpush(QUEUE, "list"))),
        _case("a job of 20 MB", lambda studio, redis: _changed("data", bytes(20_000_000))(studio, redis)),
        _case("a foreign entry among the failed", lambda _, redis: redis.zadd("rq:failed:cpu", {b"\xff": 1})),
        _case("a foreign entry among the started", lambda _, redis: redis.zadd("rq:wip:cpu", {b"../x:y": 1})),
    ]
    field = st.sampled_from(sorted({*FIELDS, "worker_name", "ended_at", "started_at", "last_heartbeat", "x"}))
    values = drawn(
        st.tuples(field, st.one_of(st.binary(max_size=20), st.text(max_size=10).map(_utf8))), DRAWN, of_seed=seed
    )
    made += [_case(f"drawn {name}={value!r}"[:60], _changed(name, value), is_drawn=True) for name, value in values]
    return [*made, Case("a real job afterwards", _real_job, "accepted")]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _queue(redis: Redis) -> rq.Queue:
    return rq.Queue("cpu", connection=redis, serializer="json")


def _enqueued(function: str, args: tuple[Any, ...], **options: Any) -> Put:
    return lambda _, redis: _queue(redis).enqueue_call(function, args=args, **{"timeout": 60, **options})


def _changed(field: str, value: Any) -> Put:
    """A job of ours, but for one field; it is complete before a worker can find it."""

    def put(_: Studio, redis: Redis) -> None:
        job = _queue(redis).create_job(RUN_STEP, args=("r-nothing",), timeout=60)
        job.save()
        redis.hset(job.key, field, value)
        redis.rpush(QUEUE, job.id)

    return put


def _pushed(entry: bytes) -> Put:
    return lambda _, redis: redis.rpush(QUEUE, entry)


def _pickle(studio: Studio, redis: Redis) -> None:
    bomb = Code(f"cp {studio.canaries.text} {studio.settings.home}/got-out")
    _changed("data", zlib.compress(pickle.dumps((RUN_STEP, None, (bomb,), {}))))(studio, redis)


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
        return bool(redis.llen(QUEUE)) or any(worker.get(b"state") == b"busy" for worker in _workers(redis))
    except RedisError:
        return True


def _workers(redis: Redis) -> list[dict[bytes, bytes]]:
    return [redis.hgetall(key) for key in redis.smembers("rq:workers")]


def _real_job(studio: Studio) -> Outcome:
    """A curation through the queue."""
    from slim_core.steps.registry import parse_spec
    from workers.queue import Queue

    at, since = studio.results, time.monotonic()
    spec = parse_spec(
        {"kind": "curate", "dataset": at.dataset, "space": at.space, "strategy": "random", "size": 20, "seed": 77}
    )
    queue = Queue(studio.settings, studio.store)
    run, _ = studio.store.runs.submit(spec, by="benchmark")
    queue.submit(run)
    while not (run := studio.store.runs.fetch(run.id)).ended and time.monotonic() - since < PATIENCE_S:
        time.sleep(0.05)
    return Outcome(
        "accepted" if run.status == "done" else "broken", str(run.message).encode(), time.monotonic() - since
    )
