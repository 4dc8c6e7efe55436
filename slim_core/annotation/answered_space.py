"""The space of a campaign with its answers as they stand, and the scores that they give every image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.annotation.propagation import expand
from slim_core.errors import AnswersRefusedError
from slim_core.store.campaigns.values import UNSURE
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Store


@dataclass(frozen=True, eq=False)
class AnsweredSpace:
    """The n images of a campaign's space, in its order; not to be written to."""

    run: str  # the space run
    seq: int  # of the newest answer
    rows: NDArray[np.int64]  # (n,) of the data set
    labels: NDArray[np.int64]  # (n,)
    points: NDArray[np.float32]  # (n, 2)
    answers: NDArray[np.int8]  # (n,) 1 right, 0 wrong, -1 unsure or not asked

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """(n,) that the attention is right, as of ``expand``: NaN in a class without answers."""
        return expand(self.points, self.labels, self.answers)


def answered_space(store: Store, campaign_id: str) -> AnsweredSpace:
    """The space of a campaign, and its answers by now; made once for each new answer.

    Raises:
        NotFoundError: there is no such campaign, or its space was deleted.
        AnswersRefusedError: it belongs to no space.
    """
    return _answered_space(store, campaign_id, store.answers.last_seq(campaign_id))


@lru_cache(maxsize=4)
def _answered_space(store: Store, campaign_id: str, seq: int) -> AnsweredSpace:
    campaign = store.campaigns.fetch(campaign_id)
    if campaign.space_run_id is None:
        raise AnswersRefusedError(f"Campaign {campaign_id} belongs to no attention space: nothing to spread over.")
    space, given = SpaceResult(store.artifacts.folder(campaign.space_run_id)), store.answers.current(campaign_id)
    answers = np.full(len(space.rows), UNSURE, np.int8)
    at = positions_of(space.rows, np.fromiter(given, np.int64, len(given)))
    answers[at[at >= 0]] = np.fromiter(given.values(), np.int8, len(given))[at >= 0]
    labels = store.datasets.table(campaign.dataset_id).labels[space.rows]
    return AnsweredSpace(campaign.space_run_id, seq, space.rows, labels, space.points(), answers)


def positions_of(rows: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) the position of each of the wanted rows (m,) among the rows (n,) of a space; -1 where it is not there."""
    if not len(rows):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(rows, kind="stable")
    at = np.minimum(np.searchsorted(rows, wanted, sorter=order), len(rows) - 1)
    return np.where(rows[order[at]] == wanted, order[at], -1)
