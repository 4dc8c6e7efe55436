"""What keeps runs moving whatever dies: lost runs are queued again, and Redis is filled from the database.

Any number of services may do this at once, on any number of machines: each step is a compare-and-set in the database,
and a job too many in Redis does nothing, because a run can be claimed once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

from slim_core.errors import QueueUnavailableError, RunLostError, ThrottledWarning
from slim_core.runs.execute import LeaseGrace
from slim_core.store import Run
from workers.notify_workers import named_queue, queue_name
from workers.queue import Queue
from workers.slots.claimed import claimed_by

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
        for claimed in claimed_by(worker, self.store):
            with suppress(RunLostError):
                lost.append(self.store.attempts.lose(claimed.run_id, claimed.token, why))
        self._put_back(lost)

    def requeue_all_of(self, worker: str) -> None:
        """A worker was ended on purpose before its job could requeue its run: do it in its place."""
        for claimed in claimed_by(worker, self.store):
            with suppress(RunLostError):  # another attempt has it by now
                self.store.attempts.requeue(claimed.run_id, claimed.token)

    def _put_back(self, lost: Sequence[Run]) -> None:
        """Runs were lost: into Redis with them at once, where they are to go on."""
        for run in lost:
            log.warning("Run %s was lost and is %s now: %s", run.id, run.status, run.message, extra={"run": run.id})
        self.queue.submit(*lost)
