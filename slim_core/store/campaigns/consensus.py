"""The values an answer can have, what the answers to an image add up to, and what they have cost people.

Each annotator's last answer counts, then the majority of them, or a lead's decision. This is the one list of answers:
files, pages, the terminal and the browser take theirs from it.
"""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.formatting import counted, percent, rounded
from slim_core.store import schema

RIGHT, WRONG, UNSURE, EMPTY, PARTLY = 1, 0, -1, 2, 3
WORDS = {  # in the order in which they are offered
    RIGHT: "right", WRONG: "wrong", PARTLY: "partly", EMPTY: "empty", UNSURE: "unsure",
}  # fmt: skip
KEYS = {RIGHT: "1", WRONG: "0", PARTLY: "p", EMPTY: "e", UNSURE: "u"}
VALUES = tuple(WORDS)
NAMED = {word: value for value, word in WORDS.items()}
WRITTEN = {**NAMED, **{key: value for value, key in KEYS.items()}, **{str(value): value for value in VALUES}}
LISTED = ", ".join(f"{value} or {word}" for value, word in WORDS.items())  # for messages

# What answers add up to, and all that is computed from them: an empty map is a wrong one; attention that is partly on
# the object is neither right nor wrong.
COUNTED = (RIGHT, WRONG, UNSURE)
COUNTED_AS_WRONG = (WRONG, EMPTY)

FROM_MASKS = "masks"  # the source of what the simulated annotator answers, which is no person's work
DECISION, SKIP = "decision", "skip"  # sources of rows among the answers that are no annotator's vote
IDLE_MS = 60_000  # longer pauses than this do not count as work
_answers, _items, _current, _campaigns = schema.answers, schema.items, schema.current_answers, schema.campaigns
T = TypeVar("T")


def counts_as(value: int, *, is_absence: bool = False) -> int:
    """What an answer counts as, one of COUNTED: empty as wrong, partly as neither right nor wrong.

    ``is_absence``: about an image whose class is the absence of something, where wrong is neither, too.
    """
    wrong = UNSURE if is_absence else WRONG
    return wrong if value in COUNTED_AS_WRONG else RIGHT if value == RIGHT else UNSURE


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
        self.absences: set[int] = set()  # rows of classes that are the absence of something

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
        decided, is_absence = self.decision(row), row in self.absences
        cast = [counts_as(stack[-1], is_absence=is_absence) for stack in self._stacks.get(row, {}).values() if stack]
        if decided is not None:
            return counts_as(decided, is_absence=is_absence)
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
    query = sa.select(_items.c.row, _items.c.label, _answers.c.annotator, _answers.c.value, _answers.c.source)
    query = query.join(_items)
    query = query.where(
        _answers.c.campaign_id == campaign_id, _answers.c.seq <= seq, _answers.c.surplus.is_(sa.false())
    )
    found, absent = Consensus(), _absent(connection, campaign_id)
    for row, label, annotator, value, source in connection.execute(
        query.where(_answers.c.source != SKIP).order_by(_answers.c.seq)
    ):
        if label in absent:
            found.absences.add(row)
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
    absent = _absent(connection, campaign_id)
    is_wrong = sa.and_(_current.c.value.in_(COUNTED_AS_WRONG), _items.c.label.not_in(absent))
    n_right, n_wrong = (sa.func.sum(sa.case((each, 1), else_=0)) for each in (_current.c.value == RIGHT, is_wrong))
    query = sa.select(_items.c.row, n_right, n_wrong).join(_current, _current.c.item_id == _items.c.id)
    query = query.where(_current.c.campaign_id == campaign_id).group_by(_items.c.row)
    if annotator is not None:
        query = query.where(_current.c.annotator == annotator)
    found = {row: majority(int(right), int(wrong)) for row, right, wrong in connection.execute(query)}
    if annotator is None:
        found |= _decisions(connection, campaign_id, absent)
    return dict(sorted(found.items()))


def _absent(connection: Connection, campaign_id: str) -> frozenset[int]:
    """The classes of a campaign that are the absence of something."""
    options = connection.execute(sa.select(_campaigns.c.options).where(_campaigns.c.id == campaign_id)).scalar()
    return frozenset((options or {}).get("absent", ()))


def _decisions(connection: Connection, campaign_id: str, absent: frozenset[int]) -> dict[int, int]:
    """Row -> what the lead decided, as what it counts."""
    query = sa.select(_items.c.row, _items.c.label, _items.c.decision)
    query = query.where(_items.c.campaign_id == campaign_id, _items.c.decision.is_not(None))
    return {row: counts_as(int(value), is_absence=label in absent) for row, label, value in connection.execute(query)}


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


