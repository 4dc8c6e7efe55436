"""A campaign before anyone is asked: which images, in which order, how many, by whom; checked, and then opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from slim_core import formatting
from slim_core.annotation.answered_space import answered_space
from slim_core.annotation.candidates import (
    N_NEAREST,
    budgets_of,
    check_budget,
    helpful_candidates,
    kmeans_candidates,
    spread_order,
)
from slim_core.annotation.simulated_annotator import judge
from slim_core.errors import SpecRefusedError
from slim_core.formatting import in_percent
from slim_core.metrics import ATTENTION_PRECISION
from slim_core.space.clustering import pick_diverse
from slim_core.store import CampaignSettings
from slim_core.store.campaigns.campaigns import class_options
from slim_core.store.results import AttentionResult, SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store

ChoiceRule = Literal["kmeans", "selection"]
CHOICE_RULES: tuple[ChoiceRule, ...] = ("kmeans", "selection")
GUIDELINE = "Right: the bright area lies mostly on the object. Wrong: it lies mostly on the surroundings."
MOST_EXAMPLES = 8  # of each kind
MOST_ANNOTATORS = 20  # an item is answered by
OF_OTHER_IMAGES = {  # split -> what answers about its images are for
    "val": "A subset is curated from answers about training images. Those about validation images change no model: "
    "choose, or build, an attention space of the training images.",
    "test": "A subset is curated from answers about training images. Those about test images change no model: choose, "
    "or build, an attention space of the training images.",
}


@dataclass(frozen=True)
class Plan:
    """What a lead wants to ask."""

    space: str  # id of a finished space run
    budgets: Mapping[int, int]  # class -> images
    name: str = "Campaign"
    choice: ChoiceRule = "kmeans"
    selection: tuple[int, ...] = ()  # rows that "selection" chooses among
    seed: int = 0
    overlap: int = 1
    n_gold: int = 0  # images whose right answer is known, to tell how good annotators are
    guideline: str = GUIDELINE
    examples: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # "right" and "wrong" -> rows shown as such
    blind: bool = False  # neither label nor prediction is told
    members: tuple[str, ...] = ()  # who may answer; nobody named: everybody who may annotate
    deadline: datetime | None = None
    absent: tuple[int, ...] = ()  # classes that are the absence of something: wrong about them counts as neither
    guidelines: Mapping[int, str] = field(default_factory=dict)  # of single classes
    run: str | None = None  # id of the candidates run that opens it

    def __post_init__(self) -> None:
        if self.choice not in CHOICE_RULES:
            raise SpecRefusedError(f"The choice is {self.choice!r}: use one of {', '.join(CHOICE_RULES)}.")
        if not 0 <= self.seed < 2**32:
            raise SpecRefusedError(f"The seed is {self.seed}: give 0 to {2**32 - 1}.")
        if not 1 <= self.overlap <= MOST_ANNOTATORS:
            raise SpecRefusedError(f"An overlap of {self.overlap} is out of range: use 1 to {MOST_ANNOTATORS}.")
        if self.members and len(self.members) < self.overlap:
            raise SpecRefusedError(
                f"Each image needs {self.overlap} annotators, but only {len(self.members)} may answer: "
                f"allow more annotators, or lower the overlap."
            )
        if self.deadline is not None and self.deadline <= datetime.now(UTC):
            raise SpecRefusedError(f"The deadline {self.deadline:%Y-%m-%d %H:%M} UTC has passed: choose a later one.")
        if sum(self.budgets.values()) < 1:
            raise SpecRefusedError("A campaign needs images: give at least one class a budget.")
        if not 0 <= self.n_gold <= sum(self.budgets.values()):
            n_images = sum(self.budgets.values())
            raise SpecRefusedError(
                f"{self.n_gold} gold images were asked for: give 0 to {n_images}, the number of images of the campaign."
            )


def default_name(share: float, seed: int | None = None, *, exact: bool = False) -> str:
    """What a campaign over a share of a split is called where nobody names it.

    `slim run` finds its campaigns again by their names: below 1 % a tenth of it may be as much as the share itself.
    ``exact``: where another campaign has the name of the rounded share.
    """
    is_told = share >= 0.01 or round(1_000 * share, 6).is_integer()
    rounded = in_percent(share) if is_told else f"{100 * share:.3g}"
    name = f"Candidates {f'{100 * share:.12g}' if exact else rounded} %"
    return name if seed is None else f"{name}, seed {seed}"


def free_name(store: Store, dataset: str, name: str) -> str:
    """The name, with a number behind it where a campaign of the data set has it already."""
    return formatting.free_name(name, {one.name for one in store.campaigns.all(dataset)})


@dataclass(frozen=True, eq=False)
class Candidates:
    """The images a plan asks about, in the order in which they are asked."""

    positions: np.ndarray  # (n,) in the space
    rows: np.ndarray  # (n,) in the data set's table
    labels: np.ndarray  # (n,)


def candidates(store: Store, plan: Plan) -> Candidates:
    """Choose the images, and put them in an order in which neighbours do not follow each other.

    Raises:
        SpecRefusedError: a budget above its class, or what the choice needs is missing.
        AnswersRefusedError: the earlier campaign belongs to another space.
    """
    space = _Space(store, plan.space)
    chosen = {"kmeans": _by_kmeans, "selection": _by_selection}[plan.choice](plan, space)
    order = spread_order(space.points[chosen], space.labels[chosen], plan.seed)
    positions = chosen[order]
    return Candidates(positions, space.rows[positions], space.labels[positions])


def open_campaign(store: Store, plan: Plan, by: str) -> Campaign:
    """Open the campaign of a plan.

    Gold images are drawn among the candidates; their right answers come from the masks where there are any, else the
    lead sets them (``store.decisions.set_gold``): options.gold names their rows.

    Raises:
        SpecRefusedError: as ``candidates``, or an example image is not in the data set.
        AnswersRefusedError: as ``candidates``.
    """
    run = store.runs.fetch(plan.space)
    found = candidates(store, plan)
    _check_examples(plan, len(store.datasets.table(run.dataset_id)))
    gold = np.random.default_rng([plan.seed, 0x601D]).permutation(found.rows)[: plan.n_gold]
    settings = CampaignSettings(
        split=run.spec["split"],
        guideline=plan.guideline,
        seed=plan.seed,
        strategy=plan.choice,
        overlap=plan.overlap,
        deadline=plan.deadline,
        options=_options(plan, gold),
        gold=answers_by_masks(store, run, gold),
    )
    return store.campaigns.create(plan.name.strip() or "Campaign", run.dataset_id, run.id, found.rows, by, settings)


def create_campaign(
    store: Store,
    space: Run,
    *,
    share: float | None,
    seed: int,
    name: str | None,
    overlap: int = 1,
    n_gold: int = 0,
    by: str = "local",
) -> Campaign:
    """Choose candidates in the attention space of each class (METHOD.md S3) and open a campaign about them.

    ``share``: None for what is proposed; ``name``: None for one by the share that is asked, and free.

    Raises:
        SpecRefusedError: the share, the overlap or the number of gold images is out of range.
    """
    rows = SpaceResult(store.artifacts.folder(space.id)).rows
    budgets = budgets_of(store.datasets.table(space.dataset_id).labels[rows], share)
    if name is None:
        name = free_name(store, space.dataset_id, default_name(sum(budgets.values()) / len(rows), seed))
    return open_campaign(store, Plan(space.id, budgets, name=name, seed=seed, overlap=overlap, n_gold=n_gold), by)


def extend(store: Store, campaign: Campaign, n: int, by: str) -> Campaign:
    """Ask about the ``n`` images more that would help most, as the answers stand now.

    Raises:
        SpecRefusedError: n is below 1 or above the images that are left.
        AnswersRefusedError: the campaign is closed, or belongs to no space.
    """
    chosen = most_helpful(store, campaign, n)
    return store.campaigns.extend(campaign.id, chosen.rows, by)


def most_helpful(store: Store, campaign: Campaign, n: int) -> Candidates:
    """The ``n`` images whose answers would help most now, in an order to be asked in."""
    space = answered_space(store, campaign.id)
    asked = np.isin(space.rows, [item.row for item in store.campaigns.items(campaign.id)])
    chosen = helpful_candidates(space.points, space.labels, space.scores, asked, n)
    positions = chosen[spread_order(space.points[chosen], space.labels[chosen], campaign.seed)]
    return Candidates(positions, space.rows[positions], space.labels[positions])


def answers_by_masks(store: Store, space: Run, rows: np.ndarray) -> dict[int, int]:
    """Row -> 1 or 0 by the attention precision, for those of the rows (n,) that have a mask."""
    attention = store.lineage.attention_of(space)
    seen = AttentionResult(store.artifacts.folder(attention.id))
    if not seen.has_scores:
        return {}
    precision = seen.scores(["row", ATTENTION_PRECISION]).set_index("row")[ATTENTION_PRECISION]
    known = precision.reindex(rows).dropna()
    values = judge(known.to_numpy(float))
    return {int(row): int(value) for row, value in zip(known.index, values, strict=True)}


class _Space:
    """The n images of a space run."""

    def __init__(self, store: Store, run_id: str) -> None:
        run, space = store.runs.fetch(run_id), SpaceResult(store.artifacts.folder(run_id))
        self.rows = space.rows
        self.labels = store.datasets.table(run.dataset_id).labels[self.rows]
        self.points = space.points()


def _by_kmeans(plan: Plan, space: _Space) -> np.ndarray:
    return kmeans_candidates(space.points, space.labels, plan.budgets, plan.seed)


def _by_selection(plan: Plan, space: _Space) -> np.ndarray:
    inside = np.isin(space.rows, plan.selection)
    if not inside.any():
        raise SpecRefusedError("No image of this space is selected: select some on the Space page, or use kmeans.")
    picks = [np.empty(0, np.int64)]
    for label, budget in sorted(plan.budgets.items()):
        members = np.flatnonzero(inside & (space.labels == label))
        check_budget(label, budget, len(members), "selected images")
        picks.append(members[pick_diverse(space.points[members], budget, N_NEAREST, plan.seed)])
    return np.concatenate(picks)


def _check_examples(plan: Plan, n_images: int) -> None:
    for kind, rows in plan.examples.items():
        if kind not in ("right", "wrong"):
            raise SpecRefusedError(f"Examples are right or wrong, not {kind!r}.")
        if len(rows) > MOST_EXAMPLES:
            raise SpecRefusedError(f"{len(rows)} examples of {kind} are too many: give {MOST_EXAMPLES}.")
        for row in rows:
            if not 0 <= row < n_images:
                raise SpecRefusedError(f"Example image {row} does not exist: the data set has 0 to {n_images - 1}.")


def _options(plan: Plan, gold: np.ndarray) -> dict[str, Any]:
    opened: dict[str, Any] = {"run": plan.run} if plan.run else {}
    return opened | {
        "examples": {kind: list(rows) for kind, rows in plan.examples.items() if rows},
        "blind": plan.blind,
        "members": [name.strip() for name in plan.members],
        "gold": sorted(gold.tolist()),
        **class_options(plan.absent, plan.guidelines),
    }
