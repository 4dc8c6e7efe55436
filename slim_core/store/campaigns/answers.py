"""The answers of a campaign: kept append-only, counted, and read back as they are now or were at any time.

Writes of one campaign are serialised (SQLite: one writer; PostgreSQL: a lock on the campaign's row), so that ``seq`` is
the order in which answers became visible and a snapshot up to a ``seq`` never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.campaigns.annotation_cost import AnnotationCost, campaign_cost
from slim_core.store.campaigns.batch import AnswerBatch, AnswerIn, check_answers, is_counted_vote
from slim_core.store.campaigns.consensus import arrays, current_by_row, folded, put
from slim_core.store.campaigns.rows import ITEM_COLUMNS, Campaign, Item, lock_campaign
from slim_core.store.database import Database, new_id
from slim_core.store.events import Events

if TYPE_CHECKING:
    import pandas as pd

UNDER_WAY = timedelta(hours=1)  # how long after a deadline a browser may deliver what was answered before it
READ_AT_ONCE = 2_000  # rows of the audit in one transaction
_PER_READ = 200  # answers read at once when the last ones are searched for
_CHUNK = 5_000  # ids in one statement
_items, _answers, _current = schema.items, schema.answers, schema.current_answers


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
