"""The sheets of a campaign: which environments of its space people are asked about, and what they say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from slim_core.errors import AnswersRefusedError, SpecRefusedError
from slim_core.space.environments import Clusters
from slim_core.space.sheets import UNSURE, Environment, environments, sheet
from slim_core.store.campaigns.environment_answers import EnvironmentAnswer, Vote, combine_votes
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Campaign, Store


@dataclass(frozen=True, eq=False)
class SheetSpace:
    """The n images of a space, as sheets need them."""

    rows: np.ndarray  # (n,) of the data set
    labels: np.ndarray  # (n,)
    clusters: Clusters
    shown: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)  # path -> its sheet, which is always the same


@dataclass(frozen=True, eq=False)
class Sheets:
    """What a campaign asks about environments, as its answers stand."""

    campaign: Campaign
    space: SheetSpace
    votes: tuple[Vote, ...]

    @cached_property
    def environments(self) -> tuple[Environment, ...]:
        """Those that are asked about, parts behind what was split.

        As many people answer an environment as the overlap asks before it is split: nobody is shown by its parts what
        others said of it, and the next answer takes no parts away that were answered meanwhile.
        """
        return environments(self.space.clusters, combine_votes(self.votes, self.campaign.overlap))

    def find(self, path: str | None) -> Environment | None:
        """The environment of a path, if it is asked about."""
        return next((each for each in self.environments if each.path == path), None)

    def images(self, environment: Environment) -> dict[int, np.ndarray]:
        """Class -> rows of the data set that show it."""
        if environment.path not in self.space.shown:
            chosen = sheet(environment, self.space.clusters.reduced, self.space.labels)
            rows = {label: self.space.rows[positions] for label, positions in chosen.items()}
            self.space.shown[environment.path] = rows
        return self.space.shown[environment.path]

    def shares(self, environment: Environment) -> np.ndarray:
        """(C,) the share of each class's images that lies in it; 0 for a class without images."""
        n = np.bincount(self.space.labels)
        inside = np.bincount(self.space.labels[environment.positions], minlength=len(n))
        return np.asarray(inside / np.maximum(n, 1))

    def is_done(self, environment: Environment) -> bool:
        """Whether as many people have answered as the overlap asks."""
        return environment.consensus.n_answers >= self.campaign.overlap

    def of(self, annotator: str) -> dict[str, Vote]:
        """Path -> what this person says, in the order in which they said it."""
        return {vote.environment: vote for vote in self.votes if vote.annotator == annotator}

    def of_environment(self, environment: Environment) -> list[Vote]:
        """What people say of an environment, one vote each."""
        return [vote for vote in self.votes if vote.environment == environment.path]

    def asks(self, environment: Environment, annotator: str) -> bool:
        """Whether it still needs answers, and has none of this person."""
        return environment.path not in self.of(annotator) and not self.is_done(environment)

    def open_to(self, annotator: str) -> list[Environment]:
        """Those that still need answers, and have none of this person."""
        return [each for each in self.environments if self.asks(each, annotator)]


def sheets(store: Store, campaign_id: str) -> Sheets:
    """What a campaign asks about the environments of its space.

    Raises:
        NotFoundError: there is no such campaign.
        AnswersRefusedError: its space was deleted.
        SpecRefusedError: it belongs to no space, or the space has one environment only, or those of each class alone.
    """
    campaign = store.campaigns.fetch(campaign_id)
    if campaign.space_run_id is None:
        raise SpecRefusedError(
            f"The campaign {campaign.name} belongs to no space, so there are no environments to ask about: "
            f"open one on the Annotate page, or with slim candidates."
        )
    store.campaigns.require_space(campaign)
    space = _space(store, campaign.space_run_id)
    return Sheets(campaign, space, tuple(store.environment_answers.votes(campaign_id)))


def answer(store: Store, campaign_id: str, annotator: str, given: EnvironmentAnswer, source: str = "page") -> bool:
    """Keep what one person says of one environment; returns whether it counts (others may have been faster).

    Raises:
        AnswersRefusedError, NotFoundError, ForbiddenError, SpecRefusedError: as ``answer_all``.
    """
    return not answer_all(store, campaign_id, annotator, [given], source)


def answer_all(
    store: Store, campaign_id: str, annotator: str, given: Sequence[EnvironmentAnswer], source: str = "page"
) -> list[str]:
    """Keep what one person says of several environments, all or none; returns the ids of those that do not count.

    Raises:
        AnswersRefusedError: the campaign does not ask about an environment (any more), or an answer is none.
        NotFoundError, ForbiddenError, SpecRefusedError: as ``sheets`` and ``store.environment_answers.save``.
    """
    require_asked(sheets(store, campaign_id), given)
    return store.environment_answers.save(campaign_id, annotator, given, source)


def require_asked(found: Sheets, given: Sequence[EnvironmentAnswer]) -> None:
    """Refuse answers about what a campaign does not ask; one may be taken back in any case.

    Raises:
        AnswersRefusedError: an answer is about an environment that the campaign does not ask about.
    """
    for one in given:
        if one.value is not None and found.find(one.environment) is None:
            known = ", ".join(each.path for each in found.environments)
            raise AnswersRefusedError(
                f"The campaign {found.campaign.name} does not ask about an environment {one.environment!r}: "
                f"choose one of {known}."
            )


@dataclass(frozen=True)
class SheetAgreement:
    """How far people agree about environments: too few for a measure beyond chance."""

    n_shared: int  # environments of which two or more are sure
    n_same: int  # of them, those about which they say the same


def agreement(votes: Sequence[Vote]) -> SheetAgreement:
    """Over the environments of which at least two people say yes, no or mixed."""
    said: dict[str, list[int]] = {}
    for vote in votes:
        if vote.value != UNSURE:
            said.setdefault(vote.environment, []).append(vote.value)
    shared = [values for values in said.values() if len(values) > 1]
    return SheetAgreement(len(shared), sum(len(set(values)) == 1 for values in shared))


@lru_cache(maxsize=4)
def _space(store: Store, run_id: str) -> SheetSpace:
    """A finished run never changes."""
    run, found = store.runs.fetch(run_id), SpaceResult(store.artifacts.folder(run_id))
    clusters = found.clusters()
    if run.spec.get("scope") == "class":
        raise SpecRefusedError(
            f"The space {run_id} has environments of each class by itself, and a sheet shows one over all classes: "
            f"build a space with scope all."
        )
    if len(np.unique(clusters.index)) < 2:
        raise SpecRefusedError(
            f"The space {run_id} has a single environment, so there is nothing to ask about: build a space with more "
            f"clusters (slim space --n-clusters 4)."
        )
    return SheetSpace(found.rows, store.datasets.table(run.dataset_id).labels[found.rows], clusters)
