"""The whole loop once: the runs of a data set, one after another, through whatever executes them.

train -> gradcam -> space -> candidates -> answers -> curate -> retrain -> evaluate (DESIGN.md, how data flows).
The same code serves `slim run` in one process, `make demo` through the queue, and the benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from slim_core.annotation.candidates import default_budgets
from slim_core.annotation.plan import Plan, default_name, open_campaign
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.curation import default_subset_size
from slim_core.errors import SpecRefusedError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.metrics import ADJUSTED, AIOU, ATTENTION_PRECISION, AVERAGE, GROUPS, WGA, WORST_CLASS
from slim_core.parameters import BuiltByHand, Seed, Shown
from slim_core.percent import percent
from slim_core.runs.executor import Workbench
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import (
    CurateSpec,
    EvaluateSpec,
    GradcamSpec,
    Option,
    SpaceSpec,
    TrainSpec,
)
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Campaign, Run, Store

Retrain = Literal["scratch", "reference", "last-layer"]

ERM = "erm"
ORACLE = "oracle"
ANSWERED = ("slim", "slim-reference")  # methods that use the campaign's answers
FROM_REFERENCE = ("model", "weights", "checkpoint", "image_size")  # fields that a retraining takes over
METHODS = (ERM, *ANSWERED, "random", "class-balanced", ORACLE)
_NAMED = Shown(place="nowhere", on_command_line=False)


class LoopConfig(BuiltByHand):
    """One pass through the loop."""

    dataset: Annotated[str, _NAMED] = Field(title="Data set", description="Id of a registered data set.")
    seed: Annotated[Seed, _NAMED] = 0
    answers: Annotated[float, Shown(advice="give a share above 0 and at most 1, such as 0.03")] = Field(
        default=0.03, gt=0, le=1, title="Answers", description="Share of the training images asked about, at most."
    )
    model: str = Field(default="small-resnet", title="Model", description="small-resnet, or a torchvision classifier.")
    retrain: Retrain = Field(default="reference", title="Retrain", description="What every subset is retrained from.")
    size: Annotated[
        int | None, Shown(called="The size of the subsets", advice="give 1 or more images, or leave it out")
    ] = Field(default=None, ge=1, title="Images in a subset", description="Images of every subset.")
    flip: float = Field(default=0.0, title="Flipped", description="Share of the simulated answers that is flipped.")
    unsure: float = Field(default=0.0, title="Unsure", description="Share of the simulated answers withheld.")
    train: Annotated[dict[str, Any], _NAMED] = Field(
        default_factory=dict, title="Training", description="Fields of TrainSpec, for the reference and the retraining."
    )
    options: Annotated[dict[str, Option], _NAMED] = Field(
        default_factory=dict, title="Options", description="Settings of the curation strategies that use answers."
    )


@dataclass(frozen=True)
class Outcome:
    """A method's model on the test split, and what it took to get there."""

    method: str
    seed: int
    model: Run  # the train run
    evaluation: Run
    subset: Run | None  # the curate run
    n_images: int
    n_unique: int
    n_answers: int
    answers_share: float
    seconds: float  # of computing: the model's run and every run it descends from

    def to_json(self) -> dict[str, Any]:
        """One entry of `slim run --json`."""
        metrics = self.evaluation.metrics or {}
        keys = (WGA, AVERAGE, ADJUSTED, WORST_CLASS, GROUPS, AIOU, ATTENTION_PRECISION)
        return {
            "seed": self.seed,
            **{key: metrics.get(key) for key in keys},
            "answers": self.n_answers,
            "answers_share": self.answers_share,
            "images": self.n_images,
            "images_unique": self.n_unique,
            "seconds": self.seconds,
        }


