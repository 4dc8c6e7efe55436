"""A campaign made from a space: which images, in which order, for whom; extended; live scores. On both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from slim_core.annotation.answered_space import answered_space
from slim_core.annotation.convergence import stability
from slim_core.annotation.plan import Plan, answers_by_masks, candidates, extend, most_helpful, open_campaign
from slim_core.annotation.propagation import expand
from slim_core.errors import AnswersRefusedError, NotFoundError, SpecRefusedError
from slim_core.metrics import ATTENTION_PRECISION
from slim_core.runs.execute import execute
from slim_core.steps.specs import CandidatesSpec, GradcamSpec, SpaceSpec
from slim_core.store import AnswerIn, Campaign, Run, Store
from tests.slim_core.store.store_makers import train_spec

N = 40  # images of train
POINTS = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)


@pytest.fixture
def space(store: Store, dataset) -> Run:
    """A finished space run of the 40 training images; the attention of the first ten is measured against masks."""
    model = work(store, store.runs.submit(train_spec(dataset))[0], {})
    precision = np.where(np.arange(N) < 10, np.arange(N) / 10, np.nan)
    scores = pd.DataFrame({"row": np.arange(N), ATTENTION_PRECISION: precision})
    attention = work(store, store.runs.submit(GradcamSpec(dataset=dataset.id, model=model.id))[0], {"scores": scores})
    arrays = {"rows": np.arange(N), "attention_space": POINTS}
    return work(store, store.runs.submit(SpaceSpec(dataset=dataset.id, attention=attention.id))[0], arrays)


def work(store: Store, run: Run, files: dict) -> Run:
    """Finish a run that leaves these arrays and tables."""
    token = store.attempts.claim(run.id, "worker-1", "cpu")
    folder = store.artifacts.attempt(run.id, store.runs.fetch(run.id).attempt)
    for name, content in files.items():
        if isinstance(content, pd.DataFrame):
            content.to_parquet(folder / f"{name}.parquet")
        else:
            np.save(folder / f"{name}.npy", content)
    store.artifacts.publish(run.id, store.runs.fetch(run.id).attempt)
    store.attempts.finish(run.id, token, {})
    return store.runs.fetch(run.id)


def say(store: Store, campaign: Campaign, values: dict[int, int | None]) -> None:
    """Ann's answers by row."""
    ids = {item.row: item.id for item in store.campaigns.items(campaign.id)}
    seq = store.answers.last_seq(campaign.id)
    given = [AnswerIn(f"{campaign.id}-{seq}-{row}", ids[row], value) for row, value in values.items()]
    store.answers.save(campaign.id, "ann", given)


def test_a_candidates_run_opens_the_proposed_campaign_in_the_name_of_who_submitted_it(store: Store, space: Run):
    spec = CandidatesSpec(dataset=space.dataset_id, space=space.id, seed=2)
    run, _ = store.runs.submit(spec, by="lea")
    done = execute(store, run.id, worker="w", device="cpu")
    (campaign,) = store.campaigns.all()
    assert done.status == "done", done.message
    assert done.metrics == {"campaign": campaign.id, "images": 10, "classes": 2}, "5 of each class"
    assert (campaign.created_by, campaign.space_run_id, campaign.seed) == ("lea", space.id, 2)
    assert campaign.name == "Candidates 25.0 %" and campaign.options["run"] == run.id
    asked = store.runs.submit(CandidatesSpec(dataset=space.dataset_id, space=space.id, share=0.25))[0]
    assert execute(store, asked.id, worker="w", device="cpu").metrics["images"] == 10
    assert store.runs.submit(spec)[1] is False, "the same choice is the same campaign"


def test_a_candidates_run_that_is_done_again_opens_no_second_campaign(store: Store, space: Run):
    run, _ = store.runs.submit(CandidatesSpec(dataset=space.dataset_id, space=space.id))
    before = open_campaign(store, Plan(space.id, {0: 3, 1: 3}, run=run.id), "lea")  # by an attempt that was lost then
    assert execute(store, run.id, worker="w", device="cpu").metrics["campaign"] == before.id
    assert [one.id for one in store.campaigns.all()] == [before.id]


def test_attempts_at_a_candidates_run_that_know_nothing_of_each_other_open_one_campaign(store: Store, space: Run):
    """One looked for a campaign, and was suspended with its machine until another had opened it."""
    run, _ = store.runs.submit(CandidatesSpec(dataset=space.dataset_id, space=space.id))
    plan = Plan(space.id, {0: 3, 1: 3}, run=run.id)
    opened = [open_campaign(store, plan, "lea") for _ in range(2)]
    assert opened[0] == opened[1] and [one.id for one in store.campaigns.all()] == [opened[0].id]
    assert len(store.campaigns.items(opened[0].id)) == 6
    assert [event.what for event in store.events.recent(100)].count("campaign.created") == 1


