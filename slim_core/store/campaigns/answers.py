"""The answers of a campaign: checked, kept append-only, counted, and read back as they are now or were at any time.

Writes of one campaign are serialised (SQLite: one writer; PostgreSQL: a lock on the campaign's row), so that ``seq`` is
the order in which answers became visible and a snapshot up to a ``seq`` never changes.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.store import schema
from slim_core.store.campaigns import assignments
from slim_core.store.campaigns.campaigns import ITEM_COLUMNS, Campaign, Item, lock_campaign
from slim_core.store.campaigns.consensus import (
    DECISION,
    SKIP,
    AnnotationCost,
    Consensus,
    arrays,
    campaign_cost,
    check_value,
    current_by_row,
    folded,
    put,
)
from slim_core.store.database import Database, insert_or_replace, json_safe, new_id
from slim_core.store.events import Events

if TYPE_CHECKING:
    import pandas as pd

UNDER_WAY = timedelta(hours=1)  # how long after a deadline a browser may deliver what was answered before it
READ_AT_ONCE = 2_000  # rows of the audit in one transaction
_PER_READ = 200  # answers read at once when the last ones are searched for
_CHUNK = 5_000  # ids in one statement
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
        assignments.drop_leases(self._connection, values, self._annotator)
        skipped = {answer.item_id: answer.skip for answer in self._new}  # what was done last counts
        again = [each for each, value in values.items() if value is None and not skipped[each]]
        others = assignments.n_held(self._connection, again, now, self._annotator)
        mine_again = [each for each in again if counts[each] + others.get(each, 0) < overlap]
        assignments.keep_leases(self._connection, self._campaign_id, mine_again, self._annotator, session, now)
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


@dataclass(frozen=True)
class Receipt:
    """What became of some answers."""

    ids: list[str]  # of those that are kept now
    over_quota: list[str]  # kept, but not counted: others had answered as often as the overlap asks
    lost: list[int]  # items that were taken back, but that others look at by now
    unknown: list[str]  # not kept: the campaign does not ask about their items


@dataclass(frozen=True)
class CurrentAnswer:
    """An answer of an annotator that counts now."""

    item: Item
    value: int
    seq: int


class Answers:
    """The answers of all campaigns."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def save(
        self, campaign_id: str, annotator: str, answers: Sequence[AnswerIn], session: str = "", source: str = "page"
    ) -> Receipt:
        """Keep answers, all or none; one that was kept before is acknowledged again and changes nothing.

        An answer to an item that others have answered as often as the overlap asks (its lease had run out) is kept,
        marked as over the quota and not counted.

        Raises:
            NotFoundError: there is no such campaign.
            ForbiddenError: the campaign names its annotators, and this is none of them.
            AnswersRefusedError: an answer that nobody can have given (``check_answers``), or an item or id that is not
                this campaign's.
            CampaignClosedError: it is closed, or its deadline was longer ago than answers are under way.
        """
        check_answers(annotator, answers)
        with self._database.write() as connection:
            campaign, now = self._open_to(connection, campaign_id, annotator)
            return _save(connection, campaign, annotator, answers, session, source, now)

    def take_back(self, campaign_id: str, annotator: str, ids: Sequence[str], source: str = "page") -> int:
        """Take back the answers of these ids, as far as they count now: what was answered since stays.

        Returns how many.

        Raises:
            NotFoundError, ForbiddenError, CampaignClosedError: as ``save``.
        """
        with self._database.write() as connection:
            campaign, now = self._open_to(connection, campaign_id, annotator)
            parts = [ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK)]
            items = [item for part in parts for item in _counted_by(connection, campaign_id, annotator, part)]
            undone = [AnswerIn(new_id("a"), item, None) for item in items]
            _save(connection, campaign, annotator, undone, "", source, now)
        return len(items)

    def deliver(self, campaign_id: str, annotator: str, answers: Sequence[AnswerIn], session: str = "") -> Receipt:
        """Keep what an annotator's page sends, in one transaction: as ``save``, and all that became of it.

        An answer to an item that the campaign does not ask about holds up no other: the database is an older one, put
        back from a copy. An item whose answer is taken back is held by the session again.

        Raises:
            NotFoundError, ForbiddenError, CampaignClosedError: as ``save``.
            AnswersRefusedError: an answer that nobody can have given (``check_answers``), or an id of another campaign.
        """
        check_answers(annotator, answers)
        with self._database.write() as connection:
            campaign, now = self._open_to(connection, campaign_id, annotator)
            asked = _asked_about(connection, campaign_id, answers)
            known = [answer for answer in answers if answer.item_id in asked]
            receipt = _save(connection, campaign, annotator, known, session, "page", now)
        return replace(receipt, unknown=[answer.id for answer in answers if answer.item_id not in asked])

    def import_file(self, campaign_id: str, by: str, answers: Mapping[str, Sequence[AnswerIn]]) -> tuple[int, int]:
        """Keep a file's answers, by annotator: all of them or none. What was kept before is left as it is.

        Returns:
            (answers that are new, those of them over the quota: kept but not counted).

        Raises:
            AnswersRefusedError: as ``save``.
        """
        for annotator, given in answers.items():
            check_answers(annotator, given)
        with self._database.write() as connection:
            campaign = lock_campaign(connection, campaign_id)
            campaign.require_open()  # whatever its deadline: a lead brings what was answered elsewhere before it
            before, now = _counted(connection, campaign_id), self._database.now(connection)
            for annotator, given in answers.items():
                _save(connection, campaign, annotator, given, "", "file", now)
            after = _counted(connection, campaign_id)
            n_new, n_over_quota = after[0] - before[0], after[1] - before[1]
            details = {"new": n_new, "surplus": n_over_quota}
            self._events.note(connection, by, "campaign.answers_imported", campaign_id, details)
        return n_new, n_over_quota

    def current(self, campaign_id: str, annotator: str | None = None) -> dict[int, int]:
        """Row -> answer that counts now: of one annotator, or the consensus of all (majority; ties are unsure).

        Empty counts as wrong: ``votes`` and ``audit`` say which answers were that.

        A lead's decision counts instead of the consensus.
        """
        with self._database.read() as connection:
            return current_by_row(connection, campaign_id, annotator)

    def votes(self, campaign_id: str) -> list[tuple[int, str, int]]:
        """(item, annotator, answer that counts now), of everybody, in the order of the items."""
        query = sa.select(_current.c.item_id, _current.c.annotator, _current.c.value).join(_items)
        query = query.where(_current.c.campaign_id == campaign_id).order_by(_items.c.position, _current.c.annotator)
        with self._database.read() as connection:
            return [(item, who, int(value)) for item, who, value in connection.execute(query)]

    def latest(self, campaign_id: str, annotator: str, n: int, before: int | None = None) -> list[CurrentAnswer]:
        """The last ``n`` answers of an annotator that count now, newest first; ``before``: older than that seq."""
        found: dict[int, CurrentAnswer] = {}
        with self._database.read() as connection:
            while len(found) < n:
                query = sa.select(_answers.c.seq, _answers.c.item_id).where(
                    _answers.c.campaign_id == campaign_id, _answers.c.annotator == annotator
                )
                query = query.where(_answers.c.value.is_not(None), _answers.c.surplus.is_(sa.false()))
                if before is not None:
                    query = query.where(_answers.c.seq < before)
                rows = connection.execute(query.order_by(_answers.c.seq.desc()).limit(_PER_READ)).all()
                for each in _counting(connection, annotator, {row.item_id: row.seq for row in reversed(rows)}):
                    found.setdefault(each.item.id, each)
                if len(rows) < _PER_READ:
                    break
                before = rows[-1].seq
        return list(found.values())[:n]

    def last_seq(self, campaign_id: str) -> int:
        """Number of the newest answer; 0 where there is none."""
        with self._database.read() as connection:
            query = sa.select(sa.func.max(_answers.c.seq)).where(_answers.c.campaign_id == campaign_id)
            return connection.execute(query).scalar() or 0

    def count(self) -> int:
        """All that were ever saved, of every campaign."""
        with self._database.read() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(_answers)).scalar_one()

    def snapshot(self, campaign_id: str, seq: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Rows (n,) and consensus (n,) as they were after answer ``seq``; the same for ever."""
        with self._database.read() as connection:
            return arrays(folded(connection, campaign_id, seq).by_row())

    def cost(self, campaign_id: str) -> AnnotationCost:
        """What the answers of a campaign have cost people until now."""
        with self._database.read() as connection:
            return campaign_cost(connection, campaign_id)

    def frame(self, campaign_id: str) -> pd.DataFrame:
        """Every answer ever given, in order: seq, id, item_id, row, label, annotator, value, seen, ..."""
        import pandas as pd

        query = sa.select(_answers, _items.c.row, _items.c.label).join(_items, _items.c.id == _answers.c.item_id)
        query = query.where(_answers.c.campaign_id == campaign_id).order_by(_answers.c.seq)
        with self._database.read() as connection:
            result = connection.execute(query)
            names = list(result.keys())
            return pd.DataFrame([tuple(row) for row in result], columns=names).astype({"value": "Int8"})

    def audit(self, campaign_id: str, after: int = 0) -> Iterator[dict[str, Any]]:
        """Every row about the answers of a campaign behind a number, in order; read a few at a time.

        Keys: seq, id, item_id, row, label, gold, annotator, value, seen, duration_ms, source, surplus, created_at.
        """
        columns = [*_answers.c, _items.c.row, _items.c.label, _items.c.gold]
        query = sa.select(*columns).join(_items, _items.c.id == _answers.c.item_id)
        query = query.where(_answers.c.campaign_id == campaign_id).order_by(_answers.c.seq).limit(READ_AT_ONCE)
        while True:
            with self._database.read() as connection:
                rows = connection.execute(query.where(_answers.c.seq > after)).mappings().all()
            yield from (dict(row) for row in rows)
            if len(rows) < READ_AT_ONCE:
                return
            after = rows[-1]["seq"]

    def _open_to(self, connection: Connection, campaign_id: str, annotator: str) -> tuple[Campaign, datetime]:
        """The campaign, locked, which takes answers of this person now; and the moment that is."""
        campaign = lock_campaign(connection, campaign_id)
        campaign.require_annotator(annotator)
        now = self._database.now(connection)
        campaign.require_open(now - UNDER_WAY)
        return campaign, now


def _save(
    connection: Connection,
    campaign: Campaign,
    annotator: str,
    answers: Sequence[AnswerIn],
    session: str,
    source: str,
    now: datetime,
) -> Receipt:
    over_quota: list[str] = []
    lost: list[int] = []
    for start in range(0, len(answers), _CHUNK):
        batch = AnswerBatch(connection, campaign.id, annotator, answers[start : start + _CHUNK])
        over_quota += batch.save(campaign.overlap, source, now)
        lost += batch.settle(campaign.overlap, session, now)
    return Receipt([answer.id for answer in answers], over_quota, lost, [])


def _asked_about(connection: Connection, campaign_id: str, answers: Sequence[AnswerIn]) -> set[int]:
    """The items of these answers that the campaign asks about."""
    wanted = {answer.item_id for answer in answers}
    query = sa.select(_items.c.id).where(_items.c.campaign_id == campaign_id, _items.c.id.in_(wanted))
    return set(connection.execute(query).scalars())


def _counted_by(connection: Connection, campaign_id: str, annotator: str, ids: Sequence[str]) -> list[int]:
    """The items of which one of these answers of an annotator counts now."""
    theirs = (_answers.c.campaign_id == campaign_id, _answers.c.annotator == annotator)
    asked = sa.select(_answers.c.item_id).where(*theirs, _answers.c.id.in_(ids))
    query = sa.select(_answers.c.item_id, _answers.c.id, _answers.c.value)
    query = query.where(*theirs, _answers.c.item_id.in_(asked), is_counted_vote).order_by(_answers.c.seq)
    stacks, wanted = dict[int, list[str]](), set(ids)
    for item, answer_id, value in connection.execute(query):
        put(stacks.setdefault(item, []), None if value is None else answer_id)
    return [item for item, stack in stacks.items() if stack and stack[-1] in wanted]


def _counting(connection: Connection, annotator: str, seqs: dict[int, int]) -> list[CurrentAnswer]:
    """Those of the items (id -> seq of the newest answer) whose answer counts, newest first."""
    query = sa.select(*ITEM_COLUMNS, _current.c.value).join(_current, _current.c.item_id == _items.c.id)
    query = query.where(_current.c.annotator == annotator, _items.c.id.in_(list(seqs)))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    found = [CurrentAnswer(value=row.pop("value"), seq=seqs[row["id"]], item=Item(**row)) for row in rows]
    return sorted(found, key=lambda each: -each.seq)


def _counted(connection: Connection, campaign_id: str) -> tuple[int, int]:
    """(rows, those over the quota) among the answers of a campaign."""
    over_quota = sa.func.sum(sa.case((_answers.c.surplus, 1), else_=0))
    query = sa.select(sa.func.count(), over_quota).where(_answers.c.campaign_id == campaign_id)
    n, n_over_quota = connection.execute(query).one()
    return int(n), int(n_over_quota or 0)
