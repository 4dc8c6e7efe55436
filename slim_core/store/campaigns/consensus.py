"""What the answers to an image add up to: each annotator's last answer, the majority of them, a lead's decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.campaigns.values import COUNTED_AS_WRONG, RIGHT, UNSURE, WRONG, counts_as

T = TypeVar("T")
DECISION, SKIP = "decision", "skip"  # sources of rows among the answers that are no annotator's vote
_answers, _items, _current = schema.answers, schema.items, schema.current_answers


def majority(n_right: int, n_wrong: int) -> int:
    """What the annotators of one item say together: the majority of those who are sure; a tie is UNSURE."""
    if n_right == n_wrong:
        return UNSURE
    return RIGHT if n_right > n_wrong else WRONG


class Consensus:
    """Folds answers in their order: each (row, annotator) has a stack, None takes off its top.

    A lead's decision about a row, until it is taken back, counts instead of all answers to it.
    """

    def __init__(self) -> None:
        self._stacks: dict[int, dict[str, list[int]]] = {}
        self._decisions: dict[int, list[int]] = {}

    def push(self, key: tuple[int, str], value: int | None) -> None:
        """Take in one answer that counts."""
        row, annotator = key
        put(self._stacks.setdefault(row, {}).setdefault(annotator, []), value)

    def decide(self, row: int, value: int | None) -> None:
        """Take in a decision about a row; None takes back the last one."""
        put(self._decisions.setdefault(row, []), value)

    def top(self, key: tuple[int, str]) -> int | None:
        """The answer that counts now."""
        stack = self._stacks.get(key[0], {}).get(key[1])
        return stack[-1] if stack else None

    def decision(self, row: int) -> int | None:
        """The decision that counts now."""
        stack = self._decisions.get(row)
        return stack[-1] if stack else None

    def of_row(self, row: int) -> int | None:
        """What the decision about a row, else the consensus of its answers, counts as; None where there is neither."""
        decided = self.decision(row)
        cast = [counts_as(stack[-1]) for stack in self._stacks.get(row, {}).values() if stack]
        if decided is not None:
            return counts_as(decided)
        if not cast:
            return None
        return majority(cast.count(RIGHT), cast.count(WRONG))

    def by_row(self) -> dict[int, int]:
        """Row -> what counts, for rows with an answer or a decision, ascending."""
        rows = sorted(self._stacks.keys() | self._decisions.keys())
        found = ((row, self.of_row(row)) for row in rows)
        return {row: value for row, value in found if value is not None}

    def tally(self) -> tuple[int, int, int]:
        """Images with an answer or a decision, annotators' answers, and decisions that count now."""
        votes = sum(bool(stack) for by_annotator in self._stacks.values() for stack in by_annotator.values())
        return len(self.by_row()), votes, sum(map(bool, self._decisions.values()))


def put(stack: list[T], value: T | None) -> None:
    """An answer onto the stack of those before it; None takes off its top."""
    if value is not None:
        stack.append(value)
    elif stack:
        stack.pop()


def folded(connection: Connection, campaign_id: str, seq: int) -> Consensus:
    """The answers and decisions of a campaign as they were after answer ``seq``; the same for ever."""
    query = sa.select(_items.c.row, _answers.c.annotator, _answers.c.value, _answers.c.source).join(_items)
    query = query.where(
        _answers.c.campaign_id == campaign_id, _answers.c.seq <= seq, _answers.c.surplus.is_(sa.false())
    )
    found = Consensus()
    for row, annotator, value, source in connection.execute(
        query.where(_answers.c.source != SKIP).order_by(_answers.c.seq)
    ):
        if source == DECISION:
            found.decide(row, value)
        else:
            found.push((row, annotator), value)
    return found


def arrays(by_row: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Rows (n,) and values (n,)."""
    return np.fromiter(by_row.keys(), np.int64, len(by_row)), np.fromiter(by_row.values(), np.int8, len(by_row))


def current_by_row(connection: Connection, campaign_id: str, annotator: str | None = None) -> dict[int, int]:
    """Row -> what counts now, one of COUNTED, ascending: the answer of one annotator, or the decision or majority."""
    n_right, n_wrong = (
        sa.func.sum(sa.case((_current.c.value.in_(values), 1), else_=0)) for values in ((RIGHT,), COUNTED_AS_WRONG)
    )
    query = sa.select(_items.c.row, n_right, n_wrong).join(_current, _current.c.item_id == _items.c.id)
    query = query.where(_current.c.campaign_id == campaign_id).group_by(_items.c.row)
    if annotator is not None:
        query = query.where(_current.c.annotator == annotator)
    found = {row: majority(int(right), int(wrong)) for row, right, wrong in connection.execute(query)}
    if annotator is None:
        found |= _decisions(connection, campaign_id)
    return dict(sorted(found.items()))


def _decisions(connection: Connection, campaign_id: str) -> dict[int, int]:
    """Row -> what the lead decided, as what it counts."""
    query = sa.select(_items.c.row, _items.c.decision)
    query = query.where(_items.c.campaign_id == campaign_id, _items.c.decision.is_not(None))
    return {row: counts_as(int(value)) for row, value in connection.execute(query)}
