"""What is recorded of a run whose process ended without recording it itself."""

from __future__ import annotations

import os
import signal

from slim_core.runs.execute import out_of_memory
from slim_core.steps.context import too_long
from slim_core.store import Run, Store
from workers.slots.claimed import ClaimedRun
from workers.slots.running_job import RunningJob, how_it_ended

_HUNG_TOO_OFTEN = "raise SLIM_HUNG_AFTER_S if the step needs longer, else see the log, then retry."


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
