"""The attention that a campaign asks about: the gradcam run behind it, or behind a space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slim_core.errors import AnswersRefusedError

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store


def gradcam_of(store: Store, campaign: Campaign) -> Run:
    """The gradcam run whose attention a campaign asks about.

    Raises:
        AnswersRefusedError: it belongs to no space, its space was deleted, or that has no attention to show.
    """
    if campaign.space_run_id is None:
        raise AnswersRefusedError(
            f"Campaign {campaign.id} belongs to no attention space, so it has no attention to show."
        )
    store.campaigns.require_space(campaign)
    return gradcam_of_space(store, store.runs.fetch(campaign.space_run_id))


def gradcam_of_space(store: Store, space: Run) -> Run:
    """The gradcam run a space was made from, or one that looked at the same images with the same model.

    Raises:
        AnswersRefusedError: the space was made from features alone, and there is no such run.
    """
    found = store.lineage.attention_of(space)
    if found is not None:
        return found
    attention, split = store.runs.fetch(space.spec["attention"]), space.spec["split"]
    model, class_of_map = attention.spec["model"], attention.spec["class_of_map"]
    raise AnswersRefusedError(
        f"Space {space.id} was made from features alone ({attention.id}), so it has no attention to show: "
        f"compute it (slim gradcam --model {model} --splits {split} --class-of-map {class_of_map}), and keep the space."
    )
