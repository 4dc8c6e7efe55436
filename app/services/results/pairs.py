"""Pairs of a reference and a model retrained on a subset of its images: what an overview can be about."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app import session
from slim_core.curation import ANSWERED
from slim_core.evaluation.comparison import ELSEWHERE, given_name, method_of, scored_last, titled
from slim_core.models.names import short_name
from slim_core.steps.specs import refits
from slim_core.store.runs.states import ACTIVE

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

RANKS = {"done": 2, **dict.fromkeys(ACTIVE, 1)}  # of a run that a loop may be about: the highest first


@dataclass(frozen=True)
class Result:
    """A reference model and, where it has come so far, a model retrained on a subset of its images: both evaluated.

    ``id``: of the evaluation of the retrained model; of the reference model where there is none.
    """

    reference: Run
    before: Run | None = None  # finished evaluation of the reference
    subset: Run | None = None
    model: Run | None = None  # trained on the subset
    after: Run | None = None  # finished evaluation of that model, of the same images in the same groups

    @property
    def id(self) -> str:
        """What an address names it by."""
        return (self.after or self.reference).id

    @property
    def name(self) -> str:
        """The models, by the names they were given too, their seeds, and when."""
        is_elsewhere = self.reference.spec.get("mode") == "registered"
        made = ELSEWHERE if is_elsewhere else f"seed {self.reference.spec['seed']}"
        store = session.store()
        dataset = store.datasets.fetch(self.reference.dataset_id)
        given = given_name(self.reference, dataset, store.notes)
        reference = titled(given, f"{short_name(self.reference.spec['model'])}, {made}")
        when = session.clock((self.after or self.reference).created_at)
        if self.model is None:
            return f"{reference}: no retrained model yet · {when}"
        made = f"{method_of(self.model, self.subset)}, seed {self.model.spec['seed']}"
        model = titled(given_name(self.model, dataset, store.notes), made)
        return f"{model} · from {reference} · {when}"


def results_of(runs: Sequence[Run], asked: Container[str] = ()) -> list[Result]:
    """What an overview can be about, the best to begin with first.

    Pairs before references that have led to none yet; of pairs those
    that used answers before those that could have, and these before others: what asks nobody and random subsets are
    there for comparison. Of references finished ones; of these, those that people are ``asked`` about: another training
    does not hide their answers. Then the newest.
    """
    by_id = {run.id: run for run in runs}
    evaluations = scored_last([run for run in runs if run.kind == "evaluate" and run.status == "done"])
    pairs = [pair for one in evaluations if (pair := _pair(one, evaluations, by_id)) is not None]
    pairs.sort(key=lambda pair: (used_answers(pair), _by_strategy_of_answers(pair), _created(pair)), reverse=True)
    paired = {pair.reference.id for pair in pairs}
    known = paired | stages(runs)
    open_ones = [Result(run) for run in runs if _is_reference(run) and run.id not in known]
    open_ones.sort(key=lambda one: (RANKS.get(one.reference.status, 0), one.id in asked, _created(one)), reverse=True)
    return [*pairs, *open_ones]


def asked_about(runs: Sequence[Run], campaigns: Sequence[Campaign]) -> set[str]:
    """The reference models whose attention the images of these campaigns were chosen by."""
    by_id = {run.id: run for run in runs}
    spaces = (by_id.get(one.space_run_id or "") for one in campaigns)
    found = (_above(space, by_id, ("attention", "model")) for space in spaces if space is not None)
    return {model.id for model in found if model is not None}


def stages(runs: Sequence[Run]) -> set[str]:
    """Models that were trained for what they say of images to the loss or refit of another, as the first of JTT."""
    trainings = [run for run in runs if run.kind == "train"]
    options = [run.spec.get(name) or {} for run in trainings for name in ("objective_options", "refit_options")]
    named = {value for each in options for value in each.values() if isinstance(value, str)}
    return {run.id for run in trainings if run.id in named and run.spec.get("selection") == "last"}


def _is_reference(run: Run) -> bool:
    return run.kind == "train" and not run.spec.get("subset") and not refits(run.spec)


def used_answers(result: Result) -> bool:
    """Whether its subset rests on any: a strategy that can use answers may be given none."""
    spec = result.subset.spec if result.subset is not None else {}
    return spec.get("strategy") in ANSWERED and bool(spec.get("answers_seq"))


def _by_strategy_of_answers(result: Result) -> bool:
    return result.subset is not None and result.subset.spec.get("strategy") in ANSWERED


def _created(result: Result) -> datetime:
    return (result.after or result.reference).created_at


def _pair(after: Run, evaluations: Sequence[Run], by_id: Mapping[str, Run]) -> Result | None:
    """The pair whose second half this evaluation is; None where it is of no retrained model, or its reference's is
    missing."""
    model = by_id.get(after.spec["model"])
    subset = by_id.get(model.spec.get("subset") or "") if model else None
    reference = _above(subset, by_id) if subset else None
    if reference is None:
        return None
    of_reference = (one for one in evaluations if one.spec["model"] == reference.id)
    fits = (one for one in of_reference if counted_by(one.spec) == counted_by(after.spec))
    before = max(fits, key=lambda one: one.created_at, default=None)
    return None if before is None else Result(reference, before, subset, model, after)


def counted_by(evaluation: Mapping[str, Any]) -> tuple[str | None, ...]:
    """Which images an evaluation is of, and by which groups it counts."""
    return tuple(evaluation.get(name) for name in ("split", "space"))


def _above(subset: Run, by_id: Mapping[str, Run], roles: Sequence[str] = ("space", "attention", "model")) -> Run | None:
    """The reference model of a subset: curate, space, attention, model; or of a space, by its ``roles``."""
    found: Run | None = subset
    for role in roles:
        found = by_id.get(found.spec.get(role) or "") if found else None
    return found
