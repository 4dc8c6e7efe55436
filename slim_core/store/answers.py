"""The answers of a campaign: asked under leases, kept append-only, counted.

Writes of one campaign are serialised (SQLite: one writer; PostgreSQL: a lock on the campaign's row), so that ``seq`` is
the order in which answers became visible and a snapshot up to a ``seq`` never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.store import leases, schema
from slim_core.store.assignments import Asking
from slim_core.store.consensus import DECISION, SKIP, AnswerIn, Receipt, Standing, arrays, consensus
from slim_core.store.database import plain

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 5000  # ids in one statement
_DAY_MS = 24 * 3_600_000
_items, _leases, _answers, _current = schema.items, schema.leases, schema.answers, schema.current_answers
_t = schema.campaigns
_is_vote = _answers.c.source.not_in((DECISION, SKIP))


class Answers(Asking):
    """What annotators do with a campaign. The base of Campaigns."""

    def save_answers(
        self, campaign_id: str, annotator: str, answers: Sequence[AnswerIn], session: str = "", source: str = "page"
    ) -> list[str]:
        """Keep answers, all or none; one that was kept before is acknowledged again and changes nothing.

        An answer to an item that others have answered as often as the overlap asks (its lease had run out) is kept,
        marked as surplus and not counted.

        Returns:
            The ids that are now kept: all that were given.

        Raises:
            AnswersRefusedError: a value is not 1, 0, -1 or None, an item or id is not this campaign's, or it is closed.
        """
        return self.deliver(campaign_id, annotator, answers, session, source).ids

    def deliver(
        self, campaign_id: str, annotator: str, answers: Sequence[AnswerIn], session: str = "", source: str = "page"
    ) -> Receipt:
        """``save_answers``, telling all that became of them. An item taken back is held by the session again.

        Raises:
            AnswersRefusedError: as save_answers.
        """
        check_answers(annotator, answers)
        surplus: list[str] = []
        lost: list[int] = []
        with self._database.write() as connection:
            overlap = self._open(connection, campaign_id, None)["overlap"]
            now = self._database.now(connection)
            for start in range(0, len(answers), _CHUNK):
                batch = Batch(connection, campaign_id, annotator, answers[start : start + _CHUNK])
                surplus += batch.save(overlap, source, now)
                lost += batch.settle(overlap, session, now)
        return Receipt([answer.id for answer in answers], surplus, lost)

    def current(self, campaign_id: str, annotator: str | None = None) -> dict[int, int]:
        """Row -> answer that counts now: of one annotator, or the consensus of all (majority; ties are unsure).

        A lead's decision counts instead of the consensus.
        """
        n_right, n_wrong = (sa.func.sum(sa.case((_current.c.value == value, 1), else_=0)) for value in (1, 0))
        query = sa.select(_items.c.row, n_right, n_wrong).join(_current, _current.c.item_id == _items.c.id)
        query = query.where(_current.c.campaign_id == campaign_id).group_by(_items.c.row).order_by(_items.c.row)
        if annotator is not None:
            query = query.where(_current.c.annotator == annotator)
        with self._database.read() as connection:
            found = {row: consensus(int(right), int(wrong)) for row, right, wrong in connection.execute(query)}
            if annotator is None:
                found |= self._decisions(connection, campaign_id)
        return dict(sorted(found.items()))

    def _decisions(self, connection: Connection, campaign_id: str) -> dict[int, int]:
        """Row -> what the lead decided."""
        query = sa.select(_items.c.row, _items.c.decision)
        query = query.where(_items.c.campaign_id == campaign_id, _items.c.decision.is_not(None))
        return {row: int(value) for row, value in connection.execute(query)}

    def last_seq(self, campaign_id: str) -> int:
        """Number of the newest answer; 0 where there is none."""
        with self._database.read() as connection:
            query = sa.select(sa.func.max(_answers.c.seq)).where(_answers.c.campaign_id == campaign_id)
            return connection.execute(query).scalar() or 0

    def snapshot(self, campaign_id: str, seq: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Rows (n,) and consensus (n,) as they stood after answer ``seq``; the same for ever."""
        counted = _answers.c.surplus.is_(sa.false())
        query = sa.select(_items.c.row, _answers.c.annotator, _answers.c.value, _answers.c.source).join(_items)
        query = query.where(_answers.c.campaign_id == campaign_id, _answers.c.seq <= seq, counted)
        query = query.where(_answers.c.source != SKIP)
        standing = Standing()
        with self._database.read() as connection:
            for row, annotator, value, source in connection.execute(query.order_by(_answers.c.seq)):
                if source == DECISION:
                    standing.decide(row, value)
                else:
                    standing.push((row, annotator), value)
        return arrays(standing.by_row())

    def answers(self, campaign_id: str) -> pd.DataFrame:
        """Every answer ever given, in order: seq, id, item_id, row, label, annotator, value, seen, ..."""
        import pandas as pd

        query = sa.select(_answers, _items.c.row, _items.c.label).join(_items, _items.c.id == _answers.c.item_id)
        query = query.where(_answers.c.campaign_id == campaign_id).order_by(_answers.c.seq)
        with self._database.read() as connection:
            result = connection.execute(query)
            names = list(result.keys())
            return pd.DataFrame([tuple(row) for row in result], columns=names).astype({"value": "Int8"})