class Loop:
    """The runs of one data set and seed. Each is submitted when first asked for, and awaited."""

    def __init__(self, at: Workbench, config: LoopConfig, *, annotate: Callable[[Campaign], int] | None = None) -> None:
        """``annotate`` answers a campaign; by default the simulated annotator does, from the masks."""
        self.at, self.store, self.config = at, at.store, config
        self._annotate = annotate or self._simulate

    @cached_property
    def table(self) -> ImageTable:
        """The data set."""
        return self.store.datasets.table(self.config.dataset)

    @cached_property
    def reference(self) -> Run:
        """The ERM model."""
        spec = parse_spec({"kind": "train", **self._common(), "model": self.config.model, **self.config.train})
        return self.at.run(spec, name="ERM reference")

    @cached_property
    def attention(self) -> Run:
        """Maps and features of the reference model, in one pass."""
        return self.at.run(GradcamSpec(**self._common(), model=self.reference.id), name="Where the reference looks")

    @cached_property
    def space(self) -> Run:
        """The attention spaces and environment clusters of train."""
        return self.at.run(SpaceSpec(**self._common(), attention=self.attention.id), name="Attention space of train")

    @cached_property
    def test_space(self) -> Run | None:
        """Clusters of test, which replace missing attributes; None where there are attributes."""
        if self.table.has_attributes:
            return None
        return self.at.run(
            SpaceSpec(**self._common(), attention=self.attention.id, split="test"), name="Attention space of test"
        )

    @cached_property
    def campaign(self) -> Campaign:
        """The answered campaign."""
        campaign = find_or_create_campaign(self.store, self.space, self.config.answers, self.config.seed, self._noise)
        self._annotate(campaign)
        return campaign

    def subset(self, strategy: str) -> Run:
        """The images a strategy chooses."""
        answered = strategy in ANSWERED
        spec = CurateSpec(
            **self._common(),
            space=self.space.id,
            campaign=self.campaign.id if answered else None,
            answers_seq=self.store.answers.last_seq(self.campaign.id) if answered else None,
            strategy=strategy,
            size=self.size,
            options=self.config.options if answered else {},
        )
        return self.at.run(spec, name=f"Subset by {strategy}")

    def retrained(self, subset: Run) -> Run:
        """The model trained on a subset."""
        spec = retrain_spec(self.reference, subset, self.config.retrain, self.config.seed, self.config.train)
        return self.at.run(spec, name=f"Retrained on {subset.spec['strategy']}")

    def evaluation(self, model: Run) -> Run:
        """The metrics of a model on test."""
        space = self.test_space
        spec = EvaluateSpec(**self._common(), model=model.id, space=space.id if space else None)
        return self.at.run(spec, name=f"{model.name} on test")

    def outcome(self, method: str) -> Outcome:
        """A method from its data to its metrics.

        Raises:
            SpecRefusedError: there is no such method, or it needs attributes that the data set does not have.
        """
        check_method(method, self.table)
        subset = None if method == ERM else self.subset(method)
        model = self.reference if subset is None else self.retrained(subset)
        chosen = (subset or model).metrics or {}
        return Outcome(
            method=method,
            seed=self.config.seed,
            model=model,
            evaluation=self.evaluation(model),
            subset=subset,
            n_images=chosen["images"],
            n_unique=chosen["images_unique"],
            n_answers=chosen.get("answers", 0),
            answers_share=chosen.get("answers_share", 0.0),
            seconds=round(Ancestry.read(self.store, model.dataset_id).seconds(model), 3),
        )

    @property
    def size(self) -> int:
        """Images of every subset."""
        given = self.config.size
        return default_subset_size(len(self.table.rows("train"))) if given is None else given

    @property
    def _noise(self) -> str:
        """Part of the campaign's name: answers with other errors are another campaign."""
        flip, unsure = self.config.flip, self.config.unsure
        return f", {percent(flip, 0)} flipped, {percent(unsure, 0)} unsure" if flip or unsure else ""

    def _common(self) -> dict[str, Any]:
        return {"dataset": self.config.dataset, "seed": self.config.seed}

    def _simulate(self, campaign: Campaign) -> int:
        config = self.config
        return simulate_answers(self.store, campaign.id, flip=config.flip, unsure=config.unsure, seed=config.seed)


def check_method(method: str, table: ImageTable) -> None:
    """Refuse a method that does not exist or that the data cannot serve.

    Raises:
        SpecRefusedError: there is no such method, or the data set lacks the attributes it needs.
    """
    if method not in METHODS:
        raise SpecRefusedError(f"There is no method {method!r}: choose among {', '.join(METHODS)}.")
    if method == ORACLE and not table.has_attributes:
        raise SpecRefusedError(
            f"{table.name} has no attribute column, which the oracle balances by: leave the oracle out."
        )


def retrain_spec(
    reference: Run, subset: Run, retrain: Retrain, seed: int, fields: dict[str, Any] | None = None
) -> TrainSpec:
    """The spec that retrains the reference's architecture on a subset, one of three ways."""
    common = {key: reference.spec[key] for key in ("dataset", *FROM_REFERENCE)}
    how: dict[str, Any] = {
        "scratch": {},
        "reference": {"start": "reference", "reference": reference.id},
        "last-layer": {"mode": "last-layer", "reference": reference.id},
    }[retrain]
    spec = parse_spec({"kind": "train", **common, **how, "subset": subset.id, "seed": seed, **(fields or {})})
    assert isinstance(spec, TrainSpec)
    return spec


def find_or_create_campaign(
    store: Store, space: Run, share: float, seed: int, suffix: str = "", by: str = "local"
) -> Campaign:
    """The campaign of this space, share and seed, created if it does not exist."""
    name = default_name(share, seed) + suffix
    for campaign in store.campaigns.all():
        if campaign.name == name and campaign.space_run_id == space.id:
            return campaign
    return create_campaign(store, space, share=share, seed=seed, name=name, by=by)


def create_campaign(
    store: Store,
    space: Run,
    *,
    share: float,
    seed: int,
    name: str,
    overlap: int = 1,
    n_gold: int = 0,
    by: str = "local",
) -> Campaign:
    """Choose candidates in the attention space of each class (METHOD.md S3) and open a campaign about them.

    Raises:
        SpecRefusedError: the share, the overlap or the number of gold images is out of range.
    """
    rows = SpaceResult(store.artifacts.folder(space.id)).rows
    budgets = default_budgets(store.datasets.table(space.dataset_id).labels[rows], share)
    return open_campaign(store, Plan(space.id, budgets, name=name, seed=seed, overlap=overlap, n_gold=n_gold), by)
