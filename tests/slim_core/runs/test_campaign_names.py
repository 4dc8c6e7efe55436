"""What a campaign that nobody names is called."""

from __future__ import annotations

from slim_core.annotation.plan import Plan, create_campaign, open_campaign
from slim_core.formatting import in_percent
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


def test_a_campaign_opened_on_other_terms_is_another_one(looped) -> None:
    store, space = looped.at.store, looped.loop.space
    plain = create_campaign(store, space, share=0.0001, seed=8, name="Terms")
    budgets = {int(label): n for label, n in plain.budgets.items()}
    for terms in ({"blind": True}, {"members": ("ann",)}, {"guideline": "Look at the beak."}):
        store.campaigns.close(plain.id)
        other = open_campaign(store, Plan(space.id, budgets, name="Terms", seed=8, **terms), "local")
        again = create_campaign(store, space, share=0.0001, seed=8, name="Terms")
        assert again.id not in (other.id, plain.id), terms
        plain = again
        store.campaigns.close(other.id)
