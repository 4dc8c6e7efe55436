"""What answering took: sums over the tables of answers, the same wherever work is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from slim_core.store import schema
from slim_core.store.campaigns.consensus import DECISION, SKIP
from slim_core.store.campaigns.values import SIMULATED

IDLE_MS = 60_000  # longer pauses than this do not count as work


@dataclass(frozen=True)
class Work:
    """A table of answers, and the query of its ``sums``: answers given, of them simulated, and people's milliseconds.

    What was undone or skipped took its time too. A lead's decisions are not annotation.
    """

    table: sa.Table
    sums: sa.Select[Any]


def _work(table: sa.Table) -> Work:
    source, spent = table.c.source, table.c.duration_ms
    given = sa.case((table.c.value.is_not(None) & (source != SKIP), 1), else_=0)
    simulated = sa.case((source.in_(SIMULATED), 1), else_=0)
    worked_ms = sa.case((source.in_(SIMULATED), 0), (spent > IDLE_MS, IDLE_MS), else_=spent)
    sums = sa.select(*map(sa.func.sum, (given, simulated, worked_ms))).where(source != DECISION)
    return Work(table, sums)


IMAGE_WORK, ENVIRONMENT_WORK = _work(schema.answers), _work(schema.environment_answers)