class Batch:
    """Some answers of one annotator inside a write transaction."""

    def __init__(self, connection: Connection, campaign_id: str, annotator: str, answers: Sequence[AnswerIn]) -> None:
        self._connection, self._campaign_id, self._annotator = connection, campaign_id, annotator
        self._new = self._unknown(answers)
        wanted = {answer.item_id for answer in self._new}
        found = connection.execute(
            sa.select(_items.c.id, _items.c.n_answers).where(
                _items.c.campaign_id == campaign_id, _items.c.id.in_(list(wanted))
            )
        )
        self._n_answers: dict[int, int] = {item_id: n for item_id, n in found}  # noqa: C416
        for missing in wanted - self._n_answers.keys():
            raise AnswersRefusedError(f"Item {missing} does not belong to the campaign {campaign_id}: reload the page.")
        self._standing, self._before = self._history()

    def save(self, overlap: int, source: str, now: datetime) -> list[str]:
        """Append the rows, and fold them; returns the ids of those that are surplus."""
        rows = []
        for answer in self._new:
            key = (answer.item_id, self._annotator)
            full = self._standing.top(key) is None and self._n_others(answer.item_id) >= overlap
            surplus = full and not answer.skip
            if not surplus and not answer.skip:
                self._standing.push(key, answer.value)
            rows.append(
                {
                    "id": answer.id,
                    "campaign_id": self._campaign_id,
                    "item_id": answer.item_id,
                    "annotator": self._annotator,
                    "value": answer.value,
                    "seen": plain(answer.seen),
                    "duration_ms": min(max(int(answer.duration_ms), 0), _DAY_MS),  # a clock may say anything
                    "source": SKIP if answer.skip else source,
                    "surplus": surplus,
                    "created_at": now,
                }
            )
        if rows:
            self._connection.execute(_answers.insert(), rows)
        return [str(row["id"]) for row in rows if row["surplus"]]

    def settle(self, overlap: int, session: str, now: datetime) -> list[int]:
        """Bring what is derived up to date: current answers, counts and leases; returns the items that are lost."""
        values = {each: self._standing.top((each, self._annotator)) for each in self._n_answers}
        given = [
            {"item_id": each, "annotator": self._annotator, "campaign_id": self._campaign_id, "value": value}
            for each, value in values.items()
            if value is not None
        ]
        mine = (_current.c.item_id.in_(list(values)), _current.c.annotator == self._annotator)
        self._connection.execute(_current.delete().where(*mine))
        if given:
            self._connection.execute(_current.insert(), given)
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

    def _unknown(self, answers: Sequence[AnswerIn]) -> list[AnswerIn]:
        query = sa.select(_answers.c.id, _answers.c.campaign_id, _answers.c.annotator)
        known = {
            row.id: row for row in self._connection.execute(query.where(_answers.c.id.in_([a.id for a in answers])))
        }
        for row in known.values():
            if (row.campaign_id, row.annotator) != (self._campaign_id, self._annotator):
                raise AnswersRefusedError(f"The answer id {row.id} was used for another answer: reload the page.")
        return list({answer.id: answer for answer in answers if answer.id not in known}.values())

    def _history(self) -> tuple[Standing, set[int]]:
        """The annotator's counted answers to these items so far, and the items that have one standing."""
        query = sa.select(_answers.c.item_id, _answers.c.value).where(
            _answers.c.item_id.in_(list(self._n_answers)),
            _answers.c.annotator == self._annotator,
            _answers.c.surplus.is_(sa.false()),
            _is_vote,
        )
        standing = Standing()
        for item_id, value in self._connection.execute(query.order_by(_answers.c.seq)):
            standing.push((item_id, self._annotator), value)
        return standing, {each for each in self._n_answers if standing.top((each, self._annotator)) is not None}


def check_answers(annotator: str, answers: Sequence[AnswerIn]) -> None:
    if not annotator.strip() or len(annotator) > 200 or not annotator.isprintable():
        raise AnswersRefusedError(f"{annotator!r} is not a name of an annotator: give one of 1 to 200 letters.")
    for answer in answers:
        value: object = answer.value
        if value is not None and (isinstance(value, bool) or value not in (1, 0, -1)):
            raise AnswersRefusedError(f"{value!r} is no answer: 1 is right, 0 wrong, -1 unsure, null takes back.")
        if answer.skip and value is not None:
            raise AnswersRefusedError(f"A skipped image has no answer, but {value!r} came with it: reload the page.")
        if not answer.id or len(answer.id) > 80 or not answer.id.isprintable():
            raise AnswersRefusedError("An answer needs an id of 1 to 80 letters of its own: reload the page.")
        item: object = answer.item_id
        if isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < 2**31:
            raise AnswersRefusedError(f"{answer.item_id!r} is not the number of an item: reload the page.")
