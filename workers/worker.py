"""One worker process: takes jobs of its queues one at a time, and forks a process for each.

The parent imports what light steps need, so that they start within milliseconds, but never torch: forking a process
that holds CUDA or OpenMP threads is not safe. A process whose step needs torch imports it after the fork, which takes
about a second. The parent checks its job from outside: renews the lease while the process lives, kills it when a stop
has lasted too long, and records an unexpected death in a sentence.

It outlives its Redis, and whatever lies in it. RQ waits for a Redis that is away only while it waits for a job;
anywhere else it ends with a long traceback. The database knows every run, so nothing depends on what could not be
written to Redis: it is left out, and where that lasts, the wait for the next job logs it. A job that RQ cannot even
read (others may write into Redis, too) is dropped: a service puts in a new one for each run that waits.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import gc
import importlib
import logging
import os
import signal
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import rq
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq.exceptions import DeserializationError, StopRequested
from rq.executions import Execution
from rq.job import Job

from slim_core.errors import QueueUnavailableError, RunLostError, SlimError
from slim_core.runs.execute import out_of_memory
from slim_core.signals import SignalEvent, ThrottledWarning, die_with_parent, signal_name
from slim_core.steps.specs import STEPS
from slim_core.store import Run, Store
from slim_core.store.workers import Heartbeat, disk_shortage, processes_on
from slim_core.version import code_version
from workers.local import redis_url
from workers.queue import (
    SERIALIZER,
    Assignment,
    JobFilter,
    StepDeathPenalty,
    StepJob,
    assignment,
    connect,
    enqueue_wakeup,
    queue_names,
    rq_queue,
)
from workers.slots import host

log = logging.getLogger(__name__)

NICENESS = 10  # of jobs: on a machine they share, the dashboard, Redis and the database go first
CHECK_S = 1  # between two checks of a running job; RQ's alarms are whole seconds
_WORKER_TTL_S = 60
_LOST_GRACE_S = 5.0  # how long a job may go on after its run was taken from it
# All that light steps need, imported once before the jobs are forked.
_LIGHT_MODULES = ("numpy", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.cluster", "sklearn.decomposition")
_TRACKING_S = 120.0  # how long a job may log its finished run to MLflow
_ANSWER_S = 0.5  # how long a check of a job may wait for Redis
_UNREADABLE_PAUSE_S = 0.5  # what fails may fail at each try
_UNSEEN_S = 10.0  # two looks at a job are about a second apart
_HUNG_TOO_OFTEN = "raise SLIM_LEASE_S if the step needs longer, else see the log, then retry."


class RunningJob:
    """What a worker observes of its job: when it last reported progress, when it has to end. In monotonic seconds.

    Time without progress is counted by this process's own clock since it saw the last progress change: no clock of
    another machine has a part in it. It begins anew after a time in which nothing could be seen, as while the database
    was away: whoever waits for that reports no progress.
    """

    def __init__(self) -> None:
        since = time.monotonic()
        self.claimed = False  # the job has been seen to claim a run
        self.hung = False  # it was ended because it reported no progress
        self.ends_at = float("inf")
        self._renewed_at = self._looked_at = since
        self._progress: tuple[datetime | None, float] = (None, since)
        self._oom_kills = oom_kills()

    def lease_is_due(self, every_s: float) -> bool:
        """Whether to renew the lease now."""
        if time.monotonic() - self._renewed_at < every_s:
            return False
        self._renewed_at = time.monotonic()
        return True

    def no_progress_s(self, progress_at: datetime | None) -> float:
        """Seconds since ``progress_at``, the time of the last progress as the database has it, was seen to change."""
        now = time.monotonic()
        if progress_at != self._progress[0] or now - self._looked_at > _UNSEEN_S:
            self._progress = (progress_at, now)
        self._looked_at = now
        return now - self._progress[1]

    def out_of_memory_seen(self) -> bool:
        """Whether the kernel has killed a process for want of memory since the job began."""
        return oom_kills() > self._oom_kills


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory: in our memory group, else on this machine."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        try:
            lines = dict(line.split() for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        if "oom_kill" in lines:
            return int(lines["oom_kill"])
    return 0


def how_it_ended(code: int | None) -> str:
    """The rest of a sentence about a process. ``code``: as of subprocess, below 0 for a signal; None: unknown."""
    if code is None or code >= 0:
        return f"ended unexpectedly (exit code {'unknown' if code is None else code})"
    return f"was killed by {signal_name(-code)}"


def record_crash(store: Store, run: Run, token: str, job: RunningJob, status: int | None) -> Run:
    """End the run or queue it again, with the reason.

    Args:
        store: where the run is.
        run: as its process left it.
        token: of its attempt.
        job: what its worker observed.
        status: of the process, as wait() returns it; None: unknown.

    Returns:
        The run as it is now.

    Raises:
        RunLostError: it belongs to another attempt by now.
    """
    attempts = store.attempts
    if run.status == "stopping":
        attempts.cancel(run.id, token)
    elif job.hung:
        reason = f"reported no progress for {store.settings.hung_after_s:.0f} s and was ended"
        return attempts.lose(run.id, token, reason, _HUNG_TOO_OFTEN)
    elif job.out_of_memory_seen() and _signal(status) == signal.SIGKILL:
        attempts.fail(run.id, token, out_of_memory(run))
    else:
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return attempts.lose(run.id, token, how_it_ended(code))
    return store.runs.fetch(run.id)


def _signal(status: int | None) -> int | None:
    return os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None


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


class SlotWorker(RedisTolerantWorker):
    """RQ's forking worker, bound to its parent, to our one kind of job, and to the database."""

    death_penalty_class = StepDeathPenalty

    def __init__(
        self,
        queues: tuple[str, ...],
        *,
        connection: Redis,
        name: str,
        store: Store,
        device: str,
        shown_device: str | None = None,
    ) -> None:
        """``device``: as torch calls it here; ``shown_device``: as people do, where several are seen by one each."""
        shown = shown_device or device
        self.job_filter = JobFilter(queues, shown, processes_on(shown))
        super().__init__(
            [rq_queue(each, connection) for each in queue_names(queues, self.job_filter.processes)],
            name=name,
            connection=connection,
            serializer=SERIALIZER,
            job_class=StepJob,
            worker_ttl=_WORKER_TTL_S,
            job_monitoring_interval=CHECK_S,
        )
        self.store, self.device = store, device
        self.url = redis_url(store.settings)
        self._job = RunningJob()
        self._status: int | None = None  # of the job's process, as wait() returns it; None: unknown
        self._shutting_down = SignalEvent()  # set in the forked process alone
        self._trouble = ThrottledWarning(log)  # that a check of the job has met
        self._blocked = ""  # why it takes no run, as the database has it

    # --- the forked process -------------------------------------------------------------------------------------

    def main_work_horse(self, job: Job, queue: rq.Queue) -> None:
        """Bind the process to this one, then perform the job on what this worker was given; SIGTERM hands it back."""
        die_with_parent(self.pid or 0, signal.SIGKILL)
        os.nice(NICENESS)
        signal.signal(signal.SIGTERM, lambda *_: self._shutting_down.set())
        mine = Assignment(self.store, self.name, self.device, self.job_filter, self._shutting_down, self._wake_for)
        assignment.set(mine)
        super().main_work_horse(job, queue)

    def setup_work_horse_signals(self) -> None:
        """Ctrl-C is the parent's business; SIGTERM (set by main_work_horse) hands the run back."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    # --- the parent ---------------------------------------------------------------------------------------------

    def handle_warm_shutdown_request(self) -> None:
        """The service asks us to end: let the job hand its run back."""
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Also notice that the embedded Redis has moved: then end, and be started again at its new address."""
        if pipeline is None and not self.is_horse and not self.horse_pid:
            with contextlib.suppress(QueueUnavailableError):
                if redis_url(self.store.settings) != self.url:
                    raise StopRequested()
        super().heartbeat(timeout, pipeline)

    def execute_job(self, job: Job, queue: rq.Queue) -> None:
        """Fork a process for the job once there is room, check it each second, and record what it left open."""
        self._await_room()
        self._job, self._status = RunningJob(), None
        try:
            super().execute_job(job, queue)
        finally:
            if not self.is_horse:
                self._record_unfinished()

    def _await_room(self) -> None:
        """Take no run that could not be written: it would fail, and after it all others. SIGTERM ends the wait."""
        since = time.monotonic()
        while (shortage := disk_shortage(self.store)) is not None:
            if not self._blocked:
                log.warning("No run starts: %s", shortage)
            self._say_blocked(shortage)
            self.heartbeat()
            time.sleep(CHECK_S)
        if self._blocked:
            log.info("There is room again after %.0f s: runs start", time.monotonic() - since)
        self._say_blocked("")

    def _say_blocked(self, why: str) -> None:
        if why != self._blocked:
            with contextlib.suppress(SlimError):  # on a full disk no database of files takes it either
                self.store.workers.block(self.name, why or None)
            self._blocked = why

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Called each second while the job runs; a database that is away for a while does not end the job."""
        try:
            self._check_job()
            self._trouble.end()
        except SlimError as error:
            self._trouble.warn(error)
        super().maintain_heartbeats(job, execution)

    def wait_for_horse(self) -> tuple[int | None, int | None, Any]:
        """Wait for the process, and keep how it ended.

        RQ's alarm interrupts the wait each second. One that comes when the process has just been reaped would take its
        status along: so the status is read first, while the process can still be waited for.
        """
        if hasattr(os, "waitid"):  # not on macOS before Python 3.13
            with contextlib.suppress(ChildProcessError):
                seen = os.waitid(os.P_PID, self.horse_pid, os.WEXITED | os.WNOWAIT)
                self._status = _as_wait_status(seen) if seen else None
        pid, status, usage = super().wait_for_horse()
        self._status = self._status if status is None else status
        return pid, self._status, usage

    def _check_job(self) -> None:
        """Renew the lease of a living job; end one that was asked to stop, or reports no progress."""
        job, given, claimed = self._job, self.store.settings, self.store.workers.claims(self.name)
        for token, run in claimed.items():
            job.claimed = True
            if run.status == "stopping":
                self._kill_after(given.stop_grace_s, "it did not stop in time")
            elif job.no_progress_s(run.progress_at) > given.hung_after_s:
                job.hung = True
                self._kill_after(0.0, f"it has reported no progress for {given.hung_after_s:.0f} s")
            if job.lease_is_due(given.renew_s):
                with contextlib.suppress(RunLostError):  # seen at the next check
                    self.store.attempts.renew(run.id, token)
        if job.claimed and not claimed:
            grace_s = _TRACKING_S if given.mlflow_tracking_uri else _LOST_GRACE_S
            self._kill_after(grace_s, "its run has ended, or belongs to another attempt")

    def _kill_after(self, grace_s: float, why: str) -> None:
        self._job.ends_at = min(self._job.ends_at, time.monotonic() + grace_s)
        if time.monotonic() >= self._job.ends_at and self.horse_pid:
            log.warning("Killing process %d of a job: %s", self.horse_pid, why)
            self.kill_horse()

    def _record_unfinished(self) -> None:
        """Record the end of a run whose process ended without doing so."""
        try:
            for token, run in self.store.workers.claims(self.name).items():
                with contextlib.suppress(RunLostError):
                    self._wake_for(record_crash(self.store, run, token, self._job, self._status))
        except SlimError as error:  # the database is away: the lease ends by itself
            log.warning("%s", error)

    def _wake_for(self, run: Run) -> None:
        """Wake a worker for a run that waits; where Redis is away, a service does so later."""
        if run.status == "queued":
            with contextlib.suppress(RedisError):
                enqueue_wakeup(run, self.connection)


def _as_wait_status(seen: os.waitid_result) -> int:
    """What wait() would return for the process; the core dump flag aside."""
    return seen.si_status << 8 if seen.si_code == os.CLD_EXITED else seen.si_status


def import_light_half(queues: tuple[str, ...]) -> None:
    """Import what the light steps need, once, before any fork. Never torch, which steps of the gpu queue import."""
    if "cpu" in queues:
        for module in _LIGHT_MODULES:
            importlib.import_module(module)
        for step in STEPS.values():
            if step.queue == "cpu":
                step.load()
    code_version()
    gc.collect()
    gc.freeze()  # forked children share these pages
    if "torch" in sys.modules:
        raise RuntimeError("A light step imports torch: a worker that has loaded it must not fork.")


def main(arguments: list[str] | None = None) -> int:
    """Take jobs until told to end; 2 where the database or Redis is away (a service then tries again)."""
    parser = argparse.ArgumentParser(prog="python -m workers.worker", description="One worker process of a service.")
    parser.add_argument("--queues", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--shown-device", help="as people know it, such as cuda:1")
    parser.add_argument("--name", required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--burst", action="store_true")
    given = parser.parse_args(arguments)
    die_with_parent(given.parent, signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)-7s {given.name}: %(message)s")
    faulthandler.enable()  # says where a job was that crashes
    queues = tuple(given.queues.split(","))
    try:
        store = Store.open()
        import_light_half(queues)
        connection = Redis.from_url(redis_url(store.settings))
        shown = given.shown_device or given.device
        worker = SlotWorker(
            queues, connection=connection, name=given.name, store=store, device=given.device, shown_device=shown
        )
        store.workers.beat(
            Heartbeat(given.name, host=host(), pid=os.getpid(), device=shown, queues=queues, version=code_version())
        )
        worker.work(burst=given.burst, logging_level="WARNING")
    except (SlimError, RedisError) as error:
        log.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
