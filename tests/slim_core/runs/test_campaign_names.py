"""What a campaign that nobody names is called."""

from __future__ import annotations

from slim_core.percent import in_percent
from slim_core.runs.loop_runs import create_campaign
from slim_core.store import AnswerIn


def test_a_campaign_is_named_by_the_share_that_is_asked_and_not_as_another_one(looped) -> None:
    store, space = looped.at.store, looped.loop.space
    n = len(looped.loop.table.rows("train"))
    first, again = (create_campaign(store, space, share=0.0001, seed=7, name=None) for _ in range(2))
    assert again.id == first.id, "nobody has answered it: the command was killed, say, before it could say its id"
    other = create_campaign(store, space, share=0.0001, seed=7, name=None, overlap=2)
    item = store.campaigns.items(first.id)[0]
    store.answers.save(first.id, "mira", [AnswerIn("of mira, names", item.id, 1)])
    second = create_campaign(store, space, share=0.0001, seed=7, name=None)
    asked = len(looped.loop.table.label_names)  # one of each class, the fewest there can be
    assert first.name == f"Candidates {in_percent(asked / n)} %, seed 7" != "Candidates 0.0 %, seed 7"
    assert [other.name, second.name] == [f"{first.name} (2)", f"{first.name} (3)"]
    assert len({first.id, other.id, second.id}) == 3
