"""The subset that a strategy would choose now, computed in this process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np

from app import session
from app.services.results import space_data
from app.services.results.space_data import SpaceData
from slim_core.annotation.answered_space import curation_data, views_of
from slim_core.curation import ANSWERED, NEEDS_ANSWERS, CurationData, Subset, check_options, curate, needs_scores
from slim_core.curation.data import UNANSWERED, FoundBy
from slim_core.runs.preflight import require_possible
from slim_core.space.environments import ClusterConfig, Views
from slim_core.steps.specs import parse_spec
from slim_core.store.results import AttentionResult, SpaceResult

# Images of a split up to which a subset is chosen, and the effect of answers computed, in seconds; of more on a press.
QUICK_UP_TO, FOUND_UP_TO = 100_000, 20_000  # in the environments of the space, and in those that are found anew


def is_quick(n: int, environments: FoundBy) -> bool:
    """True where a page may choose among n images without being asked to."""
    return n <= (QUICK_UP_TO if environments == "space" else FOUND_UP_TO)


@dataclass(frozen=True)
class SubsetChoice:
    """What is asked for.

    ``options`` are fields of CurateOptions and ``settings`` further ones of CurateSpec, as pairs, so that a choice can
    be a key.
    """

    space: str
    campaign: str | None
    strategy: str
    size: int
    seed: int
    options: tuple[tuple[str, Any], ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def environments(self) -> FoundBy:
        """Which are balanced."""
        return cast("FoundBy", dict(self.options).get("environments", "space"))

    @property
    def uses_answers(self) -> bool:
        """True where the strategy reads the campaign's answers."""
        return self.strategy in ANSWERED

    @property
    def needs_answers(self) -> bool:
        """True where it cannot do without them."""
        return self.strategy in NEEDS_ANSWERS

    def spec(self, dataset: str) -> dict[str, Any]:
        """The curate step of this choice, with the answers as they stand now."""
        campaign = self.campaign if self.uses_answers else None
        return {
            "kind": "curate",
            "dataset": dataset,
            "space": self.space,
            "campaign": campaign,
            "answers_seq": session.store().answers.last_seq(campaign) if campaign else None,
            "strategy": self.strategy,
            "size": self.size,
            "seed": self.seed,
            "options": dict(self.options),
            **dict(self.settings),
        }


def preview(choice: SubsetChoice) -> Subset:
    """The subset of a choice; none of one that would not be queued.

    Raises:
        AnswersRefusedError: the strategy cannot do without answers, and there are none that say right.
        SpecRefusedError: so many images cannot be chosen, or the step can only fail (slim_core.runs.preflight).
    """
    campaign, store = choice.campaign if choice.uses_answers else None, session.store()
    require_possible(store, parse_spec(choice.spec(space_data.load(choice.space).dataset)))
    return _preview(choice, store.answers.last_seq(campaign) if campaign else 0)


@lru_cache(maxsize=16)
def _preview(choice: SubsetChoice, seq: int) -> Subset:  # noqa: ARG001  # a new answer is a new entry
    data = space_data.load(choice.space)
    campaign = choice.campaign if choice.uses_answers else None
    options, found_by = dict(choice.options), choice.environments
    given = _curation_data(data, campaign, None if found_by == "space" else _views(choice.space, found_by))
    if needs_scores(given, choice.strategy, check_options(choice.strategy, options)):
        given = replace(given, scores=space_data.propagated(data, campaign))
    return curate(given, strategy=choice.strategy, size=choice.size, seed=choice.seed, **options)


def _curation_data(data: SpaceData, campaign: str | None, views: Views | None) -> CurationData:
    """Without the scores that the answers give."""
    space = SpaceResult(session.store().artifacts.folder(data.run))
    unscored, answers = np.full(len(data), np.nan), np.maximum(space_data.answers(data, campaign), UNANSWERED)
    return curation_data(data.table, space, unscored, answers, views)


@lru_cache(maxsize=2)
def _views(space: str, environments: FoundBy) -> Views | None:
    """The views of a space, which never changes once it is done."""
    store = session.store()
    folder, spec = store.artifacts.folder, store.runs.fetch(space).spec
    seen = AttentionResult(folder(spec["attention"]))
    return views_of(SpaceResult(folder(space)), seen, environments, ClusterConfig.of(spec))
