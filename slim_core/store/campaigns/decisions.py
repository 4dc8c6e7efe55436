"""What a lead says of items: a decision, which counts instead of the answers, and known answers.

A decision is a column of the item, which counts, and a row among the answers, which says who, when and what they saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.errors import AnswersRefusedError
from slim_core.store import schema
from slim_core.store.campaigns.answers import AnswerIn, check_answers, kept_ms
from slim_core.store.campaigns.campaigns import lock_campaign
from slim_core.store.campaigns.consensus import DECISION, WORDS, check_value, put
from slim_core.store.database import Database, json_safe
from slim_core.store.events import Events

_items, _answers = schema.items, schema.answers


@dataclass(frozen=True)
class Decision:
    """What counts for an item, and which lead says so."""

    item_id: int
    by: str
    value: int  # one of VALUES


class Decisions:
    """The lead's part in a campaign."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database, self._events = database, events

    def decide(self, campaign_id: str, by: str, decision: AnswerIn, of: str | None = None) -> int | None:
        """Say what counts for an item, whatever the annotators said; its value None takes back the last decision.

        A closed campaign can be decided about too. One that arrives twice is kept once. Of two who decide at once, the
        first has decided.

        Args:
            campaign_id: whose item it is.
            by: the lead.
            decision: what they say.
            of: whose decision this one replaces or takes back; by default their own. That of anybody else stays.

        Returns:
            The decision that counts now; None: the answers count.

        Raises:
            AnswersRefusedError: a value that is none of VALUES and not None, an item of another campaign, an id of
                another answer, or an item that another lead has decided.
            NotFoundError: there is no such campaign.
        """
        check_answers(by, [decision])
        with self._database.write() as connection:
            lock_campaign(connection, campaign_id)
            item = sa.select(_items.c.row).where(_items.c.id == decision.item_id, _items.c.campaign_id == campaign_id)
            image = connection.execute(item).scalar()
            if image is None:
                raise AnswersRefusedError(f"Item {decision.item_id} does not belong to the campaign {campaign_id}.")
            if _is_new(connection, campaign_id, by, decision):
                _require_of(of or by, _counting(connection, campaign_id, decision.item_id), image)
                row = {"id": decision.id, "campaign_id": campaign_id, "item_id": decision.item_id, "annotator": by}
                row |= {"value": decision.value, "seen": json_safe(decision.seen), "source": DECISION, "surplus": False}
                row |= {"duration_ms": kept_ms(decision.duration_ms), "created_at": self._database.now(connection)}
                connection.execute(_answers.insert().values(**row))
            now = _counting(connection, campaign_id, decision.item_id)
            value = now[0].value if now else None
            connection.execute(_items.update().where(_items.c.id == decision.item_id).values(decision=value))
        return value

    def counting(self, campaign_id: str) -> list[Decision]:
        """The decisions that count now, the newest last."""
        with self._database.read() as connection:
            return _counting(connection, campaign_id)

    def set_gold(self, campaign_id: str, known: Mapping[int, int | None], by: str) -> None:
        """Set the known answer of items (by item id); None: it has none any more.

        Raises:
            AnswersRefusedError: a value that is none of VALUES and not None, or an item of another campaign.
        """
        for value in known.values():
            if value is not None:
                check_value(value)
        with self._database.write() as connection:
            lock_campaign(connection, campaign_id)
            for item_id, value in known.items():
                mine = (_items.c.id == item_id, _items.c.campaign_id == campaign_id)
                if not connection.execute(_items.update().where(*mine).values(gold=value)).rowcount:
                    raise AnswersRefusedError(f"Item {item_id} does not belong to the campaign {campaign_id}.")
            self._events.note(connection, by, "campaign.gold", campaign_id, {"items": len(known)})


def _is_new(connection: Connection, campaign_id: str, by: str, decision: AnswerIn) -> bool:
    query = sa.select(_answers.c.campaign_id, _answers.c.item_id, _answers.c.annotator, _answers.c.source)
    known = connection.execute(query.where(_answers.c.id == decision.id)).first()
    if known is not None and tuple(known) != (campaign_id, decision.item_id, by, DECISION):
        raise AnswersRefusedError(f"The answer id {decision.id} was used for another answer: reload the page.")
    return known is None


def _require_of(who: str, now: list[Decision], image: int) -> None:
    for one in now:
        if one.by != who:
            raise AnswersRefusedError(f"{one.by} has decided about image {image} meanwhile: {WORDS[one.value]}.")


def _counting(connection: Connection, campaign_id: str, item_id: int | None = None) -> list[Decision]:
    """The last decision about each item, or about this one, that was not taken back; the newest last."""
    query = sa.select(_answers.c.item_id, _answers.c.annotator, _answers.c.value, _answers.c.seq)
    query = query.where(_answers.c.campaign_id == campaign_id, _answers.c.source == DECISION)
    if item_id is not None:
        query = query.where(_answers.c.item_id == item_id)
    stacks: dict[int, list[tuple[int, Decision]]] = {}
    for item, by, value, seq in connection.execute(query.order_by(_answers.c.seq)):
        put(stacks.setdefault(item, []), None if value is None else (seq, Decision(item, by, value)))
    return [made for _, made in sorted((stack[-1] for stack in stacks.values() if stack), key=lambda top: top[0])]
