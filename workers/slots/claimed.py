"""The runs a worker has claimed and not ended, with the token of the attempt.

The token is known to the forked job alone, in memory; its parent and its service read it here, to renew or end the run
in the name of a worker that they started.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from slim_core.store import Store
from slim_core.store.runs.states import WORKING
from slim_core.store.schema import runs as _runs


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
