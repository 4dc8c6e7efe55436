"""RQ's forking worker, made to outlive its Redis, and whatever lies in it.

RQ waits for a Redis that is away only while it waits for a job; anywhere else it ends with a long traceback. The
database knows every run, so nothing depends on what could not be written to Redis: it is left out, and where that
lasts, the wait for the next job logs it. A job that RQ cannot even read (others may write into Redis, too) is dropped:
a service puts in a new one for each run that waits.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import Any

import rq
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq.exceptions import DeserializationError, StopRequested
from rq.executions import Execution
from rq.job import Job

from slim_core.errors import SlimError, ThrottledWarning
from workers.notify_workers import connect

log = logging.getLogger(__name__)

_ANSWER_S = 0.5  # how long a check of a job may wait for Redis
_UNREADABLE_PAUSE_S = 0.5  # what fails may fail at each try


class RedisTolerantWorker(rq.Worker):
    """A worker that Redis may leave at any time after it has started."""

    max_connection_wait_time = 2.0
    url: str  # where Redis is
    _refusal = ThrottledWarning(log)  # of a process there is one worker

    def subscribe(self) -> None:
        """Listen to none of RQ's commands: by them whoever may write into Redis ends a worker, or kills its job."""

    def check_for_suspension(self, burst: bool) -> None:
        """No key in Redis suspends it: the queue is paused in the database (docs/decisions/0003)."""

    def run_maintenance_tasks(self) -> None:
        """Tidy up, where there is a Redis, as far as what lies in it can be read."""
        try:
            super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        except RedisError:
            return
        except Exception as error:  # RQ raises whatever a foreign entry of a registry makes of its own code
            log.warning("Redis holds a job that cannot be read (%s): its registries are not tidied up", error)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, rq.Queue] | None:
        """The next job that can be read."""
        while True:
            try:
                found = super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
                self._refusal.end()
                return found
            except (StopRequested, RedisTimeoutError):
                raise
            except ResponseError as error:  # its disk is full, it is a replica, the queue is no list
                self._refusal.warn(f"Redis gives no job ({error}): it is asked again")
                time.sleep(_UNREADABLE_PAUSE_S)
            except Exception as error:  # RQ raises whatever a malformed job makes of its own code
                log.warning("A job in Redis cannot be read (%s: %s) and is dropped", type(error).__name__, error)
                time.sleep(_UNREADABLE_PAUSE_S)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Say in a line that a job is not one of ours, or that the database was away; RQ logs a traceback for each."""
        kind, error = exc_info[:2]
        if issubclass(kind, DeserializationError | SlimError):
            log.warning("%s", error if str(error) else f"Job {job.id} holds no JSON: it is refused.")
        else:
            super().handle_exception(job, *exc_info)

    def set_state(self, state: str, pipeline: Any = None) -> None:
        """Report what it does."""
        with contextlib.suppress(RedisError):
            super().set_state(state, pipeline)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Send a heartbeat."""
        with contextlib.suppress(RedisError):
            super().heartbeat(timeout, pipeline)

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Send a heartbeat of its job."""
        with contextlib.suppress(RedisError):
            super().maintain_heartbeats(job, execution)

    def monitor_work_horse(self, job: Job, queue: rq.Queue, execution: Execution) -> None:
        """Check the job each second, also where Redis is frozen: its other clients wait for it up to a minute."""
        usual = self.connection
        with connect(self.url, timeout_s=_ANSWER_S) as self.connection:
            job.connection = self.connection
            try:
                super().monitor_work_horse(job, queue, execution)
            finally:
                self.connection = job.connection = usual

    def execute_job(self, job: Job, queue: rq.Queue) -> None:
        """Perform the job; how its run ended is in the database, whether Redis gets it or not."""
        try:
            super().execute_job(job, queue)
        except RedisError as error:
            log.warning("Redis went away during job %s (%s): nothing is lost, the next job is awaited", job.id, error)

    def teardown(self) -> None:
        """Sign off, unless there is no Redis to sign off from."""
        with contextlib.suppress(RedisError):
            super().teardown()  # type: ignore[no-untyped-call]
