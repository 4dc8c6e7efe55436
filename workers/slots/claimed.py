"""The runs a worker has claimed and not ended, with the token of the attempt; what is recorded of one left open.

The token is known to the forked job alone, in memory; its parent and its service read it here, to renew or end the run
in the name of a worker that they started.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from slim_core.runs.execute import out_of_memory
from slim_core.steps.context import too_long
from slim_core.store import Run, Store
from slim_core.store.runs.states import WORKING
from slim_core.store.schema import runs as _runs
from workers.slots.running_job import RunningJob, how_it_ended

_HUNG_TOO_OFTEN = "raise SLIM_HUNG_AFTER_S if the step needs longer, else see the log, then retry."


@dataclass(frozen=True)
class ClaimedRun:
    """A run that a worker has claimed and not ended."""

    run_id: str
    token: str
    stopping: bool  # its stop was requested
    progress_at: datetime | None  # of its last progress, by the database's clock


def claimed_by(worker: str, store: Store) -> list[ClaimedRun]:
    """The claimed runs of a worker: one at most, unless something went wrong."""
    query = sa.select(_runs.c.id, _runs.c.token, _runs.c.status, _runs.c.progress_at).where(
        _runs.c.worker == worker, _runs.c.status.in_(WORKING), _runs.c.deleted_at.is_(None)
    )
    with store.database.read() as connection:
        return [
            ClaimedRun(row.id, row.token, row.status == "stopping", row.progress_at)
            for row in connection.execute(query)
        ]


def record_crash(store: Store, claimed: ClaimedRun, job: RunningJob, status: int | None) -> Run:
    """End the run or queue it again, with the reason.

    Args:
        store: where the run is.
        claimed: the run, as its process left it.
        job: what its worker observed.
        status: of the process, as wait() returns it; None: unknown.

    Returns:
        The run as it is now.

    Raises:
        RunLostError: it belongs to another attempt by now.
    """
    run, attempts = store.runs.fetch(claimed.run_id), store.attempts
    if run.status == "stopping":
        attempts.cancel(run.id, claimed.token)
    elif job.overdue:
        attempts.fail(run.id, claimed.token, too_long(job.limit_s))
    elif job.hung:
        reason = f"reported no progress for {store.settings.hung_after_s:.0f} s and was ended"
        return attempts.lose(run.id, claimed.token, reason, _HUNG_TOO_OFTEN)
    elif job.out_of_memory_seen() and _signal(status) == signal.SIGKILL:
        attempts.fail(run.id, claimed.token, out_of_memory(run))
    else:
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return attempts.lose(run.id, claimed.token, how_it_ended(code))
    return store.runs.fetch(run.id)


def _signal(status: int | None) -> int | None:
    return os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None
