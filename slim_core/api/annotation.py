"""Which images people are asked about, their answers, and the subset that follows from these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slim_core.annotation.plan import create_campaign
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.curation import ANSWERED, NEEDS_ANSWERS
from slim_core.runs.executor import Workbench, open_workbench
from slim_core.runs.resolve import a_run, find_newest_campaign, newest_campaign
from slim_core.runs.trainings import (
    usual_curation_of,
)
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import Option

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run

NO_CAMPAIGN = "none"  # in place of a campaign's id: no answers are used


def choose_candidates(
    space: str | None = None,
    *,
    share: float | None = None,
    seed: int = 0,
    name: str | None = None,
    overlap: int = 1,
    gold: int = 0,
    at: Workbench | None = None,
) -> Campaign:
    """Open a campaign about a share of the space's images; without one, about what ``candidates.budgets_of`` proposes.

    Called again it returns the same campaign, as long as nobody has answered it. ``overlap``: how many people answer
    each; ``gold``: images whose right answer is known.
    """
    at = at or open_workbench()
    run = a_run(at, space, "space", fits=_of_train)
    return create_campaign(at.store, run, share=share, seed=seed, name=name, overlap=overlap, n_gold=gold, by=at.by)


def answer_from_masks(
    campaign: str | None = None,
    *,
    threshold: float = 0.5,
    flip: float = 0.0,
    unsure: float = 0.0,
    seed: int = 0,
    at: Workbench | None = None,
) -> int:
    """Answer a campaign with the simulated annotator; returns the number of answers."""
    at = at or open_workbench()
    chosen = newest_campaign(at).id if campaign is None else campaign
    return simulate_answers(at.store, chosen, threshold=threshold, flip=flip, unsure=unsure, seed=seed)


def curate(
    campaign: str | None = None,
    *,
    strategy: str = "slim",
    size: int | None = None,
    space: str | None = None,
    seed: int = 0,
    options: Mapping[str, Option] | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Propagate a campaign's answers and choose a subset; ``options`` are the strategy's own, ``fields`` of CurateSpec.

    A strategy that uses answers takes those of the newest campaign, where none is named and there is one; NO_CAMPAIGN
    keeps it from that. ``size`` and ``options`` that are left out are those that are usual for the reference model.

    Raises:
        NotFoundError: there is no campaign of that id, or none at all, and the strategy cannot do without answers.
        SpecRefusedError: the space is not of train, or there is no such strategy or option.
    """
    from slim_core.curation import check_options

    check_options(strategy, options or {})
    at = at or open_workbench()
    chosen = _campaign_for(strategy, campaign, space, at)
    run = _space_to_train_on(space, chosen, at)
    usual_size, usual = usual_curation_of(at.store, run, strategy)
    spec = {
        "kind": "curate",
        "dataset": run.dataset_id,
        "space": run.id,
        **_answers_now(chosen, at),
        "strategy": strategy,
        "size": usual_size if size is None else size,
        "seed": seed,
        "options": {**usual, **(options or {})},
        **fields,
    }
    return at.run(parse_spec(spec), name=f"Subset by {strategy}", force=force)


def _campaign_for(strategy: str, campaign: str | None, space: str | None, at: Workbench) -> Campaign | None:
    if campaign == NO_CAMPAIGN:
        return None
    if campaign is not None:
        return at.store.campaigns.fetch(campaign)
    if strategy in NEEDS_ANSWERS:
        return newest_campaign(at, space)
    return find_newest_campaign(at, space) if strategy in ANSWERED else None


def _space_to_train_on(space: str | None, campaign: Campaign | None, at: Workbench) -> Run:
    """The space that is named, else that of the campaign, else the newest of train."""
    from slim_core.steps.curate import require_train

    of_campaign = campaign.space_run_id if campaign else None
    run = a_run(at, of_campaign if space is None else space, "space", fits=_of_train)
    require_train(run)
    return run


def _answers_now(campaign: Campaign | None, at: Workbench) -> dict[str, Any]:
    """Fields of CurateSpec: the answers that a campaign has by now."""
    if campaign is None:
        return {"campaign": None, "answers_seq": None}
    return {"campaign": campaign.id, "answers_seq": at.store.answers.last_seq(campaign.id)}


def _of_train(space: Run) -> bool:
    return bool(space.spec["split"] == "train")
