"""The runs of one data set and seed, of which every method is made: each submitted when first asked for, and awaited.

train -> gradcam -> space -> candidates -> answers -> curate -> retrain -> evaluate (DESIGN.md, how data flows).
The methods themselves are in slim_core.runs.methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from slim_core.annotation.candidates import DEFAULT_SHARE, budgets_of
from slim_core.annotation.plan import Plan, default_name, open_campaign
from slim_core.annotation.simulated_annotator import check_shares, simulate_answers
from slim_core.curation import ANSWERED
from slim_core.curation.data import SLIM
from slim_core.data.table import Split, is_too_small
from slim_core.formatting import NO_BREAK
from slim_core.models.names import MODEL_HELP, SMALL_RESNET
from slim_core.parameters import Display, PublicConfig, Seed
from slim_core.runs.executor import Workbench
from slim_core.runs.trainings import (
    PROBE,
    REFIT,
    Retrain,
    first_training,
    retrain_spec,
    retrained_name,
    train_spec,
    usual_curation,
)
from slim_core.steps.specs import CurateSpec, EvaluateSpec, GradcamSpec, Option, SpaceSpec
from slim_core.store.results import SpaceResult
from slim_core.training.config import to_convergence

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Campaign, Run, Store

_NAMED = Display(place="nowhere", on_command_line=False)


class LoopConfig(PublicConfig):
    """One pass through the loop."""

    dataset: Annotated[str, _NAMED] = Field(title="Data set", description="Id of a registered data set.")
    seed: Annotated[Seed, _NAMED] = 0
    draw: Annotated[int, _NAMED] = Field(
        default=0,
        ge=0,
        title="Draw",
        description="Which draw of what chance decides on the same reference: images asked about, clusters, picks.",
    )
    answers: Annotated[float, Display(advice="give a share above 0 and at most 1, such as 0.03")] = Field(
        default=DEFAULT_SHARE,
        gt=0,
        le=1,
        title="Answers",
        description="Share of the training images asked about, at most.",
    )
    model: str = Field(default=SMALL_RESNET, title="Model", description=MODEL_HELP)
    reference_epochs: Annotated[
        int | None, Display(called="The epochs of the reference", advice="give 1 or more, or leave it out")
    ] = Field(
        default=None,
        ge=1,
        title="Epochs of the reference",
        description="Those of the model whose attention is annotated: after few, it shows the shortcut best.",
    )
    converged: bool = Field(
        default=False,
        title="Start from a converged model",
        description="Retrain from an ERM whose worst class on validation no longer improves, not from the reference.",
    )
    retrain: Retrain = Field(default="reference", title="Retrain", description="What every subset is retrained from.")
    frozen: bool = Field(
        default=False,
        title="Last layers only",
        description="The reference is a new last layer of the pretrained network, and all that is retrained is its "
        "last layer: minutes without a GPU.",
    )
    maps_on_test: bool = Field(
        default=False,
        title="Attention on test",
        description="Evaluate last layers by the images, with their attention, in place of kept features.",
    )
    size: Annotated[
        int | None, Display(called="The size of the subsets", advice="give 1 or more images, or leave it out")
    ] = Field(default=None, ge=1, title="Images in a subset", description="Images of every subset.")
    flip: float = Field(
        default=0.0, ge=0, le=1, title="Flipped", description="Share of the simulated answers that is flipped."
    )
    unsure: float = Field(
        default=0.0, ge=0, le=1, title="Unsure", description="Share of the simulated answers withheld (unsure)."
    )
    train: Annotated[dict[str, Any], _NAMED] = Field(
        default_factory=dict, title="Training", description="Fields of TrainSpec, for the reference and the retraining."
    )
    options: Annotated[dict[str, Option], _NAMED] = Field(
        default_factory=dict, title="Options", description="Options of the curation strategies that use answers."
    )

    @model_validator(mode="after")
    def _check_before_any_work(self) -> Self:
        check_shares(self.flip, self.unsure)
        fields = self.training_fields(**(PROBE if self.frozen else {}))
        train_spec({"dataset": self.dataset, "model": self.model, **fields})
        return self

    @property
    def drawn_seed(self) -> int:
        """Of what follows the spaces: questions, answers, subsets, retrainings. Of the first draw, the data's."""
        return int(np.random.SeedSequence([self.seed, self.draw]).generate_state(1)[0]) if self.draw else self.seed

    def training_fields(self, **fields: Any) -> dict[str, Any]:
        """Fields of TrainSpec that train the model on all of train: these, and before them those of the config.

        Epochs without a patience stay as given: so many are what the model is about (an early reference, JTT's T, as
        many steps as SLIM). So does a patience of None beside them. With one they are an upper limit, which the config
        may lower.
        """
        is_exact = "epochs" in fields and fields.get("patience") is None
        exact: dict[str, Any] = {name: fields[name] for name in ("epochs", "patience") if is_exact and name in fields}
        return {"seed": self.seed, **fields, **self.train, **exact}


