"""The worker service: Redis (in the embedded mode), one process per slot, and supervision, kept alive by one loop.

    service ── redis-server (embedded mode, where nobody else runs it)
            └─ slot per GPU or CPU slot, and one for light jobs ── a process per running job

Light jobs have a slot of their own, so that a long training never keeps a curation waiting. A child that dies is
started again; when the service itself dies, however it does, all of its children die with it. Supervision requeues the
runs of workers that died, and puts into Redis what a wiped Redis lacks.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

from slim_core.errors import QueueUnavailableError, RunLostError, SlimError
from slim_core.runs.execute import LeaseGrace
from slim_core.settings import Settings
from slim_core.signals import SignalEvent, ThrottledWarning
from slim_core.store import Run, Store, StoreUnavailableError
from slim_core.store.workers import Heartbeat, processes_on
from workers.local import RedisHome, environment
from workers.queue import Queue, named_queue, queue_name
from workers.slots import Gpu, SlotPlan, gpus, host
from workers.webhook import Notifier
from workers.worker import how_it_ended

log = logging.getLogger(__name__)


class Supervisor:
    """Requeues lost runs and refills Redis, for all runs of a store."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.store = queue, queue.store
        self._missing: dict[str, int] = {}  # queue -> jobs it lacked at the last round
        self._grace, self._silence = LeaseGrace(self.store.settings.lease_s), ThrottledWarning(log)

    def tick(self) -> None:
        """One round. Cheap, however many runs wait: two reads of the database, one of Redis where any does.

        Raises:
            StoreUnavailableError: the database is away.
        """
        try:
            overdue = self.store.attempts.overdue()  # asked first: the answer may come after an outage
            if not self._grace.is_active() and overdue:
                self._put_back(self.store.attempts.lose_expired())
            self.refill()
            self._silence.end()
        except QueueUnavailableError as error:
            self._silence.warn(error)

    def spare(self) -> None:
        """The database was away, or could not be written: whoever works has the length of a lease to renew its own."""
        self._grace.begin()

    def refill(self, *, at_once: bool = False) -> None:
        """Put in as many jobs as there are runs that can start: Redis was wiped, away, or dropped some.

        A job counts as missing when two rounds in a row lack it: a worker may have taken it out a moment ago.
        ``at_once`` is for a service that has no workers yet.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        if self.store.queue.paused():  # a job would wake a worker for nothing
            self._missing = {}
            return
        ready = {named_queue(*alike): n for alike, n in self.store.queue.count_waiting().items()}
        jobs = self.queue.jobs(ready) if ready else {}
        missing = {name: n - jobs[name] for name, n in ready.items() if n > jobs[name]}
        overdue = {name: n if at_once else min(n, self._missing.get(name, 0)) for name, n in missing.items()}
        if any(overdue.values()):
            self._put_in(overdue)
        self._missing = missing

    def _put_in(self, overdue: dict[str, int]) -> None:
        waiting = self.store.queue.waiting()
        for name, n in overdue.items():
            log.info("%d runs that can start have no job in %s: put in", n, name)
            self.queue.enqueue_wakeups([run for run in waiting if queue_name(run) == name][:n])

    def lose_all_of(self, worker: str, why: str) -> None:
        """A worker process has died: queue again what it had claimed, but for what another attempt has by now.

        Raises:
            QueueUnavailableError: Redis does not answer; the runs are queued, and go in later by themselves.
        """
        lost = []
        for token, run in self.store.workers.claims(worker).items():
            with suppress(RunLostError):
                lost.append(self.store.attempts.lose(run.id, token, why))
        self._put_back(lost)

    def requeue_all_of(self, worker: str) -> None:
        """A worker was ended on purpose before its job could requeue its run: do it in its place."""
        for token, run in self.store.workers.claims(worker).items():
            with suppress(RunLostError):  # another attempt has it by now
                self.store.attempts.requeue(run.id, token)

    def _put_back(self, lost: Sequence[Run]) -> None:
        """Runs were lost: into Redis with them at once, where they are to go on."""
        for run in lost:
            log.warning("Run %s was lost and is %s now: %s", run.id, run.status, run.message)
        self.queue.submit(*lost)


TICK_S = 1.0
BEAT_S = 5.0  # between two heartbeats in the table of workers
REQUEUE_S = 6.0  # how long jobs may take to requeue their run when the service ends
_LONGEST_PAUSE_S = 30.0


class SlotProcess:
    """A worker process that is started again when it dies, each time under a new name."""

    def __init__(self, settings: Settings, plan: SlotPlan, command: Sequence[str], *, burst: bool) -> None:
        self.plan = plan
        self.name = self.told = self.recorded = ""  # told, recorded: the name of the last one whose end was
        self.process: subprocess.Popen[bytes] | None = None
        self._settings, self._command, self._burst = settings, tuple(command), burst
        self._started_at = self._pause_s = 0.0
        self.host = host()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def finished(self) -> bool:
        """Whether a burst is over."""
        return self._burst and self.process is not None and self.process.poll() == 0

    def start(self) -> None:
        """Start the process, unless the last one died too recently."""
        if time.monotonic() - self._started_at < self._pause_s:
            return
        lived_s = time.monotonic() - self._started_at
        self._pause_s = 1.0 if lived_s > 60 else min(max(1.0, 2 * self._pause_s), _LONGEST_PAUSE_S)
        self._started_at = time.monotonic()
        self.name = f"{self.host}-{self.plan.label}-{secrets.token_hex(2)}"
        command = [*self._command, "--queues", ",".join(self.plan.queues), "--device", self.plan.device]
        command += ["--shown-device", self.plan.shown_device, "--name", self.name, "--parent", str(os.getpid())]
        command += ["--burst"] if self._burst else []
        try:
            self.process = self._spawn(command, {**environment(self._settings), **self.plan.environment})
        except OSError as error:  # no memory, or a limit of processes: tried again after the pause
            self.process = None
            log.warning("Worker %s cannot be started (%s)", self.name, error.strerror)

    def _spawn(self, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        # A group of its own: Ctrl-C reaches the service alone, which ends its slots in order.
        return subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, process_group=0)

    def ask_to_end(self) -> None:
        """Let a running job requeue its run, then end."""
        if self.process is not None and self.alive:
            self.process.terminate()

    def end(self, until: float) -> None:
        """Wait until a moment (monotonic seconds), then kill."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def memory_mb(self) -> float | None:
        """Resident memory of the worker and the process of its job, in MiB."""
        if self.process is None:
            return None
        try:
            root = psutil.Process(self.process.pid)
            family = [root, *root.children(recursive=True)]
            return round(sum(each.memory_info().rss for each in family) / 2**20, 1)
        except psutil.Error:  # it has just ended
            return None


