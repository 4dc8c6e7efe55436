"""Choose the images to ask people about, and open a campaign about them (METHOD.md S3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slim_core.annotation.candidates import budgets_of, why_more
from slim_core.annotation.plan import Plan, default_name, free_name, open_campaign
from slim_core.steps.context import StepContext
from slim_core.steps.specs import CandidatesSpec
from slim_core.store.results import SpaceResult

if TYPE_CHECKING:
    from slim_core.store import Campaign

PHASE = "choosing images"


def run(spec: CandidatesSpec, context: StepContext) -> dict[str, Any]:
    """Open the campaign in the name of who submitted the run; once, however many attempts the run takes.

    Raises:
        SpecRefusedError: a class has fewer images than are asked about.
        AnswersRefusedError: the space has no attention maps, so that nobody could see what is asked about.
    """
    context.progress(0, 1, PHASE)
    campaign = _open(spec, context)
    context.progress(1, 1, PHASE)
    return {"campaign": campaign.id, "images": sum(campaign.budgets.values()), "classes": len(campaign.budgets)}


def _open(spec: CandidatesSpec, context: StepContext) -> Campaign:
    """A new campaign, or that of an attempt that was lost after it had opened it (``Campaigns.create``)."""
    store = context.store
    labels = context.table(spec.dataset).labels[SpaceResult(context.parent(spec.space)).rows]
    budgets = budgets_of(labels, spec.share)
    if spec.share is None and (why := why_more(sum(budgets.values()), len(labels))):
        context.log.info("%s", why)
    name = free_name(store, spec.dataset, default_name(sum(budgets.values()) / len(labels)))
    plan = Plan(spec.space, budgets, name=name, seed=spec.seed, run=context.run_id)
    context.check_stop()
    return open_campaign(store, plan, store.runs.fetch(context.run_id).created_by)