def test_an_attempt_at_a_candidates_run_that_was_deleted_meanwhile_opens_no_campaign(store: Store, space: Run):
    run, _ = store.runs.submit(CandidatesSpec(dataset=space.dataset_id, space=space.id))
    store.runs.delete(run.id)
    with pytest.raises(NotFoundError, match=run.id):
        open_campaign(store, Plan(space.id, {0: 3, 1: 3}, run=run.id), "lea")
    assert store.campaigns.all() == []


def test_a_plan_opens_a_campaign_with_all_that_was_set(store: Store, space: Run):
    deadline = datetime.now(UTC) + timedelta(days=1)
    plan = Plan(
        space.id,
        {0: 6, 1: 4},
        name=" birds ",
        seed=3,
        overlap=2,
        n_gold=3,
        guideline="Where?",
        examples={"right": (1, 2), "wrong": ()},
        blind=True,
        members=("ann@example.org", " ben@example.org"),
        deadline=deadline,
    )
    campaign = open_campaign(store, plan, "lea")
    assert (campaign.name, campaign.budgets, campaign.overlap) == ("birds", {"0": 6, "1": 4}, 2)
    assert (campaign.strategy, campaign.seed, campaign.guideline) == ("kmeans", 3, "Where?")
    assert campaign.deadline == deadline and campaign.created_by == "lea" and campaign.space_run_id == space.id
    options = campaign.options
    assert options["members"] == ["ann@example.org", "ben@example.org"] and options["blind"] is True
    assert options["examples"] == {"right": [1, 2]}
    items = store.campaigns.items(campaign.id)
    assert [item.row for item in items] == candidates(store, plan).rows.tolist()
    gold = {item.row: item.gold for item in items if item.row in options["gold"]}
    assert len(gold) == 3
    assert {row: value for row, value in gold.items() if value is not None} == answers_by_masks(
        store, space, np.array(options["gold"])
    )


def test_right_answers_of_gold_images_come_from_masks_where_there_are_any(store: Store, space: Run):
    assert answers_by_masks(store, space, np.array([9, 1, 30])) == {9: 1, 1: 0}
    plan = Plan(space.id, {0: 20, 1: 20}, n_gold=40)
    items = store.campaigns.items(open_campaign(store, plan, "lea").id)
    assert {item.row for item in items if item.gold is not None} == set(range(10))


