"""A campaign's space: the attention asked about, the answers as they stand, and what curation chooses from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slim_core.annotation.propagation import expand
from slim_core.curation import CurationData
from slim_core.curation.data import FoundBy
from slim_core.data.table import ImageTable
from slim_core.errors import AnswersRefusedError
from slim_core.space.environments import ClusterConfig, Views, contrast, is_on_anything, views
from slim_core.store.campaigns.consensus import UNSURE
from slim_core.store.results import AttentionResult, SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store


def gradcam_of(store: Store, campaign: Campaign) -> Run:
    """The gradcam run whose attention a campaign asks about.

    Raises:
        AnswersRefusedError: it belongs to no space, or its space was deleted.
    """
    if campaign.space_run_id is None:
        raise AnswersRefusedError(
            f"Campaign {campaign.id} belongs to no attention space, so it has no attention to show."
        )
    store.campaigns.require_space(campaign)
    return store.lineage.attention_of(store.runs.fetch(campaign.space_run_id))


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


def curation_data(
    table: ImageTable,
    space: SpaceResult,
    scores: NDArray[np.float64],
    answers: NDArray[np.int8],
    views: Views | None = None,
) -> CurationData:
    """The n images of a space with their scores and answers, (n,) each, in the order of its rows.

    ``views``: as of ``views_of``.
    """
    rows, clusters = space.rows, space.clusters()
    return CurationData(
        labels=table.labels[rows],
        attention_space=space.points("attention"),
        environment_space=space.points("environment"),
        environment=clusters.reduced,
        clusters=clusters,
        scores=scores,
        answers=answers,
        attributes=table.attributes[rows] if table.has_attributes else None,
        n_classes=table.n_classes,
        class_names=tuple(table.label_names),
        attribute_names=tuple(table.attribute_names),
        views=views,
    )


def views_of(space: SpaceResult, seen: AttentionResult, environments: FoundBy, config: ClusterConfig) -> Views | None:
    """What environments are found in, for the images of a space; None where the attention pass has left no features.

    ``seen``: the attention pass that the space was made from; ``environments``: not those of the space, for which
    nothing is read of it; ``config``: as the space was made.
    """
    if not seen.has_features:
        return None
    positions = seen.positions(space.rows)
    outside, attended = (seen.stored_features(name) for name in ("environment", "attention"))
    if environments == "answers":
        return views(outside, seen.stored_features("pooled"), positions, config)
    found = views(outside, attended, positions, config)
    on_anything = is_on_anything(attended, positions)
    return replace(found, contrast=contrast(attended, outside, positions, config.seed), attended=on_anything)
