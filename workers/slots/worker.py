"""One worker process: takes jobs of its queues one at a time, and forks a process for each.

The parent imports what light steps need, so that they start within milliseconds, but never torch: forking a process
that holds CUDA or OpenMP threads is not safe. A process whose step needs torch imports it after the fork, which takes
about a second. The parent checks its job from outside: renews the lease while the process lives, kills it when a stop
has lasted too long, and records an unexpected death in a sentence.
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
from typing import Any

import rq
from redis import Redis
from redis.exceptions import RedisError
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job

from slim_core.errors import QueueUnavailableError, RunLostError, SlimError, ThrottledWarning
from slim_core.runs import log_lines
from slim_core.settings import settings
from slim_core.signals import SignalEvent, die_with_parent
from slim_core.steps.registry import STEPS
from slim_core.store import Run, Store
from slim_core.store.workers import Heartbeat, disk_shortage, processes_on
from slim_core.version import code_version
from workers import tasks
from workers.local import redis_url
from workers.notify_workers import SERIALIZER, enqueue_wakeup, queue_names, rq_queue
from workers.slots.claimed import claimed_by, record_crash
from workers.slots.job import StepDeathPenalty, StepJob
from workers.slots.plan import host
from workers.slots.redis_tolerant_worker import RedisTolerantWorker
from workers.slots.running_job import RunningJob

log = logging.getLogger(__name__)

NICENESS = 10  # of jobs: on a machine they share, the dashboard, Redis and the database go first
CHECK_S = 1  # between two checks of a running job; RQ's alarms are whole seconds
_WORKER_TTL_S = 60
_LOST_GRACE_S = 5.0  # how long a job may go on after its run was taken from it
# All that light steps need, imported once before the jobs are forked.
_LIGHT_MODULES = ("numpy", "pandas", "pyarrow.parquet", "scipy.stats", "sklearn.cluster", "sklearn.decomposition")
_TRACKING_S = 120.0  # how long a job may log its finished run to MLflow


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
        self.job_filter = tasks.JobFilter(queues, shown, processes_on(shown))
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
        self._job = RunningJob(0.0)
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
        mine = tasks.Assignment(
            self.store, self.name, self.device, self.job_filter, job.timeout, self._shutting_down, self._wake_for
        )
        tasks.assignment.set(mine)
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
        self._job, self._status = RunningJob(job.timeout or 0), None
        try:
            super().execute_job(job, queue)
        finally:
            if not self.is_horse:
                self._record_unfinished()
                log_lines.unbind("run")

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
        """Renew the lease of a living job; end one over its time limit, or without progress."""
        job, given, claimed = self._job, self.store.settings, claimed_by(self.name, self.store)
        for each in claimed:
            job.claimed = True
            log_lines.bind(run=each.run_id)
            if each.stopping or job.overdue:
                self._kill_after(given.stop_grace_s, "it did not stop in time")
            elif job.no_progress_s(each.progress_at) > given.hung_after_s:
                job.hung = True
                self._kill_after(0.0, f"it has reported no progress for {given.hung_after_s:.0f} s")
            if job.lease_is_due(given.renew_s):
                with contextlib.suppress(RunLostError):  # seen at the next check
                    self.store.attempts.renew(each.run_id, each.token)
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
            for each in claimed_by(self.name, self.store):
                with contextlib.suppress(RunLostError):
                    self._wake_for(record_crash(self.store, each, self._job, self._status))
        except SlimError as error:  # the database is away: the lease ends by itself
            log.warning("%s", error)

    def _wake_for(self, run: Run) -> None:
        """Wake a worker for a run that waits; where Redis is away, a service does so later."""
        if run.status == "queued":
            with contextlib.suppress(RedisError):
                enqueue_wakeup(run, self.connection, self.store.settings.job_timeout_s)


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
    parser = argparse.ArgumentParser(
        prog="python -m workers.slots.worker", description="One worker process of a service."
    )
    parser.add_argument("--queues", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--shown-device", help="as people know it, such as cuda:1")
    parser.add_argument("--name", required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--burst", action="store_true")
    given = parser.parse_args(arguments)
    die_with_parent(given.parent, signal.SIGKILL)
    log_lines.bind(worker=given.name)
    log_lines.set_up(settings().log_format, "%(asctime)s %(levelname)-7s " + given.name + ": %(message)s")
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
