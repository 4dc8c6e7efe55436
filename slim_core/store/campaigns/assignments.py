"""Which items an annotator sees next: under leases, what was skipped last, and who holds the rest.

An item is kept for an annotator's session for a while, then it is free again. A session is a browser tab. What it holds
is its own: two tabs of one person are never shown the same item at once.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.campaigns.campaigns import ITEM_COLUMNS, Campaign, Item, lock_campaign, require_space
from slim_core.store.campaigns.consensus import SKIP
from slim_core.store.database import Database, insert_or_replace
from slim_core.store.datasets import Dataset, find_dataset

LEASE_S = 120.0  # how long an item is kept for the annotator who looks at it
_items, _leases, _answers, _current = schema.items, schema.leases, schema.answers, schema.current_answers


@dataclass(frozen=True)
class Lease:
    """An item that someone looks at now."""

    item_id: int
    annotator: str
    until: datetime


def holding(now: datetime) -> sa.ColumnElement[bool]:
    """Leases that count: not over, and not longer than any is given, as by a clock that ran ahead."""
    return sa.and_(_leases.c.expires_at > now, _leases.c.expires_at <= now + timedelta(seconds=LEASE_S))


def keep_leases(
    connection: Connection, campaign_id: str, item_ids: Iterable[int], annotator: str, session: str, now: datetime
) -> None:
    """Keep items for a session for LEASE_S from now on."""
    kept = {"annotator": annotator, "campaign_id": campaign_id, "session": session}
    kept_until = {"expires_at": now + timedelta(seconds=LEASE_S)}
    if rows := [{"item_id": each, **kept, **kept_until} for each in item_ids]:
        connection.execute(insert_or_replace(connection, _leases), rows)


def drop_leases(connection: Connection, item_ids: Iterable[int], annotator: str) -> None:
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


def leases_by_annotator(
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


SMALL_SHARE = 12  # items that a session may hold however few are open


@dataclass(frozen=True)
class AnnotatorLeases:
    """What one annotator holds of a campaign."""

    annotator: str
    n_items: int
    seconds_left: float  # until the last of them is free at the latest


@dataclass(frozen=True)
class Progress:
    """How far a campaign is, as one annotator sees it."""

    total: int  # items
    done: int  # answered by as many as the overlap asks for
    answered: int  # open ones that this annotator has answered
    leases: tuple[AnnotatorLeases, ...]  # open ones that others look at now, or this annotator in another session


@dataclass(frozen=True)
class Assignment:
    """What one session of an annotator shows next."""

    campaign: Campaign
    dataset: Dataset | None  # None: it was deleted
    items: list[Item]
    progress: Progress


class Assignments:
    """The items that annotators look at, and those they look at next."""

    def __init__(self, database: Database, skips: Skips | None = None) -> None:
        self._database = database
        self.skips = skips or Skips()

    def assign(
        self, campaign_id: str, annotator: str, n: int, session: str = "", *, was: Sequence[str] = (), after: int = -1
    ) -> Assignment:
        """Up to ``n`` items for this annotator, all under a lease from now: one to show, the rest to prefetch.

        The same session (a browser tab) gets the same items again until they are answered; others get others. Once it
        holds half of the open items it gets no more of them, beyond SMALL_SHARE: others find something, too.

        One transaction assigns, one counts: counting takes longer than all the rest at 100,000 items, so it holds no
        lock that others wait for; nor does what is only read.

        Args:
            campaign_id: of which campaign.
            annotator: for whom.
            n: how many, those that the session holds already included.
            session: the browser tab.
            was: the sessions that this one replaces (a page before its reload); what they held is now held here.
            after: a position to look behind first. Only speed depends on it.

        Returns:
            The items in the order in which they are to be shown, what this annotator has skipped last; and all else
            that the annotator's page shows.

        Raises:
            NotFoundError: there is no such campaign.
            ForbiddenError: the campaign names its annotators, and this person is not one of them.
            AnswersRefusedError: its space was deleted.
            CampaignClosedError: the campaign is closed, or its deadline has passed.
        """
        with self._database.write() as connection:
            campaign = lock_campaign(connection, campaign_id)
            campaign.require_annotator(annotator)
            items = self._next(connection, campaign, annotator, n, session, was, after)
        with self._database.read() as connection:
            require_space(connection, campaign)
            dataset = find_dataset(connection, campaign.dataset_id)
            progress = self._progress(connection, campaign_id, annotator, session)
        return Assignment(campaign, dataset, items, progress)

    def release(self, campaign_id: str, annotator: str, session: str = "") -> None:
        """Give back the items this session holds, so that others need not wait."""
        mine = (_leases.c.campaign_id == campaign_id, _leases.c.annotator == annotator, _leases.c.session == session)
        with self._database.write() as connection:
            connection.execute(_leases.delete().where(*mine))

    def leases(self, campaign_id: str) -> list[Lease]:
        """Who looks at which unanswered item, and until when at the latest."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            query = sa.select(_leases.c.item_id, _leases.c.annotator, _leases.c.expires_at.label("until"))
            query = query.where(_leases.c.campaign_id == campaign_id, holding(now))
            return [Lease(**row) for row in connection.execute(query.order_by(_leases.c.expires_at)).mappings()]

    def progress(self, campaign_id: str, annotator: str, session: str = "") -> Progress:
        """How far the campaign is, by counts on indexes alone: a few ms at 100,000 items."""
        with self._database.read() as connection:
            return self._progress(connection, campaign_id, annotator, session)

    def _progress(self, connection: Connection, campaign_id: str, annotator: str, session: str) -> Progress:
        counted = sa.select(_items.c.done, sa.func.count()).where(_items.c.campaign_id == campaign_id)
        still_open = (_current.c.campaign_id == campaign_id, _items.c.done.is_(sa.false()))
        answered = sa.select(sa.func.count()).select_from(_current.join(_items, _items.c.id == _current.c.item_id))
        answered = answered.where(*still_open, _current.c.annotator == annotator)
        now = self._database.now(connection)
        by_done = {bool(done): n for done, n in connection.execute(counted.group_by(_items.c.done))}
        n_answered = connection.execute(answered).scalar_one() if by_done.get(False) else 0
        held = leases_by_annotator(connection, campaign_id, annotator, session, now)
        return Progress(
            total=sum(by_done.values()),
            done=by_done.get(True, 0),
            answered=n_answered,
            leases=tuple(AnnotatorLeases(who, n, max(0.0, (until - now).total_seconds())) for who, n, until in held),
        )

    def _next(
        self,
        connection: Connection,
        campaign: Campaign,
        annotator: str,
        n: int,
        session: str,
        was: Sequence[str],
        after: int,
    ) -> list[Item]:
        now = self._database.now(connection)
        campaign.require_open(now)
        if was:
            hand_over(connection, campaign.id, annotator, was, session)
        skipped = self.skips.of(connection, campaign.id, annotator)
        open_items = _OpenItems(connection, campaign, annotator, now)

        def turn(item: Item) -> tuple[int, int]:
            return skipped.get(item.id, 0), item.position

        found = sorted(open_items.leased_by(session), key=turn)[:n]
        found += open_items.free(open_items.share(n) - len(found), list(skipped), after)
        keep_leases(connection, campaign.id, [item.id for item in found], annotator, session, now)
        return sorted(found, key=turn)


