"""What a lead does with the answers of a campaign: decides, sets known answers, takes in whole files, reads them all.

A decision is a column of the item, which counts, and a row among the answers, which says who, when and what they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError, NotFoundError
from slim_core.store import schema
from slim_core.store.answers import Answers, Batch, check_answers
from slim_core.store.consensus import DECISION, RIGHT, UNSURE, WRONG, AnswerIn
from slim_core.store.database import plain

READ_AT_ONCE = 2_000  # rows of the audit in one transaction
_BATCH = 5_000
_items, _answers, _t = schema.items, schema.answers, schema.campaigns


class Decisions(Answers):
    """The lead's part. The base of Campaigns."""

    def decide(self, campaign_id: str, by: str, decision: AnswerIn) -> int | None:
        """Say what counts for an item, whatever the annotators said; its value None takes back the last decision.

        A closed campaign can be decided about too. One that arrives twice is kept once.

        Returns:
            The decision that stands now; None: the answers count.

        Raises:
            AnswersRefusedError: a value other than 1, 0, -1 and None, an item of another campaign, an id of another
                answer.
            NotFoundError: there is no such campaign.
        """
        check_answers(by, [decision])
        with self._database.write() as connection:
            self._locked(connection, campaign_id)
            item = sa.select(_items.c.row).where(_items.c.id == decision.item_id, _items.c.campaign_id == campaign_id)
            if connection.execute(item).first() is None:
                raise AnswersRefusedError(f"Item {decision.item_id} does not belong to the campaign {campaign_id}.")
            if self._is_new(connection, campaign_id, by, decision):
                row = {"id": decision.id, "campaign_id": campaign_id, "item_id": decision.item_id, "annotator": by}
                row |= {"value": decision.value, "seen": plain(decision.seen), "duration_ms": decision.duration_ms}
                row |= {"source": DECISION, "surplus": False, "created_at": self._database.now(connection)}
                connection.execute(_answers.insert().values(**row))
            stands = self._stands(connection, decision.item_id)
            connection.execute(_items.update().where(_items.c.id == decision.item_id).values(decision=stands))
        return stands

    def set_gold(self, campaign_id: str, known: Mapping[int, int | None], by: str) -> None:
        """Set the known answer of items (by item id); None: it has none any more.

        Raises:
            AnswersRefusedError: a value other than 1, 0, -1 and None, or an item of another campaign.
        """
        strange = [value for value in known.values() if value not in (RIGHT, WRONG, UNSURE, None)]
        if strange:
            raise AnswersRefusedError(f"{strange[0]!r} is no answer: 1 is right, 0 wrong, -1 unsure, null none.")
        with self._database.write() as connection:
            self._locked(connection, campaign_id)
            for item_id, value in known.items():
                mine = (_items.c.id == item_id, _items.c.campaign_id == campaign_id)
                if not connection.execute(_items.update().where(*mine).values(gold=value)).rowcount:
                    raise AnswersRefusedError(f"Item {item_id} does not belong to the campaign {campaign_id}.")
            self._events.note(connection, by, "campaign.gold", campaign_id, {"items": len(known)})

    def take_in(self, campaign_id: str, by: str, answers: Mapping[str, Sequence[AnswerIn]]) -> tuple[int, int]:
        """Keep a file's answers, by annotator: all of them or none. What was kept before is left as it is.

        Returns:
            (answers that are new, those of them that are surplus: beyond the overlap, kept but not counted).

        Raises:
            AnswersRefusedError: as ``save_answers``.
        """
        for annotator, given in answers.items():
            check_answers(annotator, given)
        with self._database.write() as connection:
            overlap = self._open(connection, campaign_id, None)["overlap"]
            now, before = self._database.now(connection), self._counted(connection, campaign_id)
            for annotator, given in answers.items():
                for start in range(0, len(given), _BATCH):
                    batch = Batch(connection, campaign_id, annotator, given[start : start + _BATCH])
                    batch.save(overlap, "file", now)
                    batch.settle(overlap, "", now)
            after = self._counted(connection, campaign_id)
            n_new, n_surplus = after[0] - before[0], after[1] - before[1]
            details = {"new": n_new, "surplus": n_surplus}
            self._events.note(connection, by, "campaign.answers_imported", campaign_id, details)
        return n_new, n_surplus

    def standing_answers(self, campaign_id: str) -> list[tuple[int, str, int]]:
        """(item, annotator, answer that counts now), of everybody, in the order of the items."""
        current = schema.current_answers
        query = sa.select(current.c.item_id, current.c.annotator, current.c.value).join(_items)
        query = query.where(current.c.campaign_id == campaign_id).order_by(_items.c.position, current.c.annotator)
        with self._database.read() as connection:
            return [(item, who, int(value)) for item, who, value in connection.execute(query)]

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

    def _locked(self, connection: Connection, campaign_id: str) -> None:
        """Writes of one campaign wait for each other, so that ``seq`` is the order in which they became visible."""
        if connection.execute(sa.select(_t.c.id).where(_t.c.id == campaign_id).with_for_update()).first() is None:
            raise NotFoundError(f"There is no campaign {campaign_id}: choose one of the Annotate page.")

    def _is_new(self, connection: Connection, campaign_id: str, by: str, decision: AnswerIn) -> bool:
        query = sa.select(_answers.c.campaign_id, _answers.c.item_id, _answers.c.annotator, _answers.c.source)
        known = connection.execute(query.where(_answers.c.id == decision.id)).first()
        if known is not None and tuple(known) != (campaign_id, decision.item_id, by, DECISION):
            raise AnswersRefusedError(f"The answer id {decision.id} was used for another answer: reload the page.")
        return known is None

    def _stands(self, connection: Connection, item_id: int) -> int | None:
        query = sa.select(_answers.c.value).where(_answers.c.item_id == item_id, _answers.c.source == DECISION)
        stack: list[int] = []
        for value in connection.execute(query.order_by(_answers.c.seq)).scalars():
            if value is not None:
                stack.append(value)
            elif stack:
                stack.pop()
        return stack[-1] if stack else None

    def _counted(self, connection: Connection, campaign_id: str) -> tuple[int, int]:
        """(rows, surplus rows) among the answers of a campaign."""
        surplus = sa.func.sum(sa.case((_answers.c.surplus, 1), else_=0))
        query = sa.select(sa.func.count(), surplus).where(_answers.c.campaign_id == campaign_id)
        n, n_surplus = connection.execute(query).one()
        return int(n), int(n_surplus or 0)
