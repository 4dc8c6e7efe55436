"""Who looks at which item: an item is kept for an annotator's session for a while, then it is free again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.database import insert_or_replace

LEASE_S = 120.0  # how long an item is kept for the annotator who looks at it
_items, _leases = schema.items, schema.leases


@dataclass(frozen=True)
class Lease:
    """An item that someone looks at now."""

    item_id: int
    annotator: str
    until: datetime


def holding(now: datetime) -> sa.ColumnElement[bool]:
    """Leases that count: not over, and not longer than any is given, as by a clock that ran ahead."""
    return sa.and_(_leases.c.expires_at > now, _leases.c.expires_at <= now + timedelta(seconds=LEASE_S))


def keep(
    connection: Connection, campaign_id: str, item_ids: Iterable[int], annotator: str, session: str, now: datetime
) -> None:
    """Keep items for a session for LEASE_S from now on."""
    kept = {"annotator": annotator, "campaign_id": campaign_id, "session": session}
    kept_until = {"expires_at": now + timedelta(seconds=LEASE_S)}
    if rows := [{"item_id": each, **kept, **kept_until} for each in item_ids]:
        connection.execute(insert_or_replace(connection, _leases), rows)


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
    ids = list(item_ids)
    if not ids:
        return {}
    query = sa.select(_leases.c.item_id, sa.func.count()).where(
        _leases.c.item_id.in_(ids), _leases.c.annotator != besides, holding(now)
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
        holding(now),
        _items.c.done.is_(sa.false()),
        ~sa.and_(_leases.c.annotator == annotator, _leases.c.session == session),
    )
    grouped = query.group_by(_leases.c.annotator).order_by(_leases.c.annotator)
    return [(who, n, until) for who, n, until in connection.execute(grouped)]