@dataclass(frozen=True)
class _OpenItems:
    """The items of a campaign that need more answers, as one annotator sees them, inside a transaction."""

    connection: Connection
    campaign: Campaign
    annotator: str
    now: datetime

    def leased_by(self, session: str) -> list[Item]:
        """Those under a lease of this session, in their order."""
        query = sa.select(*ITEM_COLUMNS).join(_leases, _leases.c.item_id == _items.c.id)
        query = query.where(
            _leases.c.campaign_id == self.campaign.id,
            _leases.c.annotator == self.annotator,
            _leases.c.session == session,
            holding(self.now),
            _items.c.done.is_(sa.false()),
        )
        return self._items(query.order_by(_items.c.position))

    def share(self, n: int) -> int:
        """How many of ``n`` items one session may hold: half of those open at most, or SMALL_SHARE."""
        still_open = sa.select(_items.c.id).where(
            _items.c.campaign_id == self.campaign.id, _items.c.done.is_(sa.false())
        )
        some = still_open.limit(2 * n).subquery()  # no more is counted than it takes
        n_open = self.connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one()
        return min(n, max(SMALL_SHARE, (n_open + 1) // 2))

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
        leased = sa.select(sa.func.count()).where(_leases.c.item_id == _items.c.id, holding(self.now))
        mine = sa.exists().where(_current.c.item_id == _items.c.id, _current.c.annotator == self.annotator)
        kept = leased.where(_leases.c.annotator == self.annotator).correlate(_items).scalar_subquery()
        others = leased.where(_leases.c.annotator != self.annotator).correlate(_items).scalar_subquery()
        query = sa.select(*ITEM_COLUMNS).where(
            _items.c.campaign_id == self.campaign.id,
            _items.c.done.is_(sa.false()),
            ~mine,
            kept == 0,
            _items.c.n_answers + others < self.campaign.overlap,
            wanted,
        )
        return self._items(query.order_by(_items.c.position).limit(n))

    def _items(self, query: sa.Select[Any]) -> list[Item]:
        return [Item(**row) for row in self.connection.execute(query).mappings()]


class Skips:
    """What annotators skipped, by campaign: read once, then only what was added, for answers are never changed."""

    def __init__(self) -> None:
        self._read: dict[str, int] = {}  # campaign -> seq up to which its answers were read
        self._skipped: dict[tuple[str, str], dict[int, int]] = {}  # (campaign, annotator) -> item -> seq
        self._lock = threading.Lock()

    def of(self, connection: Connection, campaign_id: str, annotator: str) -> dict[int, int]:
        """Item -> seq of the skip, oldest first, of those that this annotator skipped and did not take back."""
        newest = connection.execute(
            sa.select(sa.func.max(_answers.c.seq)).where(_answers.c.campaign_id == campaign_id)
        ).scalar()
        with self._lock:
            before = self._read.get(campaign_id, 0)
            if newest is not None and newest > before:
                self._add(connection, campaign_id, before, newest)
                self._read[campaign_id] = newest
            return dict(self._skipped.get((campaign_id, annotator), {}))

    def _add(self, connection: Connection, campaign_id: str, before: int, newest: int) -> None:
        query = sa.select(_answers.c.seq, _answers.c.item_id, _answers.c.annotator, _answers.c.source).where(
            _answers.c.campaign_id == campaign_id,
            _answers.c.seq > before,
            _answers.c.seq <= newest,
            _answers.c.value.is_(None),  # skips, and answers taken back
        )
        for seq, item_id, annotator, source in connection.execute(query.order_by(_answers.c.seq)):
            mine = self._skipped.setdefault((campaign_id, annotator), {})
            mine.pop(item_id, None)  # a later skip goes behind the others; an undo takes a skip back
            if source == SKIP:
                mine[item_id] = seq
