"""The states of a run, as the sets that are asked for."""

from __future__ import annotations

WORKING = ("running", "stopping")  # a worker has it
ACTIVE = ("queued", *WORKING)  # something may still happen to it by itself
UNFINISHED = ("failed", "canceled")  # it ended without a result, and may be retried
ENDED = ("done", *UNFINISHED)
LIVE = (*ACTIVE, "done")  # it is offered instead of a second run with the same spec
STOPPABLE = ("queued", "running")  # it can still be asked to stop
PARTLY_DONE = ("queued", *UNFINISHED)  # what a run is while only some of its shards are done
CAN_BE_PARENT = ("queued", "running", "done")  # a new run may be made from it


def label_of(status: str) -> str:
    """A status as people read it."""
    return "stopped" if status == "canceled" else status
