"""What a campaign that nobody names is called."""

from __future__ import annotations

from slim_core.annotation.plan import create_campaign
from slim_core.formatting import in_percent


def test_a_campaign_is_named_by_the_share_that_is_asked_and_not_as_another_one(looped) -> None:
    store, space = looped.at.store, looped.loop.space
    n = len(looped.loop.table.rows("train"))
    first, second = (create_campaign(store, space, share=0.0001, seed=7, name=None) for _ in range(2))
    asked = len(looped.loop.table.label_names)  # one of each class, the fewest there can be
    assert first.name == f"Candidates {in_percent(asked / n)} %, seed 7" != "Candidates 0.0 %, seed 7"
    assert second.name == f"{first.name} (2)" and second.id != first.id
