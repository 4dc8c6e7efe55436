"""Who looks at which item: an item is kept for an annotator's session for a while, then it is free again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.consensus import LEASE_S, Item

_items, _leases, _current = schema.items, schema.leases, schema.current_answers
ITEM_COLUMNS: list[sa.Column[Any]] = [_items.c[name] for name in Item.__dataclass_fields__]


@dataclass(frozen=True)
class Asked:
    """An annotator of a campaign, inside a transaction."""

    connection: Connection
    campaign_id: str
    annotator: str
    now: datetime
    overlap: int

    def held(self, session: str) -> list[Item]:
        """The unanswered items that this session holds, in their order."""
        query = sa.select(*ITEM_COLUMNS).join(_leases, _leases.c.item_id == _items.c.id)
        query = query.where(
            _leases.c.campaign_id == self.campaign_id,
            _leases.c.annotator == self.annotator,
            _leases.c.session == session,
            _leases.c.expires_at > self.now,
            _items.c.done.is_(sa.false()),
        )
        return self._items(query.order_by(_items.c.position))

    def free(self, n: int, skipped: Collection[int] = (), after: int = -1) -> list[Item]:
        """Up to ``n`` items that are neither answered nor held by this annotator, nor spoken for by enough others.

        Those at positions above ``after`` first: an annotator who has answered thousands need not be led past them
        again. What they ``skipped`` comes last, in that order.
        """
        fresh = _items.c.id.not_in(list(skipped))
        found: list[Item] = []
        for wanted in (sa.and_(fresh, _items.c.position > after), fresh):
            if len(found) < n:
                unknown = _items.c.id.not_in([item.id for item in found])
                found += self._free(sa.and_(wanted, unknown), n - len(found))
        if len(found) < n and skipped:
            rank = {item_id: place for place, item_id in enumerate(skipped)}
            again = self._free(_items.c.id.in_(list(skipped)), len(skipped))
            found += sorted(again, key=lambda item: rank[item.id])[: n - len(found)]
        return found

    def _free(self, wanted: sa.ColumnElement[bool], n: int) -> list[Item]:
        leased = sa.select(sa.func.count()).where(_leases.c.item_id == _items.c.id, _leases.c.expires_at > self.now)
        mine = sa.exists().where(_current.c.item_id == _items.c.id, _current.c.annotator == self.annotator)
        kept = leased.where(_leases.c.annotator == self.annotator).correlate(_items).scalar_subquery()
        others = leased.where(_leases.c.annotator != self.annotator).correlate(_items).scalar_subquery()
        query = sa.select(*ITEM_COLUMNS).where(
            _items.c.campaign_id == self.campaign_id,
            _items.c.done.is_(sa.false()),
            ~mine,
            kept == 0,
            _items.c.n_answers + others < self.overlap,
            wanted,
        )
        return self._items(query.order_by(_items.c.position).limit(n))

    def _items(self, query: sa.Select[Any]) -> list[Item]:
        return [Item(**row) for row in self.connection.execute(query).mappings()]


def keep(
    connection: Connection, campaign_id: str, item_ids: Iterable[int], annotator: str, session: str, now: datetime
) -> None:
    """Keep items for a session for LEASE_S from now on."""
    kept = {"annotator": annotator, "campaign_id": campaign_id, "session": session}
    kept_until = {"expires_at": now + timedelta(seconds=LEASE_S)}
    ids = list(item_ids)
    drop(connection, ids, annotator)
    if ids:
        connection.execute(_leases.insert(), [{"item_id": each, **kept, **kept_until} for each in ids])


def drop(connection: Connection, item_ids: Iterable[int], annotator: str) -> None:
    """Keep items for this annotator no longer."""
    mine = (_leases.c.item_id.in_(list(item_ids)), _leases.c.annotator == annotator)
    connection.execute(_leases.delete().where(*mine))


def hand_over(connection: Connection, campaign_id: str, annotator: str, was: Iterable[str], session: str) -> None:
    """What sessions of this annotator held is now held by another of theirs."""
    mine = (_leases.c.campaign_id == campaign_id, _leases.c.annotator == annotator, _leases.c.session.in_(list(was)))
    connection.execute(_leases.update().where(*mine).values(session=session))


def n_held(connection: Connection, item_ids: Iterable[int], now: datetime, besides: str) -> dict[int, int]:
    """Item -> how many annotators other than ``besides`` look at it now."""
    query = sa.select(_leases.c.item_id, sa.func.count()).where(
        _leases.c.item_id.in_(list(item_ids)), _leases.c.annotator != besides, _leases.c.expires_at > now
    )
    return {item_id: n for item_id, n in connection.execute(query.group_by(_leases.c.item_id))}  # noqa: C416


def by_annotator(
    connection: Connection, campaign_id: str, annotator: str, session: str, now: datetime
) -> list[tuple[str, int, datetime]]:
    """(annotator, items held, until when at the latest), one session left out."""
    query = sa.select(_leases.c.annotator, sa.func.count(), sa.func.max(_leases.c.expires_at)).join(
        _items, _items.c.id == _leases.c.item_id
    )
    query = query.where(
        _leases.c.campaign_id == campaign_id,
        _leases.c.expires_at > now,
        _items.c.done.is_(sa.false()),
        ~sa.and_(_leases.c.annotator == annotator, _leases.c.session == session),
    )
    grouped = query.group_by(_leases.c.annotator).order_by(_leases.c.annotator)
    return [(who, n, until) for who, n, until in connection.execute(grouped)]
