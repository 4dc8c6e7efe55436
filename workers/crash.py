"""What the run's row says after its process ended without a word: seen from outside, in plain words."""

from __future__ import annotations

import os
import signal

from slim_core.runs.execute import out_of_memory
from slim_core.steps.context import too_long
from slim_core.store import Run, Store
from workers.claimed import Held
from workers.running_job import Watch

_HUNG_TOO_OFTEN = "raise SLIM_HUNG_AFTER_S if the step needs longer, else see the log, then retry."


def record_death(store: Store, held: Held, watch: Watch, status: int | None) -> Run:
    """End the run or queue it again, and say why.

    Args:
        store: where the run is.
        held: the run, as its process left it.
        watch: what its worker saw.
        status: how the process ended, as wait() tells it; None: unknown.

    Returns:
        The run as it is now.

    Raises:
        RunLostError: it belongs to another attempt meanwhile.
    """
    runs, run = store.runs, store.runs.fetch(held.run_id)
    if run.status == "stopping":
        runs.canceled(run.id, held.token)
    elif watch.overdue:
        runs.fail(run.id, held.token, too_long(watch.limit_s))
    elif watch.hung:
        silent = f"reported no progress for {store.settings.hung_after_s:.0f} s and was ended"
        return runs.lose(run.id, held.token, silent, _HUNG_TOO_OFTEN)
    elif watch.out_of_memory_seen() and _signal(status) == signal.SIGKILL:
        runs.fail(run.id, held.token, out_of_memory(run))
    else:
        return runs.lose(run.id, held.token, _how_it_ended(status))
    return runs.fetch(run.id)


def _signal(status: int | None) -> int | None:
    return os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None


def _how_it_ended(status: int | None) -> str:
    number = _signal(status)
    if number is not None:
        return f"was killed by {signal.Signals(number).name} (signal {number})"
    code = os.waitstatus_to_exitcode(status) if status is not None else "unknown"
    return f"ended without a word (exit code {code})"