def test_the_same_plan_asks_the_same_images_in_the_same_order_and_classes_alternate(store: Store, space: Run):
    plan = Plan(space.id, {0: 8, 1: 8}, seed=5)
    first, second = candidates(store, plan), candidates(store, plan)
    np.testing.assert_array_equal(first.rows, second.rows)
    assert (np.diff(first.labels) != 0).all() and len(set(first.rows.tolist())) == 16
    assert (candidates(store, Plan(space.id, {0: 8, 1: 8}, seed=6)).rows != first.rows).any()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"budgets": {0: 21}}, "budget of class 0 is 21, but"),
        ({"budgets": {0: -1, 1: 3}}, "budget of class 0 is -1"),
        ({"budgets": {0: 0, 1: 0}}, "give at least"),
        ({"choice": "best"}, "The choice is 'best': use one of kmeans, selection"),
        ({"overlap": 0}, "use 1 to 20"),
        ({"n_gold": 7}, "give 0 to 6"),
        ({"overlap": 3, "members": ("a", "b")}, "but only 2 may answer: allow"),
        ({"deadline": datetime(2020, 1, 1, tzinfo=UTC)}, "The deadline 2020-01-01 00:00 UTC has passed"),
        ({"examples": {"right": (999,)}}, "has 0 to 49"),
        ({"examples": {"good": (1,)}}, "or wrong, not 'good'"),
        ({"examples": {"wrong": tuple(range(9))}}, "9 examples of wrong are too many"),
        ({"choice": "selection"}, "space is selected"),
        ({"choice": "selection", "selection": (0, 2, 1)}, "class 0 is 3, but the class"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence_and_opens_nothing(store: Store, space: Run, change, sentence):
    with pytest.raises(SpecRefusedError, match=sentence):
        open_campaign(store, Plan(**{"space": space.id, "budgets": {0: 3, 1: 3}} | change), "lea")
    assert store.campaigns.all() == []


def test_a_campaign_takes_every_seed_that_a_run_takes(store: Store, space: Run):
    largest = 2**32 - 1
    campaign = open_campaign(store, Plan(space.id, {0: 3, 1: 2}, seed=largest), "lea")
    assert (
        store.campaigns.fetch(campaign.id).seed == SpaceSpec(dataset="d", attention="a", seed=largest).seed == largest
    )
    with pytest.raises(SpecRefusedError, match="give 0 to 4294967295"):
        Plan(space.id, {0: 3, 1: 2}, seed=largest + 1)


def test_a_selection_is_asked_about_and_nothing_else(store: Store, space: Run):
    selection = (0, 2, 4, 6, 8, 1, 3, 45)  # 45 is of another split
    plan = Plan(space.id, {0: 3, 1: 2}, choice="selection", selection=selection)
    rows = candidates(store, plan).rows.tolist()
    assert set(rows) < set(selection) and len(rows) == 5 and 45 not in rows


def test_a_running_campaign_is_extended_by_the_most_helpful_images(store: Store, space: Run):
    campaign = open_campaign(store, Plan(space.id, {0: 4, 1: 4}), "lea")
    say(store, campaign, {item.row: int(POINTS[item.row, 0] > 0) for item in store.campaigns.items(campaign.id)})
    before = [item.row for item in store.campaigns.items(campaign.id)]
    expected = most_helpful(store, campaign, 6).rows.tolist()
    extended = extend(store, campaign, 6, "lea")
    after = [item.row for item in store.campaigns.items(campaign.id)]
    assert after == before + expected and not set(before) & set(expected)
    assert sum(extended.budgets.values()) == 14
    with pytest.raises(SpecRefusedError, match="give 1 to 26, the images not"):
        extend(store, campaign, 27, "lea")
    store.campaigns.close(campaign.id)
    with pytest.raises(AnswersRefusedError, match="is closed"):
        extend(store, campaign, 1, "lea")
    assert len(store.campaigns.items(campaign.id)) == 14


def test_live_scores_follow_every_answer_undo_and_decision(store: Store, space: Run, dataset):
    campaign = open_campaign(store, Plan(space.id, {0: 8, 1: 8}, overlap=2), "lea")
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    labels = store.datasets.table(dataset.id).labels[:N]
    ids = {item.row: item.id for item in store.campaigns.items(campaign.id)}

    def expected() -> np.ndarray:
        answers = np.full(N, -1, np.int8)
        for row, value in store.answers.current(campaign.id).items():
            answers[row] = value
        return expand(POINTS, labels, answers)

    assert np.isnan(answered_space(store, campaign.id).scores).all()
    for k, row in enumerate(rows):
        say(store, campaign, {row: k % 3 % 2})
        np.testing.assert_allclose(answered_space(store, campaign.id).scores, expected(), atol=1e-9)
    say(store, campaign, {rows[0]: None})
    store.decisions.decide(campaign.id, "lea", AnswerIn("d", ids[rows[1]], 1))
    np.testing.assert_allclose(answered_space(store, campaign.id).scores, expected(), atol=1e-9)
    assert answered_space(store, campaign.id) is answered_space(store, campaign.id), "made once for each new answer"


def test_scores_of_a_campaign_without_a_space_are_refused(store: Store, dataset):
    campaign = store.campaigns.create("bare", dataset.id, None, [1, 2])
    with pytest.raises(AnswersRefusedError, match="belongs to no"):
        answered_space(store, campaign.id)
    with pytest.raises(NotFoundError, match="no campaign c-none"):
        answered_space(store, "c-none")


def test_stability_measures_each_answer_once_and_sees_decisions(store: Store, space: Run):
    campaign = open_campaign(store, Plan(space.id, {0: 12, 1: 12}, overlap=2), "lea")
    assert stability(store, campaign.id).n_answers == 0
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    for row in rows[:22]:
        say(store, campaign, {row: int(POINTS[row, 0] > 0)})
        stability(store, campaign.id)
    found = stability(store, campaign.id)
    assert found.n_answers == found.steps[-1].n_answers == 22 and found.n_measured == N
    assert stability(store, campaign.id) == found
    item = next(item for item in store.campaigns.items(campaign.id) if item.row == rows[0])
    store.decisions.decide(campaign.id, "lea", AnswerIn("d", item.id, 1 - int(POINTS[rows[0], 0] > 0)))
    assert stability(store, campaign.id).steps[-1].change > 0


def test_answers_that_are_taken_back_leave_the_stability_of_those_that_stay(store: Store, space: Run):
    campaign = open_campaign(store, Plan(space.id, {0: 20, 1: 20}), "lea")
    rows = [item.row for item in store.campaigns.items(campaign.id)][:36]
    bits = np.random.default_rng(0).integers(0, 2, len(rows))  # like no neighbour's: answers move others
    for row, bit in zip(rows, bits, strict=True):
        say(store, campaign, {row: int(bit)})
        stability(store, campaign.id)
    for row in reversed(rows[24:]):
        say(store, campaign, {row: None})
        followed = stability(store, campaign.id)
    assert followed.n_answers == 24 and followed.sides_changed > 0


def test_a_large_space_is_measured_on_a_sample_that_holds_every_answer(store: Store, space: Run, monkeypatch):
    monkeypatch.setattr("slim_core.annotation.convergence.SAMPLE", 15)
    campaign = open_campaign(store, Plan(space.id, {0: 5, 1: 5}), "lea")
    say(store, campaign, {item.row: int(POINTS[item.row, 0] > 0) for item in store.campaigns.items(campaign.id)})
    found = stability(store, campaign.id)
    assert (found.n_measured, found.n_answers) == (15, 10)