@dataclass(frozen=True)
class Trained:
    """What a method comes to."""

    model: Run  # the train run
    subset: Run | None = None  # the curate run, where it has one
    tried: tuple[Run, ...] = ()  # further train runs that were made to choose this model; they count as cost


class LoopRuns:
    """The runs of one data set and seed. Each is submitted when first asked for, and awaited."""

    def __init__(self, at: Workbench, config: LoopConfig, *, annotate: Callable[[Campaign], int] | None = None) -> None:
        """``annotate`` answers a campaign; by default the simulated annotator does, from the masks."""
        self.at, self.store, self.config = at, at.store, config
        self.is_simulated = annotate is None
        self._annotate = annotate or self._simulate

    @cached_property
    def table(self) -> ImageTable:
        """The data set."""
        return self.store.datasets.table(self.config.dataset)

    @cached_property
    def reference(self) -> Run:
        """The ERM model whose attention people judge; it is ended while it follows the shortcut.

        Of a frozen network it has converged: its loss is convex.
        """
        if self.config.frozen:
            return self.trained("Linear probe", **PROBE)
        early = self.config.reference_epochs
        return self.trained("ERM reference", **({} if early is None else {"epochs": early}))

    @cached_property
    def converged_erm(self) -> Run:
        """ERM until the worst class on validation has not risen for a fifth of the epochs so far."""
        if self.config.frozen:
            return self.reference
        return self.trained("ERM, converged", **to_convergence(self.config.model))

    @property
    def start(self) -> Run:
        """The ERM model that is retrained, and that a last layer is refitted for."""
        return self.converged_erm if self.config.converged else self.reference

    @cached_property
    def attention(self) -> Run:
        """Maps and features of the reference model, in one pass."""
        return self.at.run(GradcamSpec(**self._common(), model=self.reference.id), name="Attention of the reference")

    @cached_property
    def space(self) -> Run:
        """The attention spaces and environment clusters of train."""
        return self._space_of("train")

    @cached_property
    def test_space(self) -> Run | None:
        """Clusters of test, which replace missing attributes; None where there are some, or images are too few."""
        is_known = self.table.has_attributes
        return None if is_known or is_too_small(self.table, "test") else self._space_of("test")

    def _space_of(self, split: Split) -> Run:
        spec = SpaceSpec(**self._common(), attention=self.attention.id, split=split)
        return self.at.run(spec, name=f"Attention space of {split}")

    @cached_property
    def campaign(self) -> Campaign:
        """The answered campaign about train."""
        return self.answered_campaign(self.space, self.config.answers)

    def answered_campaign(self, space: Run, share: float) -> Campaign:
        """The answered campaign about a share of a space's images."""
        masked = self._masked_of(space) if self.is_simulated else None
        budgets = self._budgets(space, share, masked)
        name = self._name_of(space, share, budgets)
        campaign = find_campaign(self.store, space, name)
        if campaign is None:
            among: dict[str, Any] = {} if masked is None else {"choice": "selection", "selection": masked}
            plan = Plan(space.id, budgets, name=name, seed=self.config.drawn_seed, **among)
            campaign = open_campaign(self.store, plan, self.at.by)
        self._annotate(campaign)
        return campaign

    def _budgets(self, space: Run, share: float, among: tuple[int, ...] | None) -> dict[int, int]:
        """How many images of each class are asked about; ``among``: the only rows that can be; None: all."""
        rows, labels = SpaceResult(self.store.artifacts.folder(space.id)).rows, self.table.labels
        asked = budgets_of(labels[rows], share)
        if among is None:
            return asked
        there = np.bincount(labels[list(among)], minlength=labels.max() + 1)
        return {label: min(budget, int(there[label])) for label, budget in asked.items()}

    def _name_of(self, space: Run, share: float, budgets: Mapping[int, int]) -> str:
        """The name of the campaign that asks about so many of each class: shares with other budgets can round alike."""
        asked = {str(label): budget for label, budget in budgets.items() if budget}
        for exact in (False, True):
            name = self._not_of_people(space, default_name(share, self.config.drawn_seed, exact=exact) + self._noise)
            found = find_campaign(self.store, space, name)
            if found is None or found.budgets == asked:
                break
        return name

    def _not_of_people(self, space: Run, name: str) -> str:
        """The name, or where people answer in the campaign that has it, one under which none of theirs is touched."""
        found = find_campaign(self.store, space, name) if self.is_simulated else None
        return f"{name}, simulated" if found and self.store.answers.cost(found.id).people else name

    def _masked_of(self, space: Run) -> tuple[int, ...] | None:
        """Rows of a space that have a mask, where not all of them do: of others, nothing can be simulated."""
        rows = SpaceResult(self.store.artifacts.folder(space.id)).rows
        masked = rows[self.table.has_mask[rows]]
        return None if len(masked) == len(rows) else tuple(masked.tolist())

    def trained(self, name: str, **fields: Any) -> Run:
        """A model trained on all of train. ``fields``: as of ``LoopConfig.training_fields``."""
        dataset = self.store.datasets.fetch(self.config.dataset)
        given = {"model": self.config.model, **self.config.training_fields(**fields)}
        return self.at.run(first_training(dataset, **given), name=name)

    def subset(
        self,
        strategy: str,
        *,
        size: int | None = None,
        is_answered: bool = True,
        options: Mapping[str, Option] | None = None,
    ) -> Run:
        """The images a strategy chooses: as many as in every subset, or ``size``.

        Of a strategy that uses answers, ``is_answered``: whether there are any; ``options``: of CurateOptions; what is
        usual goes before them, and those of the config before both.
        """
        usual = self._usual(strategy)[1]
        campaign = self.campaign if strategy in ANSWERED and is_answered else None
        without = " without answers" if strategy in ANSWERED and not is_answered else ""
        spec = CurateSpec(
            dataset=self.config.dataset,
            seed=self.config.drawn_seed,
            space=self.space.id,
            campaign=campaign.id if campaign else None,
            answers_seq=self.store.answers.last_seq(campaign.id) if campaign else None,
            strategy=strategy,
            size=size or self.size,
            options={**(options or {}), **usual, **self.config.options} if strategy in ANSWERED else {},
        )
        return self.at.run(spec, name=f"Subset by {strategy}{without}")

    def retrained(self, subset: Run | None, **fields: Any) -> Run:
        """The model retrained on a subset, or on all of train. ``fields``: as of ``trained``."""
        kept = {**REFIT, "attention": self.attention.id} if self.config.frozen else {}
        given = {**kept, **fields, **self.config.train}
        how: Retrain = "last-layer" if self.config.frozen else self.config.retrain
        spec = retrain_spec(self.start, subset, how, self.config.drawn_seed, given)
        return self.at.run(spec, name=retrained_name(spec, subset))

    def evaluation(self, model: Run) -> Run:
        """The metrics of a model on test."""
        space = self.test_space
        spec = EvaluateSpec(
            **self._common(), model=model.id, space=space.id if space else None, **self._how_to_evaluate
        )
        return self.at.run(spec, name=f"{model.name} on test")

    @property
    def _how_to_evaluate(self) -> dict[str, Any]:
        """Fields of EvaluateSpec: of a frozen network, by its features, which are the same under every last layer."""
        by_features = self.config.frozen and not self.config.maps_on_test
        return {"attention": False, "features": self.attention.id} if by_features else {}

    @property
    def size(self) -> int:
        """Images of every subset."""
        return self._usual(SLIM)[0] if self.config.size is None else self.config.size

    def _usual(self, strategy: str) -> tuple[int, dict[str, Option]]:
        return usual_curation(len(self.table.rows("train")), strategy, of_probe=self.config.frozen)

    @property
    def _noise(self) -> str:
        """Part of the campaign's name: answers with other errors are another campaign."""
        flip, unsure = (f"{100 * share:.6g}{NO_BREAK}%" for share in (self.config.flip, self.config.unsure))
        return f", {flip} flipped, {unsure} unsure" if self.config.flip or self.config.unsure else ""

    def _common(self) -> dict[str, Any]:
        return {"dataset": self.config.dataset, "seed": self.config.seed}

    def _simulate(self, campaign: Campaign) -> int:
        config = self.config
        return simulate_answers(self.store, campaign.id, flip=config.flip, unsure=config.unsure, seed=config.drawn_seed)


def find_campaign(store: Store, space: Run, name: str) -> Campaign | None:
    """The campaign of this space and name."""
    every = store.campaigns.all()
    return next((one for one in every if one.name == name and one.space_run_id == space.id), None)
