"""The values an answer can have, and what the answers to an image add up to.

Each annotator's last answer counts, then the majority of them, or a lead's decision. This is the one list of answers:
files, pages, the terminal and the browser take theirs from it.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.store import schema

RIGHT, WRONG, UNSURE, EMPTY = 1, 0, -1, 2
WORDS = {RIGHT: "right", WRONG: "wrong", EMPTY: "empty", UNSURE: "unsure"}  # in the order in which they are offered
KEYS = {RIGHT: "1", WRONG: "0", EMPTY: "e", UNSURE: "u"}
VALUES = tuple(WORDS)
NAMED = {word: value for value, word in WORDS.items()}
WRITTEN = {**NAMED, **{key: value for value, key in KEYS.items()}, **{str(value): value for value in VALUES}}
LISTED = ", ".join(f"{value} or {word}" for value, word in WORDS.items())  # for messages

# What answers add up to, and all that is computed from them: an empty map is a wrong one.
COUNTED = (RIGHT, WRONG, UNSURE)
COUNTED_AS_WRONG = (WRONG, EMPTY)

FROM_MASKS = "masks"  # the source of what the simulated annotator answers, which is no person's work
DECISION, SKIP = "decision", "skip"  # sources of rows among the answers that are no annotator's vote
_answers, _items, _current = schema.answers, schema.items, schema.current_answers
T = TypeVar("T")


def counts_as(value: int) -> int:
    """What an answer counts as, one of COUNTED: empty counts as wrong."""
    return WRONG if value in COUNTED_AS_WRONG else value


def check_value(value: object) -> None:
    """Refuse what is none of VALUES; 1.0 and True are none, however equal.

    Raises:
        AnswersRefusedError: it is none.
    """
    if isinstance(value, bool | float) or value not in VALUES:
        raise AnswersRefusedError(f"{reprlib.repr(value)} is not an answer: give {LISTED}, or null to undo.")


def value_of(text: object) -> int:
    """The answer that a word, a key or a number stands for.

    Raises:
        AnswersRefusedError: it is none of the words.
    """
    word = str(text).strip().lower().removesuffix(".0")
    if word not in WRITTEN:
        raise AnswersRefusedError(f"{text!r} is not an answer: write {LISTED}.")
    return WRITTEN[word]


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


class EarlierAnswers:
    """The answers to the images of a campaign so far: what is given again changes nothing, and what is new, counts."""

    def __init__(self, campaign_id: str, audit: Iterable[Mapping[str, Any]]) -> None:
        """``audit``: of Answers.audit."""
        self._campaign_id = campaign_id
        self._n: Counter[tuple[str, int]] = Counter()  # rows of (annotator, image)
        self._stacks: dict[tuple[str, int], list[tuple[int, str]]] = {}  # and their (value, id), undone ones taken off
        for each in audit:
            if each["source"] not in (DECISION, SKIP):
                key, value = (each["annotator"], each["row"]), each["value"]
                self._n[key] += 1
                put(self._stacks.setdefault(key, []), None if value is None else (value, each["id"]))

    def id_of(self, annotator: str, row: int, value: int) -> str:
        """The id of the current answer, where it says the same; else that of the change it would be."""
        stack = self._stacks.get((annotator, row))
        if stack and stack[-1][0] == value:
            return stack[-1][1]
        change = [self._campaign_id, row, annotator, value, self._n[annotator, row]]
        return "f-" + hashlib.sha256(json.dumps(change).encode()).hexdigest()[:40]
