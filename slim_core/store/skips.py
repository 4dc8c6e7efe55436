"""What annotators have skipped: read from the answers once, then only what was added, for they are never changed."""

from __future__ import annotations

import threading

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from slim_core.store import schema
from slim_core.store.consensus import SKIP

_answers = schema.answers


class Skips:
    """The skips of all campaigns, kept in this process."""

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
