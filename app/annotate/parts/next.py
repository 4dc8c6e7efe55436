"""The one next step at the end of the Annotate page, by the part that is open and by how far the campaign is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.annotate.parts.sections import ANSWER, ENVIRONMENTS, NEW
from app.ui import next_step
from slim_core.annotation.convergence import stability
from slim_core.errors import SlimError

if TYPE_CHECKING:
    from slim_core.store import Campaign


def _all_answered(campaign: Campaign) -> str:
    """What follows, in the same opinion as *Do more answers help?* has."""
    try:
        can_stop = stability(session.store(), campaign.id).can_stop
    except SlimError:  # its space or images are gone, as the page says above
        return "all images are answered: curate a subset from these answers."
    if can_stop:
        return "all images are answered, and more would change little: curate a subset from these answers."
    return "all images are answered. More answers still help: use *Add images* under Campaign, or curate a subset now."


def show(campaign: Campaign | None, section: str) -> None:
    """``campaign``: the one that is picked; None where there is none yet."""
    if campaign is None or section == NEW:
        next_step.here("press *Open the campaign*. Its images can be answered right away.")
        return
    if campaign.space_run_id is not None and not session.store().campaigns.has_space(campaign):
        next_step.show(
            "import its answers into a campaign on another space.", "annotate", "New campaign", section="new"
        )
        return
    if section == ENVIRONMENTS:  # says itself what is next
        return
    link = {"dataset": campaign.dataset_id, "space": str(campaign.space_run_id), "campaign": campaign.id}
    progress = session.store().assignments.progress(campaign.id, "")
    if progress.done >= progress.total:
        next_step.show(_all_answered(campaign), "curate", "Curate", **link)
    elif campaign.status != "open":
        next_step.show("the campaign is closed: curate a subset from its answers.", "curate", "Curate", **link)
    elif section == ANSWER:
        sentence = "answer the remaining images, or curate a subset from the answers so far."
        next_step.show(sentence, "curate", "Curate with these answers", **link)
    else:
        next_step.show("answer the remaining images.", "annotate", "Answer", section="answer", **link)
