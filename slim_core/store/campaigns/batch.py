"""Some answers of one annotator: how they arrive, what is refused, and what they change inside a transaction."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.store import schema
from slim_core.store.campaigns import leases
from slim_core.store.campaigns.consensus import DECISION, SKIP, Consensus
from slim_core.store.campaigns.values import check_value
from slim_core.store.database import insert_or_replace, json_safe

DAY_MS = 24 * 3_600_000
MOST = 2**53  # what a browser can count to
MAX_ID, MAX_SEEN, MAX_NAME = 80, 200, 200  # letters of an id, of a text in what was seen, of an annotator's name
SEEN_TEXTS = frozenset({"run", "view"})  # whose attention, and how it was drawn
SEEN_SWITCHES = frozenset({"beside", "grid", "file"})  # image and attention side by side, a page of images, from a file
SEEN_NUMBERS = frozenset({"opacity", "page", "of", "attention_precision"})  # page, of: answered by one click
SEEN = SEEN_TEXTS | SEEN_SWITCHES | SEEN_NUMBERS
_items, _answers, _current = schema.items, schema.answers, schema.current_answers
is_counted_vote = sa.and_(_answers.c.source.not_in((DECISION, SKIP)), _answers.c.surplus.is_(sa.false()))


@dataclass(frozen=True)
class AnswerIn:
    """An answer as it arrives. ``id`` is random and made where the key was pressed: it may arrive twice."""

    id: str
    item_id: int
    value: int | None  # one of VALUES; None takes back the annotator's last answer to this item
    seen: Mapping[str, Any] = field(default_factory=dict)  # run, view, opacity, ...
    duration_ms: int = 0
    skip: bool = False  # given back unanswered (value is None): others may have it


class AnswerBatch:
    """Some answers of one annotator inside a write transaction."""

    def __init__(self, connection: Connection, campaign_id: str, annotator: str, answers: Sequence[AnswerIn]) -> None:
        self._connection, self._campaign_id, self._annotator = connection, campaign_id, annotator
        self._new = self._not_kept_yet(answers)
        wanted = {answer.item_id for answer in self._new}
        found = connection.execute(
            sa.select(_items.c.id, _items.c.n_answers).where(
                _items.c.campaign_id == campaign_id, _items.c.id.in_(list(wanted))
            )
        )
        self._n_answers: dict[int, int] = {item_id: n for item_id, n in found}  # noqa: C416
        for missing in wanted - self._n_answers.keys():
            raise AnswersRefusedError(f"Item {missing} does not belong to the campaign {campaign_id}: reload the page.")
        self._votes, self._before = self._history()

    def save(self, overlap: int, source: str, now: datetime) -> list[str]:
        """Append the rows, and fold them; returns the ids of those over the quota: not counted."""
        rows = []
        for answer in self._new:
            key = (answer.item_id, self._annotator)
            full = self._votes.top(key) is None and self._n_others(answer.item_id) >= overlap
            over_quota = full and not answer.skip
            if not over_quota and not answer.skip:
                self._votes.push(key, answer.value)
            rows.append(
                {
                    "id": answer.id,
                    "campaign_id": self._campaign_id,
                    "item_id": answer.item_id,
                    "annotator": self._annotator,
                    "value": answer.value,
                    "seen": json_safe(answer.seen),
                    "duration_ms": kept_ms(answer.duration_ms),
                    "source": SKIP if answer.skip else source,
                    "surplus": over_quota,
                    "created_at": now,
                }
            )
        if rows:
            self._connection.execute(_answers.insert(), rows)
        return [str(row["id"]) for row in rows if row["surplus"]]

    def settle(self, overlap: int, session: str, now: datetime) -> list[int]:
        """Bring what is derived up to date: current answers, counts and leases.

        Returns:
            The items whose answer was taken back, but that others look at by now.
        """
        values = {each: self._votes.top((each, self._annotator)) for each in self._n_answers}
        given = [
            {"item_id": each, "annotator": self._annotator, "campaign_id": self._campaign_id, "value": value}
            for each, value in values.items()
            if value is not None
        ]
        taken_back = [each for each, value in values.items() if value is None and each in self._before]
        if taken_back:
            mine = (_current.c.item_id.in_(taken_back), _current.c.annotator == self._annotator)
            self._connection.execute(_current.delete().where(*mine))
        if given:
            self._connection.execute(insert_or_replace(self._connection, _current), given)
        counts = {each: self._n_others(each) + (value is not None) for each, value in values.items()}
        self._count(counts, overlap)
        leases.drop(self._connection, values, self._annotator)
        skipped = {answer.item_id: answer.skip for answer in self._new}  # what was done last counts
        again = [each for each, value in values.items() if value is None and not skipped[each]]
        others = leases.n_held(self._connection, again, now, self._annotator)
        mine_again = [each for each in again if counts[each] + others.get(each, 0) < overlap]
        leases.keep(self._connection, self._campaign_id, mine_again, self._annotator, session, now)
        return [each for each in again if each not in mine_again]

    def _count(self, counts: dict[int, int], overlap: int) -> None:
        if counts:
            update = _items.update().where(_items.c.id == sa.bindparam("item"))
            update = update.values(n_answers=sa.bindparam("n"), done=sa.bindparam("full"))
            self._connection.execute(update, [{"item": i, "n": n, "full": n >= overlap} for i, n in counts.items()])

    def _n_others(self, item_id: int) -> int:
        return self._n_answers[item_id] - (item_id in self._before)

    def _not_kept_yet(self, answers: Sequence[AnswerIn]) -> list[AnswerIn]:
        query = sa.select(_answers.c.id, _answers.c.campaign_id, _answers.c.annotator)
        used = query.where(_answers.c.id.in_([a.id for a in answers]))
        known = {row.id: row for row in self._connection.execute(used)}
        for row in known.values():
            if (row.campaign_id, row.annotator) != (self._campaign_id, self._annotator):
                raise AnswersRefusedError(f"The answer id {row.id} was used for another answer: reload the page.")
        return list({answer.id: answer for answer in answers if answer.id not in known}.values())

    def _history(self) -> tuple[Consensus, set[int]]:
        """The annotator's counted answers to these items so far, and the items that have one now."""
        query = sa.select(_answers.c.item_id, _answers.c.value).where(
            _answers.c.item_id.in_(list(self._n_answers)),
            _answers.c.annotator == self._annotator,
            is_counted_vote,
        )
        votes = Consensus()
        for item_id, value in self._connection.execute(query.order_by(_answers.c.seq)):
            votes.push((item_id, self._annotator), value)
        return votes, {each for each in self._n_answers if votes.top((each, self._annotator)) is not None}


