"""Runs that ended only because one they waited for did: how they end, and which of them a retry queues again with it.

The row of such a run names the one it ended with; that of a run that somebody stopped, or that failed by itself, none.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import chain

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.database import in_chunks
from slim_core.store.runs.lineage import descendants_of
from slim_core.store.runs.rows import hold_runs
from slim_core.store.runs.shards import WHOLE
from slim_core.store.runs.states import UNFINISHED

HOW = {"failed": "has failed", "canceled": "was stopped"}  # a parent has ended
_t, _parents = schema.runs, schema.run_parents


def end_waiting(connection: Connection, run_id: str, status: str, now: datetime) -> None:
    """Those that wait for a run end as it did: nothing has failed where somebody stopped it.

    Who submits a run holds its parents (``Runs.submit``): one that is submitted meanwhile behind one of them is seen
    after the update, which waits for it.
    """
    message = f"Its parent {run_id} {HOW[status]}: retry that one, and this is queued again with it."
    ended = {"status": status, "message": message, "ended_with": run_id, "finished_at": now}
    while True:
        waiting = _t.c.id.in_(descendants_of(connection, [run_id]))
        if not connection.execute(_t.update().where(waiting, _t.c.status == "queued").values(**ended)).rowcount:
            return


def stopped_with(connection: Connection, run_id: str) -> int:
    """How many runs wait for this one, directly or not, and so end with it; no shards. One query, as pages poll it."""
    below = sa.select(_parents.c.run_id).where(_parents.c.parent_id == run_id).cte(recursive=True)
    below = below.union(sa.select(_parents.c.run_id).join(below, _parents.c.parent_id == below.c.run_id))
    waiting = sa.select(sa.func.count()).select_from(_t).join(below, below.c.run_id == _t.c.id)
    return connection.execute(waiting.where(_t.c.status == "queued", WHOLE)).scalar_one()


def hold_parents(connection: Connection, run_id: str) -> None:
    """Keep what a run waits for, and what those do that are retried with it, from ending before the transaction."""
    parents = sa.select(_parents.c.parent_id)
    queued_again = in_chunks([run_id, *retried_with(connection, run_id)])
    found = [connection.execute(parents.where(_parents.c.run_id.in_(some))).scalars() for some in queued_again]
    hold_runs(connection, chain.from_iterable(found))


def retried_with(connection: Connection, run_id: str) -> dict[str, str | None]:
    """The runs that a retry of this one queues again with it, nearest first: id -> the run it is a shard of.

    They ended because a run they waited for did, and wait for no other that has ended and stays so.
    """
    found = _ended_with_parent(connection, descendants_of(connection, [run_id]))
    parents = _ended_parents(connection, found)
    while blocked := [one for one in found if parents[one] - {run_id, *found}]:
        found = {one: whole for one, whole in found.items() if one not in blocked}
    return found


def _ended_with_parent(connection: Connection, ids: Collection[str]) -> dict[str, str | None]:
    """Those of the runs that did, in their order: id -> the run it is a shard of."""
    found = dict[str, str | None]()
    for some in in_chunks(ids):
        query = sa.select(_t.c.id, _t.c.shard_of).where(_t.c.id.in_(some), _t.c.ended_with.is_not(None))
        found |= {row.id: row.shard_of for row in connection.execute(query)}
    return {one: found[one] for one in ids if one in found}


def _ended_parents(connection: Connection, ids: Collection[str]) -> dict[str, set[str]]:
    """Run -> those of its parents that ended without a result."""
    found: dict[str, set[str]] = {one: set() for one in ids}
    for some in in_chunks(ids):
        query = sa.select(_parents.c.run_id, _parents.c.parent_id).join(_t, _t.c.id == _parents.c.parent_id)
        for run_id, parent in connection.execute(query.where(_parents.c.run_id.in_(some), _t.c.status.in_(UNFINISHED))):
            found[run_id].add(parent)
    return found
