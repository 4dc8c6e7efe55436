"""The live scores of a campaign: kept in this process, and brought up to date by the answers that are new."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from slim_core.annotation.propagation.live import LivePropagation
from slim_core.errors import AnswersRefusedError
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Store

KEPT = 4  # campaigns held in memory at once

_live: OrderedDict[tuple[str, str], LiveCampaign] = OrderedDict()
_lock = threading.Lock()


class LiveCampaign:
    """A campaign's space and the scores its answers give. Safe to share among threads."""

    def __init__(self, store: Store, campaign_id: str) -> None:
        campaign = store.campaigns.fetch(campaign_id)
        if campaign.space_run_id is None:
            raise AnswersRefusedError(f"Campaign {campaign_id} belongs to no attention space: nothing to spread over.")
        space = SpaceResult(store.artifacts.folder(campaign.space_run_id))
        self.campaign_id, self.space = campaign_id, campaign.space_run_id
        self.rows = space.rows  # (n,)
        self.labels = store.datasets.table(campaign.dataset_id).labels[self.rows]  # (n,)
        self.points = space.points()  # (n, 2)
        self.seq = -1  # of the newest answer that the scores know
        self._place = {int(row): position for position, row in enumerate(self.rows)}
        self._propagation = LivePropagation(self.points, self.labels)
        self._lock = threading.Lock()

    def refresh(self, store: Store) -> tuple[int, np.ndarray, np.ndarray]:
        """(number of the newest answer, scores (n,), answers (n,)) as the campaign stands now; copies."""
        with self._lock:
            seq = store.answers.last_seq(self.campaign_id)
            if seq != self.seq:
                self._propagation.update(self.aligned(store.answers.current(self.campaign_id)))
                self.seq = seq
            return seq, self._propagation.scores.copy(), self._propagation.answers.copy()

    def answered(self, store: Store) -> tuple[int, np.ndarray]:
        """As ``refresh``, without the scores: nothing is propagated."""
        seq = store.answers.last_seq(self.campaign_id)
        return seq, self.aligned(store.answers.current(self.campaign_id))

    def position(self, row: int) -> int | None:
        """Where a row of the data set is in the space; None: it is not in it."""
        return self._place.get(row)

    def aligned(self, by_row: dict[int, int]) -> np.ndarray:
        """(n,) int8 answers in the order of the space; -1 unsure or not asked."""
        answers = np.full(len(self.rows), -1, np.int8)
        for row, value in by_row.items():
            if row in self._place:
                answers[self._place[row]] = value
        return answers


def live_campaign(store: Store, campaign_id: str) -> LiveCampaign:
    """The one LiveCampaign of this campaign in this process.

    Raises:
        NotFoundError: there is no such campaign, or its space was deleted.
        AnswersRefusedError: it belongs to no space.
    """
    key = (store.database.redacted_url, campaign_id)
    with _lock:
        if key not in _live:
            _live[key] = LiveCampaign(store, campaign_id)
            while len(_live) > KEPT:
                _live.popitem(last=False)
        _live.move_to_end(key)
        return _live[key]


def live_scores(store: Store, campaign_id: str) -> np.ndarray:
    """(n,) score that the attention is right, aligned with the space's rows, by the answers as they stand now.

    The same numbers as ``expand``; after one more answer it costs one query and a smoothing of one class. NaN in a
    class without answers.
    """
    return live_campaign(store, campaign_id).refresh(store)[1]
