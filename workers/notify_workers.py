"""The Redis side of the queue: jobs that wake a worker. Which run the worker then takes, the database decides.

A job's run id only says for which run it was enqueued. There should be as many jobs as runs that can start; one too
many finds nothing to do, one too few is enqueued by a worker service within two seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import rq
from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from workers.slots.job import RUN_STEP, StepJob

SERIALIZER = "json"
_RESULT_TTL_S = 600
_FAILURE_TTL_S = 24 * 3600


class Startable(Protocol):
    """A run that can start: a whole one, or what is known of a waiting one."""

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def queue(self) -> str: ...

    @property
    def processes(self) -> int: ...


def connect(url: str, *, timeout_s: float = 5.0) -> Redis:
    """A client that gives up soon, so that a page never hangs on a Redis that has gone, or that does not answer."""
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2, supported_errors=(RedisConnectionError,))
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=min(2.0, timeout_s), retry=retry)


def rq_queue(name: str, connection: Redis) -> rq.Queue:
    """The RQ queue of this name, which holds nothing but our jobs as JSON."""
    return rq.Queue(name, connection=connection, serializer=SERIALIZER, job_class=StepJob)


def queue_name(run: Startable) -> str:
    """The RQ queue whose jobs wake a worker that may take the run: one of its own for each number of processes."""
    return named_queue(run.queue, run.processes)


def named_queue(queue: str, processes: int) -> str:
    """The RQ queue of any run that so many processes share."""
    return queue if processes == 1 else f"{queue}-{processes}"


def queue_names(queues: Iterable[str], processes: Sequence[int]) -> list[str]:
    """The RQ queues a worker listens to, on whose devices so many processes may share a training: the most first."""
    return [named_queue(queue, n) for queue in queues for n in sorted(processes, reverse=True)]


def enqueue_wakeup(run: Startable, redis: Redis, timeout_s: int) -> None:
    """Enqueue a job that wakes a worker for a run."""
    rq_queue(queue_name(run), redis).enqueue_call(
        RUN_STEP,
        args=[run.id],
        timeout=timeout_s,
        result_ttl=_RESULT_TTL_S,
        failure_ttl=_FAILURE_TTL_S,
        job_id=f"{run.id}-{secrets.token_hex(4)}",  # never one that a worker may be performing for another run
        description=f"{run.kind} {run.id}",
    )


def remove_wakeups(run: Startable, redis: Redis) -> None:
    """Take a run's jobs out; those that a worker has taken for another run are gone already."""
    for job in waiting_jobs(queue_name(run), redis):
        if run_of(job) == run.id:
            rq_queue(queue_name(run), redis).remove(job)


def waiting_jobs(name: str, redis: Redis) -> list[str]:
    """Ids of a queue's waiting jobs, next first. Reads the list itself: RQ's own method removes dead entries."""
    found = cast(list[bytes], redis.lrange(f"rq:queue:{name}", 0, -1))
    return [job.decode() for job in found]


def count_jobs(names: Iterable[str], redis: Redis) -> dict[str, int]:
    """How many jobs wait in each queue; one round trip."""
    names = list(names)
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.llen(f"rq:queue:{name}")
        return dict(zip(names, pipeline.execute(), strict=True))


def run_of(job: str) -> str:
    """The run a job was put in for."""
    return job.rpartition("-")[0]