def work_sums() -> sa.Select[Any]:
    """The query of what answering took: answers given, of them simulated, and people's milliseconds.

    What was undone or skipped took its time too. A lead's decisions are not annotation.
    """
    source, spent = _answers.c.source, _answers.c.duration_ms
    given = sa.case((_answers.c.value.is_not(None) & (source != SKIP), 1), else_=0)
    simulated = sa.case((source == FROM_MASKS, 1), else_=0)
    worked_ms = sa.case((source == FROM_MASKS, 0), (spent > IDLE_MS, IDLE_MS), else_=spent)
    return sa.select(*map(sa.func.sum, (given, simulated, worked_ms))).where(source != DECISION)


@dataclass(frozen=True)
class AnnotationCost:
    """What counts, as it is now or was after some answer; and what was given for it, taken back or not."""

    images: int = 0  # with an answer or a decision that counts
    n_split: int = 0  # images of the split that is asked about, or of all of them
    votes: int = 0  # annotators' answers about images
    decisions: int = 0  # a lead's, about images
    people: int = 0  # answers given by people, those that were taken back too
    simulated: int = 0
    minutes: float = 0.0  # of people, pauses over a minute cut (METHOD section 2); NaN where no answer has a time
    split: str = ""  # that is asked about, by one campaign

    @property
    def share(self) -> float:
        """The images as a share of the split, 0..1; 0 where nobody was asked."""
        return self.images / self.n_split if self.n_split else 0.0

    @property
    def by(self) -> str | None:
        """Whose answers they are, in words; None where there are none."""
        named = {"people": self.people, "simulated annotator": self.simulated}
        return " and ".join(name for name, n in named.items() if n) or None

    def in_words(self) -> str:
        """ "18 images (3.0 %), 36 votes, 3 decisions, 1.2 min"; "no answers"."""
        share = f" ({percent(self.images / self.n_split)})" if self.n_split else ""
        whose = f" of {self.by}".replace("simulated", "the simulated") if self.simulated else ""
        parts = (
            [f"{counted(self.images, 'image')}{share}", f"{counted(self.votes, 'vote')}{whose}"] if self.images else []
        )
        parts += [counted(self.decisions, "decision")] if self.decisions else []
        parts += [f"{rounded(self.minutes)} min"] if parts and self.people and not math.isnan(self.minutes) else []
        return ", ".join(parts) or "no answers"


def total_cost(each: Iterable[AnnotationCost]) -> AnnotationCost:
    """That of several campaigns of one data set as one; an image of two campaigns was asked about twice."""
    known = list(each)
    names = ("images", "votes", "decisions", "people", "simulated")
    totals = {name: sum(getattr(one, name) for one in known) for name in names}
    worked = sum(one.minutes for one in known if not math.isnan(one.minutes))
    n_split = sum({one.split: one.n_split for one in known if one.images}.values())
    minutes = _minutes(worked, totals["people"] + totals["simulated"])
    return AnnotationCost(**totals, n_split=n_split, minutes=minutes)


def campaign_cost(connection: Connection, campaign_id: str, answers_seq: int | None = None) -> AnnotationCost:
    """That of one campaign: now, or up to these answers."""
    if answers_seq is None:
        images, votes, decisions = _counts_now(connection, campaign_id)
    else:
        images, votes, decisions = folded(connection, campaign_id, answers_seq).tally()
    work = work_sums().where(_answers.c.campaign_id == campaign_id)
    row = connection.execute(work if answers_seq is None else work.where(_answers.c.seq <= answers_seq)).one()
    given, simulated, worked_ms = (int(value or 0) for value in row)
    about = sa.select(_campaigns.c.split, _campaigns.c.n_split).where(_campaigns.c.id == campaign_id)
    found = connection.execute(about).one_or_none()
    split, n_split = found or ("", 0)
    people = given - simulated
    return AnnotationCost(
        images=images,
        n_split=n_split,
        votes=votes,
        decisions=decisions,
        people=people,
        simulated=simulated,
        minutes=_minutes(worked_ms / 60_000, given),
        split=split,
    )


def _minutes(worked: float, given: int) -> float:
    """NaN where answers were given and none has a time: simulated ones, and those of a file or a whole selection."""
    return math.nan if given and not worked else worked


def _counts_now(connection: Connection, campaign_id: str) -> tuple[int, int, int]:
    """Images, votes and decisions, without reading every answer."""
    votes = sa.select(sa.func.count()).where(_current.c.campaign_id == campaign_id)
    decided = sa.select(sa.func.count()).where(_items.c.campaign_id == campaign_id, _items.c.decision.is_not(None))
    n_votes, n_decided = (connection.execute(query).scalar_one() for query in (votes, decided))
    return len(current_by_row(connection, campaign_id)), n_votes, n_decided
