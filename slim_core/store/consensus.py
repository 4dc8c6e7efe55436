"""The values of a campaign: what is asked, by whom it is answered, and what the answers add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")
RIGHT, WRONG, UNSURE = 1, 0, -1
LEASE_S = 120.0  # how long an item is kept for the annotator who looks at it
IDLE_MS = 60_000  # longer pauses than this do not count as work
DECISION, SKIP = "decision", "skip"  # sources of rows that are kept with the answers and are no annotator's vote


@dataclass(frozen=True)
class Campaign:
    """Questions about some images of one split."""

    id: str
    name: str
    dataset_id: str
    space_run_id: str | None
    split: str
    n_split: int  # images of the split, for "48 of 2,400"
    guideline: str
    seed: int
    strategy: str  # how the candidates were chosen
    budgets: dict[str, int]  # class -> images asked about
    overlap: int  # annotators an item is answered by
    options: dict[str, Any]
    deadline: datetime | None
    status: Literal["open", "closed"]
    created_by: str
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class Item:
    """One question."""

    id: int
    row: int  # of the image, in the table of the data set
    label: int
    position: int = 0  # order in which it is asked
    n_answers: int = 0  # annotators whose answer counts
    done: bool = False  # answered by as many as the overlap asks for
    gold: int | None = None  # the known answer, where there is one
    decision: int | None = None  # of the lead; counts instead of the annotators' answers


@dataclass(frozen=True)
class AnswerIn:
    """An answer as it arrives. ``id`` is random and made where the key was pressed: it may arrive twice."""

    id: str
    item_id: int
    value: int | None  # RIGHT, WRONG, UNSURE; None takes back the annotator's last answer to this item
    seen: Mapping[str, Any] = field(default_factory=dict)  # run, view, opacity, ...
    duration_ms: int = 0
    skip: bool = False  # given back unanswered (value is None): others may have it


@dataclass(frozen=True)
class Receipt:
    """What became of some answers."""

    ids: list[str]  # of those that are kept now: all that were given
    surplus: list[str]  # kept, but not counted: others had answered as often as the overlap asks
    lost: list[int]  # items that were taken back, but that others look at by now


@dataclass(frozen=True)
class Hold:
    """An item that someone looks at now."""

    item_id: int
    annotator: str
    until: datetime


def interleaved(rows: NDArray[np.int64], labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The rows (n,), shuffled, with the classes alternating as evenly as their sizes allow."""
    order = np.random.default_rng(seed).permutation(len(rows))
    place = np.empty(len(rows))
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return rows[np.lexsort((labels, place))]


def consensus(n_right: int, n_wrong: int) -> int:
    """What the annotators of one item say together: the majority of those who are sure; a tie is UNSURE."""
    if n_right == n_wrong:
        return UNSURE
    return RIGHT if n_right > n_wrong else WRONG


class Standing:
    """Folds answers in their order: each (row, annotator) has a stack, None takes off its top.

    A lead's decision about a row, while it stands, counts instead of all answers to it.
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
        """The decision that stands."""
        stack = self._decisions.get(row)
        return stack[-1] if stack else None

    def of_row(self, row: int) -> int | None:
        """The decision about a row, else the consensus of its answers; None where there is neither."""
        decided = self.decision(row)
        cast = [stack[-1] for stack in self._stacks.get(row, {}).values() if stack]
        if decided is not None or not cast:
            return decided
        return consensus(cast.count(RIGHT), cast.count(WRONG))

    def by_row(self) -> dict[int, int]:
        """Row -> what counts, for rows with an answer or a decision, ascending."""
        rows = sorted(self._stacks.keys() | self._decisions.keys())
        found = ((row, self.of_row(row)) for row in rows)
        return {row: value for row, value in found if value is not None}


def put(stack: list[T], value: T | None) -> None:
    """An answer onto the stack of those before it; None takes off its top."""
    if value is not None:
        stack.append(value)
    elif stack:
        stack.pop()


def arrays(by_row: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Rows (n,) and values (n,)."""
    return np.fromiter(by_row.keys(), np.int64, len(by_row)), np.fromiter(by_row.values(), np.int8, len(by_row))
