"""What pages change in campaigns and among members. Each action checks the viewer's role again.

All raise SlimErrors: ForbiddenError where the role does not suffice; the store keeps an event of every write.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app import session
from app.services import actions, subset
from slim_core.annotation import plan as campaign_plan
from slim_core.annotation.answer_import import ImportedAnswers, import_file
from slim_core.curation.data import SLIM
from slim_core.errors import ForbiddenError
from slim_core.runs.trainings import usual_curation_of
from slim_core.store.members import Role

if TYPE_CHECKING:
    from slim_core.annotation.plan import Plan
    from slim_core.store import Campaign, Decision, Run


def open_campaign(plan: Plan) -> Campaign:
    """Open the campaign of a plan (needs lead)."""
    return campaign_plan.open_campaign(session.store(), plan, session.acting_as("lead"))


def extend(campaign: Campaign, n: int) -> Campaign:
    """Ask about the n images more that would help most (needs lead)."""
    return campaign_plan.extend(session.store(), campaign, n, session.acting_as("lead"))


def close(campaign: Campaign) -> None:
    """Take no more answers (needs lead)."""
    session.store().campaigns.close(campaign.id, session.acting_as("lead"))


def reopen(campaign: Campaign) -> None:
    """Take answers again (needs lead)."""
    session.store().campaigns.reopen(campaign.id, session.acting_as("lead"))


def set_deadline(campaign: Campaign, deadline: datetime | None) -> None:
    """Move the deadline (needs lead)."""
    session.store().campaigns.set_deadline(campaign.id, deadline, session.acting_as("lead"))


def set_members(campaign: Campaign, members: Sequence[str]) -> None:
    """Say who may answer (needs lead)."""
    session.store().campaigns.set_members(campaign.id, members, session.acting_as("lead"))


def set_classes(campaign: Campaign, absent: Sequence[int], guidelines: Mapping[int, str]) -> None:
    """Say which classes are the absence of something, and their guidelines (needs lead)."""
    session.store().campaigns.set_classes(campaign.id, absent, guidelines, session.acting_as("lead"))


def set_gold(campaign: Campaign, known: Mapping[int, int | None]) -> None:
    """Set known answers by item (needs lead)."""
    session.store().decisions.set_gold(campaign.id, known, session.acting_as("lead"))


def decide(campaign: Campaign, item: int, value: int, seen: Mapping[str, Any], duration_ms: int) -> None:
    """Decide about an item (needs lead)."""
    from slim_core.store import AnswerIn

    by = session.acting_as("lead")
    decision = AnswerIn(secrets.token_hex(16), item, value, seen, duration_ms)
    session.store().decisions.decide(campaign.id, by, decision)


def take_back(campaign: Campaign, made: Decision) -> None:
    """Take a decision back, one's own or, as it says whose it is, that of another (needs lead)."""
    from slim_core.store import AnswerIn

    by = session.acting_as("lead")
    session.store().decisions.decide(campaign.id, by, AnswerIn(secrets.token_hex(16), made.item_id, None), made.by)


def import_answers(
    campaign: Campaign, content: bytes, name: str, *, annotator: str, leave_out_unfit: bool
) -> ImportedAnswers:
    """Keep the answers of a file of this name (needs lead)."""
    by = session.acting_as("lead")
    annotator = annotator.strip() or by
    return import_file(
        session.store(), campaign, content, by, annotator=annotator, leave_out_unfit=leave_out_unfit, name=name
    )


def curate(campaign: Campaign) -> Run:
    """Keep the default subset of the answers as they stand as a run that waits (needs lead); ``wake`` follows."""
    return actions.save(subset_spec(campaign), name=f"Subset from {campaign.name}")[0]


def subset_spec(campaign: Campaign) -> dict[str, Any]:
    """The default subset of the answers as they stand."""
    store, space = session.store(), str(campaign.space_run_id)
    size, options = usual_curation_of(store, store.runs.fetch(space))
    choice = subset.SubsetChoice(space, campaign.id, SLIM, size, 0, tuple(options.items()))
    return choice.spec(campaign.dataset_id)


def set_member(email: str, role: Role) -> None:
    """Add a person, or change what they may do (needs admin)."""
    session.store().members.set_role(email, role, by=session.acting_as("admin"))


def remove_member(email: str) -> None:
    """Take a person out (needs admin); their answers stay."""
    by = session.acting_as("admin")
    if email == by:
        raise ForbiddenError("You cannot remove yourself. Ask another admin.")
    session.store().members.remove(email, by=by)