class Service:
    """Everything ``python -m workers`` starts."""

    def __init__(
        self,
        settings: Settings,
        plans: Sequence[SlotPlan],
        redis: RedisHome | None,
        *,
        slot_command: Sequence[str],
        burst: bool = False,
        only_as_owner: bool = False,
    ) -> None:
        """Args:
        settings: where everything is.
        plans: the worker processes to keep alive.
        redis: the embedded Redis; None in the served mode.
        slot_command: how a worker process is started.
        burst: end once the queue is empty.
        only_as_owner: work only while this service runs the embedded Redis; else wait to take over.
        """
        self.settings = settings
        self.slots = [SlotProcess(settings, each, slot_command, burst=burst) for each in plans]
        self.redis = redis
        self.stopping = SignalEvent()
        self._only_as_owner = only_as_owner
        self._burst = burst
        self._supervisor: Supervisor | None = None
        self._notifier: Notifier | None = None
        self._trouble = ThrottledWarning(log)
        self._beat_at = 0.0

    def run(self) -> None:
        """Work until told to end by SIGTERM or Ctrl-C, or until a burst is over."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        try:
            while not self.stopping.is_set() and not self._burst_is_over():
                self._round()
                self.stopping.wait(TICK_S)
        finally:
            self._end()

    def _burst_is_over(self) -> bool:
        """Every slot found its queue empty, and nothing has become ready meanwhile, as far as the database answers."""
        if not self._burst or not all(slot.finished for slot in self.slots) or self._supervisor is None:
            return False
        queue = self._supervisor.store.queue
        try:
            ready = [queue.next_for(slot.plan.queues, processes_on(slot.plan.shown_device)) for slot in self.slots]
        except SlimError as error:  # asked again after the next round
            self._trouble.warn(error)
            return False
        if not any(ready):
            return True
        for slot in self.slots:
            slot.process = None  # started again at the next round
        return False

    def _round(self) -> None:
        try:
            if not self._has_redis():
                return
            if self._burst:  # else the slots would end before there is anything in Redis
                self._open().refill(at_once=True)
            if self._trouble.is_met:  # where the database cannot be opened, the slots would end again and again
                self._open()
            self._keep_slots()
            self._supervise()
            self._trouble.end()
        except SlimError as error:
            self._trouble.warn(error)
            if self._supervisor is not None and isinstance(error, StoreUnavailableError):
                self._supervisor.spare()

    def _has_redis(self) -> bool:
        """Keep the embedded Redis running where nobody else does. False: another service does, and this one waits."""
        if self.redis is None:
            return True
        if self.redis.acquire():
            self.redis.ensure()
            return True
        return not self._only_as_owner

    def _keep_slots(self) -> None:
        for slot in self.slots:
            if slot.alive or slot.finished:
                continue
            if slot.process is not None:
                self._record_end(slot)
            slot.start()

    def _record_end(self, slot: SlotProcess) -> None:
        """A worker died: what it had claimed is queued again at once; nothing where that is done already."""
        if slot.process is not None and self._supervisor is not None and slot.recorded != slot.name:
            if slot.told != slot.name:  # it is tried again, each second, while the database cannot be written
                slot.told, code = slot.name, slot.process.returncode
                log.warning("Worker %s ended with code %s", slot.name, code)
            self._supervisor.lose_all_of(slot.name, how_it_ended(slot.process.returncode))
            self._supervisor.store.workers.leave(slot.name)
            slot.recorded = slot.name

    def _open(self) -> Supervisor:
        """The supervisor; opens the database, so first after Redis and the slots, which take their time."""
        if self._supervisor is None:
            self._supervisor = Supervisor(Queue(self.settings, Store.open(self.settings)))
            if self._trouble.is_met:  # it may have been away until now
                self._supervisor.spare()
            self._finish_removals(self._supervisor.store)
            if self.settings.webhook_url:
                self._notifier = Notifier(self._supervisor.store, self.settings.webhook_url)
                self._notifier.start()
        return self._supervisor

    def _finish_removals(self, store: Store) -> None:
        """What a killed process has left to be removed, since no page and no command shows it any more."""
        try:
            store.removals.finish()
        except (SlimError, OSError) as error:  # such as files of another user: work goes on
            log.warning("Not all that was deleted could be removed from the disk: %s", error)

    def _supervise(self) -> None:
        supervisor = self._open()
        supervisor.tick()
        if time.monotonic() - self._beat_at >= BEAT_S:
            self._beat_at = time.monotonic()
            self._beat(supervisor.store)

    def _beat(self, store: Store) -> None:
        loads = {gpu.uuid: gpu for gpu in gpus()} if any(slot.plan.gpu for slot in self.slots) else {}
        for slot in self.slots:
            if slot.process is None or not slot.alive:
                continue
            store.workers.beat(
                Heartbeat(
                    slot.name,
                    host=slot.host,
                    pid=slot.process.pid,
                    device=slot.plan.shown_device,
                    queues=slot.plan.queues,
                    current_run=next((run.id for run in store.workers.claims(slot.name).values()), None),
                    memory_mb=slot.memory_mb(),
                    load=_load(loads.get(slot.plan.gpu.uuid)) if slot.plan.gpu else {},
                )
            )
        store.workers.forget_silent()

    def _end(self) -> None:
        """End the slots, requeue what they could not, then end Redis."""
        if self._notifier is not None:
            self._notifier.ending.set()
        for slot in self.slots:
            slot.ask_to_end()
        until = time.monotonic() + REQUEUE_S
        for slot in self.slots:
            slot.end(until)
        try:
            if self._supervisor is not None:
                for slot in self.slots:
                    self._supervisor.requeue_all_of(slot.name)
                    self._supervisor.store.workers.leave(slot.name)
        except SlimError as error:
            log.warning("%s", error)
        if self.redis is not None and self.redis.owned:
            self.redis.stop()


def _load(gpu: Gpu | None) -> dict[str, Any]:
    if gpu is None:
        return {}
    return {
        "name": gpu.name,
        "load_percent": gpu.load_percent,
        "temperature_c": gpu.temperature_c,
        "memory_used_mb": gpu.memory_used_mb,
        "memory_mb": gpu.memory_mb,
    }