def kept_ms(duration_ms: int) -> int:
    """A duration as it is kept, a day at most: a clock may say anything, and a page may stay open for weeks."""
    return min(max(int(duration_ms), 0), DAY_MS)


def check_answers(annotator: str, answers: Sequence[AnswerIn]) -> None:
    """Refuse answers that nobody can have given, wherever they come from: what a page sends may be anything.

    Raises:
        AnswersRefusedError: the annotator has no name, a value is none of VALUES and not None, an id, an item or a
            duration is not one, or what was seen is nothing that a page sends.
    """
    if not annotator.strip() or len(annotator) > MAX_NAME or not annotator.isprintable():
        raise AnswersRefusedError(f"{annotator!r} is not a valid annotator name: give 1 to {MAX_NAME} characters.")
    for answer in answers:
        _check_answer(answer)


def _check_answer(answer: AnswerIn) -> None:
    if not _is_text(answer.id, MAX_ID) or not answer.id:
        raise AnswersRefusedError(f"An answer needs an id of its own, of 1 to {MAX_ID} characters: reload the page.")
    if answer.value is not None:
        check_value(answer.value)
    if answer.skip and answer.value is not None:
        raise AnswersRefusedError(f"A skipped image has no answer, but {answer.value!r} came with it: reload the page.")
    item: object = answer.item_id
    if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < 2**31:
        raise AnswersRefusedError(f"{reprlib.repr(item)} is not an item number: reload the page.")
    if not _is_number(answer.duration_ms):
        quoted = reprlib.repr(answer.duration_ms)
        raise AnswersRefusedError(f"{quoted} is not a duration in milliseconds: reload the page.")
    _check_seen(answer.seen)


def _check_seen(seen: object) -> None:
    """Refuse what no page of ours sends, so that every export can write it; each name may hold None."""
    if not isinstance(seen, Mapping):
        raise AnswersRefusedError(f"What was seen is an object, not {reprlib.repr(seen)}: reload the page.")
    for name, value in seen.items():
        if name not in SEEN:
            known = ", ".join(sorted(SEEN))
            raise AnswersRefusedError(f"What was seen has no name {reprlib.repr(name)}, only {known}: reload the page.")
        if value is not None and not _is_seen(name, value):
            quoted = reprlib.repr(value)
            raise AnswersRefusedError(f"{quoted} is not a value of {name} in what was seen: reload the page.")


def _is_seen(name: str, value: object) -> bool:
    if name in SEEN_TEXTS:
        return _is_text(value, MAX_SEEN)
    return isinstance(value, bool) if name in SEEN_SWITCHES else _is_number(value)


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST  # NaN is not
