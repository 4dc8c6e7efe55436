"""Who is asked what next: items under leases, what was skipped, who holds the rest, and what was answered last.

A session is a browser tab. What it holds is its own: two tabs of one person are never shown the same item at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from slim_core.errors import AnswersRefusedError, NotFoundError
from slim_core.store import leases, schema
from slim_core.store.consensus import Hold, Item
from slim_core.store.database import Database
from slim_core.store.datasets import Datasets
from slim_core.store.events import Events
from slim_core.store.skips import Skips

_LOOK_BACK = 200  # answers read at once when the last ones are looked for
_items, _leases, _answers, _current = schema.items, schema.leases, schema.answers, schema.current_answers
_t = schema.campaigns


class CampaignClosedError(AnswersRefusedError):
    """The campaign takes no answers now."""


@dataclass(frozen=True)
class Held:
    """What one annotator holds of a campaign."""

    annotator: str
    n: int  # items
    seconds: float  # until the last of them is free at the latest


@dataclass(frozen=True)
class Standing:
    """How far a campaign is, as one annotator may be told."""

    total: int  # items
    done: int  # answered by as many as the overlap asks for
    answered: int  # open ones that this annotator has answered
    held: tuple[Held, ...]  # open ones that are looked at now, this session's own left out


@dataclass(frozen=True)
class Given:
    """An answer of an annotator that counts now."""

    item: Item
    value: int
    seq: int


class Asking:
    """What annotators are asked. The base of Answers."""

    def __init__(self, database: Database, events: Events, datasets: Datasets) -> None:
        self._database, self._events, self._datasets = database, events, datasets
        self._skips = Skips()

    def next_item(self, campaign_id: str, annotator: str, session: str = "") -> Item | None:
        """The item this annotator should answer now, kept for them for LEASE_S; None where there is none for them.

        The same session (a browser tab) gets the same item again until it is answered; others get others.

        Raises:
            CampaignClosedError: the campaign is closed, or its deadline has passed.
        """
        found = self.next_items(campaign_id, annotator, 1, session)
        return found[0] if found else None

    def next_items(
        self, campaign_id: str, annotator: str, n: int, session: str = "", *, was: Sequence[str] = (), after: int = -1
    ) -> list[Item]:
        """Up to ``n`` items for this annotator, all under a lease from now: one to show, the rest to prefetch.

        Args:
            campaign_id: of which campaign.
            annotator: for whom.
            n: how many, those that the session holds already included.
            session: the browser tab.
            was: the sessions that this one goes on from (a page before its reload); what they held is now held here.
            after: a position to look behind first. Only speed depends on it.

        Returns:
            In the order in which they are to be shown; what this annotator has skipped comes last.

        Raises:
            CampaignClosedError: the campaign is closed, or its deadline has passed.
        """
        with self._database.write() as connection:
            now = self._database.now(connection)
            overlap = self._open(connection, campaign_id, now)["overlap"]
            if was:
                leases.hand_over(connection, campaign_id, annotator, was, session)
            skipped = self._skips.of(connection, campaign_id, annotator)
            asked = leases.Asked(connection, campaign_id, annotator, now, overlap)

            def turn(item: Item) -> tuple[int, int]:
                return skipped.get(item.id, 0), item.position

            found = sorted(asked.held(session), key=turn)[:n]
            found += asked.free(n - len(found), list(skipped), after)
            leases.keep(connection, campaign_id, [item.id for item in found], annotator, session, now)
        return sorted(found, key=turn)

    def release(self, campaign_id: str, annotator: str, session: str = "") -> None:
        """Give back the items this session holds, so that others need not wait."""
        mine = (_leases.c.campaign_id == campaign_id, _leases.c.annotator == annotator, _leases.c.session == session)
        with self._database.write() as connection:
            connection.execute(_leases.delete().where(*mine))

    def holders(self, campaign_id: str) -> list[Hold]:
        """Who looks at which unanswered item, and until when at the latest."""
        with self._database.read() as connection:
            now = self._database.now(connection)
            query = sa.select(_leases.c.item_id, _leases.c.annotator, _leases.c.expires_at.label("until"))
            query = query.where(_leases.c.campaign_id == campaign_id, _leases.c.expires_at > now)
            return [Hold(**row) for row in connection.execute(query.order_by(_leases.c.expires_at)).mappings()]

    def standing(self, campaign_id: str, annotator: str, session: str = "") -> Standing:
        """How far the campaign is, by counts on indexes alone: a few ms at 100,000 items."""
        counted = sa.select(_items.c.done, sa.func.count()).where(_items.c.campaign_id == campaign_id)
        still_open = (_current.c.campaign_id == campaign_id, _items.c.done.is_(sa.false()))
        answered = sa.select(sa.func.count()).select_from(_current.join(_items, _items.c.id == _current.c.item_id))
        answered = answered.where(*still_open, _current.c.annotator == annotator)
        with self._database.read() as connection:
            now = self._database.now(connection)
            by_done = {bool(done): n for done, n in connection.execute(counted.group_by(_items.c.done))}
            n_answered = connection.execute(answered).scalar_one() if by_done.get(False) else 0
            held = leases.by_annotator(connection, campaign_id, annotator, session, now)
        return Standing(
            total=sum(by_done.values()),
            done=by_done.get(True, 0),
            answered=n_answered,
            held=tuple(Held(who, n, max(0.0, (until - now).total_seconds())) for who, n, until in held),
        )

    def given(self, campaign_id: str, annotator: str, n: int, before: int | None = None) -> list[Given]:
        """The last ``n`` answers of an annotator that count now, newest first; ``before``: older than that seq."""
        found: dict[int, Given] = {}
        with self._database.read() as connection:
            while len(found) < n:
                query = sa.select(_answers.c.seq, _answers.c.item_id).where(
                    _answers.c.campaign_id == campaign_id, _answers.c.annotator == annotator
                )
                query = query.where(_answers.c.value.is_not(None), _answers.c.surplus.is_(sa.false()))
                if before is not None:
                    query = query.where(_answers.c.seq < before)
                rows = connection.execute(query.order_by(_answers.c.seq.desc()).limit(_LOOK_BACK)).all()
                for each in self._counting(connection, annotator, {row.item_id: row.seq for row in reversed(rows)}):
                    found.setdefault(each.item.id, each)
                if len(rows) < _LOOK_BACK:
                    break
                before = rows[-1].seq
        return list(found.values())[:n]

    def strangers(self, campaign_id: str, item_ids: Sequence[int]) -> set[int]:
        """Those of the items that are not this campaign's: the database is an older one, put back from a copy."""
        wanted = {each for each in item_ids if isinstance(each, int) and 0 <= each < 2**31}
        query = sa.select(_items.c.id).where(_items.c.campaign_id == campaign_id, _items.c.id.in_(wanted))
        with self._database.read() as connection:
            return wanted - set(connection.execute(query).scalars())

    def _counting(self, connection: Connection, annotator: str, seqs: dict[int, int]) -> list[Given]:
        """Those of the items (id -> seq of the newest answer) whose answer counts, newest first."""
        query = sa.select(*leases.ITEM_COLUMNS, _current.c.value).join(_current, _current.c.item_id == _items.c.id)
        query = query.where(_current.c.annotator == annotator, _items.c.id.in_(list(seqs)))
        rows = [dict(row) for row in connection.execute(query).mappings()]
        found = [Given(value=row.pop("value"), seq=seqs[row["id"]], item=Item(**row)) for row in rows]
        return sorted(found, key=lambda each: -each.seq)

    def _open(self, connection: Connection, campaign_id: str, now: datetime | None) -> RowMapping:
        """The campaign's row, locked; ``now`` also checks the deadline (answers under way may still arrive)."""
        query = sa.select(_t).where(_t.c.id == campaign_id).with_for_update()
        campaign = connection.execute(query).mappings().first()
        if campaign is None:
            raise NotFoundError(f"There is no campaign {campaign_id}: choose one of the Annotate page.")
        if campaign["status"] != "open":
            raise CampaignClosedError(f"The campaign {campaign['name']} is closed: ask its lead to reopen it.")
        deadline = campaign["deadline"]
        if now is not None and deadline is not None and deadline < now:
            raise CampaignClosedError(
                f"The deadline of {campaign['name']} was {deadline:%Y-%m-%d %H:%M} UTC: ask its lead to move it."
            )
        return campaign
