"""What answers cost people is counted once: now, up to an answer, and of several campaigns."""

from __future__ import annotations

import math

from slim_core.annotation.agreement import annotators_of
from slim_core.annotation.answer_import import import_file
from slim_core.evaluation.comparison import AnswerSnapshot, answer_costs
from slim_core.store import AnswerIn, CampaignSettings
from slim_core.store.campaigns.consensus import FROM_MASKS, AnnotationCost, total_cost

WORDS = "2 images (5.0\u00a0%), 3 votes, 1 decision, 0.5 min"


def asked(store, dataset):
    """Two annotators about two images, one of whom changes and takes back an answer; a decision."""
    campaign = store.campaigns.create("look", dataset.id, None, range(12), settings=CampaignSettings(overlap=2))
    first, second = store.campaigns.items(campaign.id)[:2]
    given = [AnswerIn("a1", first.id, 1, duration_ms=30_000), AnswerIn("a2", first.id, 0), AnswerIn("a3", second.id, 1)]
    store.answers.save(campaign.id, "ann", given)
    store.answers.save(campaign.id, "ben", [AnswerIn("b1", first.id, 1), AnswerIn("b2", second.id, 0)])
    store.answers.save(campaign.id, "ben", [AnswerIn("b3", second.id, None)])
    return campaign, first


def test_one_sentence_says_what_counts_and_the_minutes_of_all(store, dataset) -> None:
    campaign, first = asked(store, dataset)
    store.decisions.decide(campaign.id, "lea", AnswerIn("d1", first.id, 1))
    now = store.answers.cost(campaign.id)
    assert now.in_words() == WORDS
    assert now.share == 2 / campaign.n_split
    (then,) = answer_costs(store, [AnswerSnapshot(campaign.id, 2)]).values()
    assert then.in_words() == "1 image (2.5\u00a0%), 1 vote, 0.5 min"
    last = AnswerSnapshot(campaign.id, store.answers.last_seq(campaign.id))
    assert answer_costs(store, [last])[last] == now, "the last answer is the newest"
    store.answers.save(campaign.id, "robot", [AnswerIn("r1", first.id + 2, 1)], source=FROM_MASKS)
    mixed = store.answers.cost(campaign.id)
    assert (mixed.people, mixed.simulated) == (now.people, 1) and mixed.minutes == now.minutes


def test_answers_from_a_file_without_times_took_a_time_that_is_not_known(store, dataset) -> None:
    campaign = store.campaigns.create("look", dataset.id, None, range(12))
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    lines = "\n".join(f"{row},right" for row in rows[:3])
    import_file(store, campaign, f"row,answer\n{lines}".encode(), "lea", annotator="dr", name="other.csv")
    untimed = store.answers.cost(campaign.id)
    assert math.isnan(untimed.minutes) and untimed.people == 3
    assert untimed.in_words() == "3 images (7.5\u00a0%), 3 votes"
    people = annotators_of(store, campaign.id).set_index("annotator")
    assert math.isnan(people.loc["dr", "minutes"]) and math.isnan(people.loc["dr", "per_minute"])
    lines = "\n".join(f"{row},wrong,15" for row in rows[3:5])
    import_file(store, campaign, f"row,answer,seconds\n{lines}".encode(), "lea", annotator="dr", name="other.csv")
    assert store.answers.cost(campaign.id).minutes == 0.5
    assert total_cost([untimed, store.answers.cost(campaign.id)]).minutes == 0.5, "what is known"
    assert math.isnan(total_cost([untimed, untimed]).minutes)


def test_several_campaigns_are_one_sum_and_the_simulated_annotator_takes_no_minute() -> None:
    simulated = AnnotationCost(images=4, n_split=40, votes=4, simulated=4, minutes=math.nan)
    assert simulated.in_words() == "4 images (10.0\u00a0%), 4 votes of the simulated annotator"
    both = total_cost([simulated, AnnotationCost(images=2, n_split=40, votes=2, people=3, minutes=0.5)])
    assert both.in_words() == "6 images (15.0\u00a0%), 6 votes of people and the simulated annotator, 0.5 min"
    assert total_cost([]).in_words() == "no answers"


def test_a_share_is_of_all_splits_that_were_asked_about(store, dataset) -> None:
    table = store.datasets.table(dataset.id)
    asked_about = {split: table.rows(split)[:2] for split in ("train", "val")}
    for split, rows in asked_about.items():
        campaign = store.campaigns.create(split, dataset.id, None, rows, settings=CampaignSettings(split=split))
        items = store.campaigns.items(campaign.id)
        store.answers.save(campaign.id, "ann", [AnswerIn(f"{split}{item.id}", item.id, 1) for item in items])
    of_each = [store.answers.cost(one.id) for one in store.campaigns.all(dataset.id)]
    n_asked = sum(len(table.rows(split)) for split in asked_about)
    assert total_cost(of_each).share == 4 / n_asked
    assert total_cost([*of_each, AnnotationCost(n_split=900, split="test")]).share == 4 / n_asked, (
        "nobody has answered that one"
    )
    assert total_cost([of_each[0], of_each[0]]).share == 2 * of_each[0].share, "the split is the same"
