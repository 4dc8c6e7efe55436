"""Who looks at which item: an item is kept for an annotator's session for a while, then it is free again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.campaign import LEASE_S, Item

_items, _leases, _current = schema.items, schema.leases, schema.current_answers
ITEM_COLUMNS: list[sa.Column[Any]] = [_items.c[name] for name in Item.__dataclass_fields__]


def held(connection: Connection, campaign_id: str, annotator: str, session: str, now: datetime, n: int) -> list[Item]:
    """The unanswered items that this session holds, in their order."""
    query = sa.select(*ITEM_COLUMNS).join(_leases, _leases.c.item_id == _items.c.id)
    query = query.where(
        _leases.c.campaign_id == campaign_id,
        _leases.c.annotator == annotator,
        _leases.c.session == session,
        _leases.c.expires_at > now,
        _items.c.done.is_(sa.false()),
    )
    return [Item(**row) for row in connection.execute(query.order_by(_items.c.position).limit(n)).mappings()]


def free(connection: Connection, campaign_id: str, annotator: str, now: datetime, overlap: int, n: int) -> list[Item]:
    """Items that are neither answered nor held by this annotator, nor spoken for by enough others."""
    if n < 1:
        return []
    leased = sa.select(sa.func.count()).where(_leases.c.item_id == _items.c.id, _leases.c.expires_at > now)
    mine = sa.exists().where(_current.c.item_id == _items.c.id, _current.c.annotator == annotator)
    kept = leased.where(_leases.c.annotator == annotator).correlate(_items).scalar_subquery()
    others = leased.where(_leases.c.annotator != annotator).correlate(_items).scalar_subquery()
    query = sa.select(*ITEM_COLUMNS).where(
        _items.c.campaign_id == campaign_id,
        _items.c.done.is_(sa.false()),
        ~mine,
        kept == 0,
        _items.c.n_answers + others < overlap,
    )
    return [Item(**row) for row in connection.execute(query.order_by(_items.c.position).limit(n)).mappings()]


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
