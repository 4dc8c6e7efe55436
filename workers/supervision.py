"""What keeps runs moving whatever dies: lost runs are queued again, and Redis is filled from the database.

Any number of services may do this at once, on any number of machines: each step is a compare-and-set in the database,
and a job that is in Redis twice is performed once, because its run can be claimed once.
"""

from __future__ import annotations

import logging

from slim_core.errors import QueueUnavailableError
from slim_core.store import Run
from workers.holdings import held_by
from workers.queue import Queue, job_id

log = logging.getLogger(__name__)


class Supervisor:
    """Looks after all runs of a store."""

    def __init__(self, queue: Queue) -> None:
        self.queue, self.store = queue, queue.store
        self._missing: set[str] = set()

    def tick(self) -> None:
        """One round. Cheap when nothing is amiss: two reads of the database, one of Redis where runs are waiting.

        Raises:
            StoreUnavailableError: the database is away.
        """
        try:
            for run in self.store.runs.lose_expired():
                self._put_back(run)
            self.refill()
        except QueueUnavailableError as error:
            log.warning("%s", error)

    def ready(self) -> dict[str, Run]:
        """Job id -> run, for every run that waits for nothing but a worker; next first."""
        return {job_id(run): run for run in self.store.runs.queued() if self.queue.ready(run)}

    def refill(self, *, at_once: bool = False) -> None:
        """Put into Redis what waits in the database and not there: Redis was wiped, away, or dropped a job.

        A job counts as missing when two rounds in a row do not find it: a worker may have taken it out a moment ago.
        ``at_once`` is for a service that has no workers yet.

        Raises:
            QueueUnavailableError: Redis does not answer.
        """
        ready = self.ready()
        if not ready:
            self._missing.clear()
            return
        missing = set(ready) - self.queue.waiting()
        overdue = missing if at_once else missing & self._missing
        for job in [each for each in ready if each in overdue]:
            log.info("Run %s waits in the database but not in Redis: put back", ready[job].id)
            self.queue.submit(ready[job])
        self._missing = missing

    def lose_all_of(self, worker: str, why: str) -> None:
        """A worker process was seen to die: queue again what it held."""
        for held in held_by(worker, self.store):
            self._put_back(self.store.runs.lose(held.run_id, held.token, why))

    def hand_back_all_of(self, worker: str) -> None:
        """A worker was ended on purpose before its job could hand its run back: do it in its place."""
        for held in held_by(worker, self.store):
            self.store.runs.hand_back(held.run_id, held.token)

    def _put_back(self, run: Run) -> None:
        """A run was lost: into Redis with it at once, where it is to go on."""
        log.warning("Run %s was lost and is %s now: %s", run.id, run.status, run.message)
        self.queue.submit(run)
