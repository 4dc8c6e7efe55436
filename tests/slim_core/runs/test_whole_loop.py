"""The whole loop in one process."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from slim_core import api
from slim_core.annotation.plan import create_campaign, default_name
from slim_core.cli.loop import outcomes_of
from slim_core.data.table import UNKNOWN
from slim_core.errors import AnswersRefusedError, SlimError, SpecRefusedError
from slim_core.formatting import in_percent
from slim_core.runs.loop_runs import LoopConfig
from slim_core.runs.methods import METHODS, USUAL, Loop
from slim_core.store import AnswerIn, Campaign
from slim_core.store.campaigns.consensus import UNSURE
from slim_core.store.database import DatabaseAwayError
from tests.slim_core.store.store_makers import imported

ENTRY = {
    "seed",
    "labels_used",
    "wga",
    "average",
    "adjusted_average",
    "worst_class",
    "groups",
    "estimated_groups",
    "class_groups",
    "aiou",
    "attention_precision",
    "attention_coverage",
    "answers",
    "answers_share",
    "images",
    "images_unique",
    "seconds",
}


def test_every_method_ends_with_the_metrics_of_its_model(looped):
    assert set(looped.outcomes) == set(USUAL)
    for outcome in looped.outcomes.values():
        entry = json.loads(json.dumps(outcome.to_json()))
        assert set(entry) == ENTRY
        assert 0 <= entry["wga"] <= entry["average"] <= 1
        assert entry["wga"] == min(group["accuracy"] for group in entry["groups"])
        assert len(entry["groups"]) == 4 and entry["estimated_groups"] is entry["class_groups"] is False
        assert entry["attention_precision"] is not None


def test_every_subset_has_the_same_size_and_is_retrained_the_same_way(looped):
    subsets = [outcome for outcome in looped.outcomes.values() if outcome.subset is not None]
    assert {outcome.n_images for outcome in subsets} == {60}
    ways = [{k: v for k, v in outcome.model.spec.items() if k != "subset"} for outcome in subsets]
    assert all(way == ways[0] for way in ways)
    assert len({outcome.model.spec["subset"] for outcome in subsets}) == 4


def test_answers_are_at_most_the_share_asked_for_and_only_two_methods_use_them(looped):
    for method, outcome in looped.outcomes.items():
        assert (outcome.n_answers > 0) == METHODS[method].uses_answers
        assert outcome.answers_share <= 0.03
        assert outcome.n_answers == round(outcome.answers_share * 200)


@pytest.mark.slow
def test_slim_without_answers_asks_nobody_and_chooses_as_many_images(looped):
    outcome = looped.loop.outcome("slim-no-answers")
    assert (outcome.labels_used, outcome.n_answers, outcome.n_images) == ("none", 0, 60)
    assert outcome.subset.spec["campaign"] is None
    assert outcome.subset.metrics["report"]["notes"][0].startswith("No answer says")


def test_the_oracle_subset_is_balanced_over_the_groups(looped):
    at, outcome = looped.at, looped.outcomes["oracle"]
    chosen = pd.read_parquet(at.store.artifacts.folder(outcome.subset.id) / "subset.parquet")
    table = at.store.datasets.table(looped.dataset.id)
    groups = chosen.groupby([table.labels[chosen["row"]], table.attributes[chosen["row"]]])["count"].sum()
    assert groups.tolist() == [15, 15, 15, 15]


def test_a_second_loop_does_nothing_again(looped):
    before = len(looped.at.store.runs.all())
    again = Loop(looped.at, looped.loop.config, annotate=lambda _campaign: 0)
    assert again.outcome("slim") == looped.outcomes["slim"]
    assert again.campaign.id == looped.loop.campaign.id
    assert len(looped.at.store.runs.all()) == before


def test_each_model_can_be_traced_to_the_reference_it_came_from(looped):
    runs = looped.at.store.runs
    outcome = looped.outcomes["slim"]
    assert {role for role, _ in runs.parents(outcome.model.id)} == {"reference", "subset"}
    for run in (outcome.subset, looped.loop.space, looped.loop.attention, looped.loop.reference):
        assert looped.at.store.lineage.reference_of(run).id == looped.loop.reference.id
    assert looped.at.store.lineage.attention_of(looped.loop.space).id == looped.loop.attention.id
    assert looped.loop.attention.id in [run.id for run in looped.at.store.lineage.runs_with_maps(looped.dataset.id)]
    ancestors = {looped.loop.reference.id, looped.loop.attention.id, looped.loop.space.id, outcome.subset.id}
    spent = sum(runs.fetch(run_id).seconds for run_id in ancestors) + outcome.model.seconds
    assert outcome.seconds == pytest.approx(spent, abs=0.01)


def test_other_mistakes_of_the_annotator_are_another_campaign(looped):
    config = LoopConfig(dataset=looped.dataset.id, size=60, flip=0.5, train={"epochs": 2, "batch_size": 32})
    noisy = Loop(looped.at, config)
    assert noisy.space.id == looped.loop.space.id
    assert noisy.campaign.id != looped.loop.campaign.id
    current = looped.at.store.answers.current
    assert current(noisy.campaign.id) != current(looped.loop.campaign.id)


def test_annotators_and_shares_that_differ_by_little_are_other_campaigns(looped):
    def campaign(**asked: float) -> str:
        return Loop(looped.at, looped.loop.config.model_copy(update=asked)).campaign.id

    asked = ({"answers": 0.0005}, {"answers": 0.001}, {"flip": 0.025}, {"flip": 0.03}, {"unsure": 0.025})
    assert len({campaign(**one) for one in asked}) == len(asked)
    assert looped.at.store.campaigns.fetch(campaign(flip=0.03)).name.endswith(", 3\u00a0% flipped, 0\u00a0% unsure")


def test_shares_that_round_alike_and_ask_about_other_images_are_other_campaigns_and_found_again(looped):
    def campaign(share: float) -> Campaign:
        return Loop(looped.at, looped.loop.config.model_copy(update={"answers": share})).campaign

    first, second = campaign(0.06), campaign(0.059999)  # of 100 images of each class
    assert (first.name, first.budgets) == ("Candidates 6.0 %, seed 0", {"0": 6, "1": 6})
    assert (second.name, second.budgets) == ("Candidates 5.9999 %, seed 0", {"0": 5, "1": 5})
    assert [campaign(0.06).id, campaign(0.059999).id] == [first.id, second.id]
    assert campaign(0.060001).id == first.id, "the same images, by another number"


def test_answers_of_people_are_not_mixed_with_simulated_ones(looped):
    """A campaign that somebody has opened about the same share, and answers, is called as the loop calls its own."""
    store, config = looped.at.store, looped.loop.config.model_copy(update={"answers": 0.11})
    theirs = create_campaign(store, looped.loop.space, share=config.answers, seed=config.seed, name=None)
    first = store.campaigns.items(theirs.id)[0].id
    store.answers.save(theirs.id, "mira", [AnswerIn(id="of mira", item_id=first, value=UNSURE)])
    mine = Loop(looped.at, config).campaign
    assert theirs.name == default_name(config.answers, config.seed), "which this test is about"
    assert store.answers.votes(theirs.id) == [(first, "mira", UNSURE)]
    assert mine.id != theirs.id and len(store.answers.current(mine.id)) == len(store.campaigns.items(theirs.id))
    assert Loop(looped.at, config).campaign.id == mine.id, "a second loop finds it again"


def test_where_some_images_lack_a_mask_the_simulated_annotator_is_asked_about_the_others(looped):
    config = looped.loop.config.model_copy(update={"answers": 0.13})  # a campaign that no other test has opened
    loop, whole = Loop(looped.at, config), looped.loop.table
    rows = whole.rows("train")
    of_class = [rows[whole.labels[rows] == label] for label in range(2)]
    masked = {int(row) for row in (*of_class[0][:2], *of_class[1][::3])}
    without = [row for row in range(len(whole)) if row not in masked]
    frame = whole.frame.copy()
    frame.loc[without, "mask"] = ""
    loop.table = replace(whole, frame=frame)
    asked = [item.row for item in looped.at.store.campaigns.items(loop.campaign.id)]
    assert set(asked) <= masked
    assert np.bincount(whole.labels[asked]).tolist() == [2, int(len(of_class[1]) * 0.13)]


@pytest.mark.slow
def test_data_without_attributes_and_masks_works_and_says_what_is_estimated(plain_folder, workbench):
    dataset = api.data_set(plain_folder, at=workbench)
    answered = []

    def annotate(campaign):
        from slim_core.annotation import terminal

        rows = [item.row for item in workbench.store.campaigns.items(campaign.id)]
        answered.append(terminal.save(workbench.store, campaign, "a person", {row: row % 2 for row in rows}))
        return answered[-1]

    config = LoopConfig(dataset=dataset.id, size=40, train={"epochs": 1, "batch_size": 32})
    loop = Loop(workbench, config, annotate=annotate)
    outcome = loop.outcome("slim")
    metrics = outcome.evaluation.metrics
    assert answered and answered[0] == outcome.n_answers
    assert metrics["estimated_groups"] and len(metrics["groups"]) > 2
    assert (outcome.to_json()["estimated_groups"], outcome.to_json()["class_groups"]) == (True, False)
    by_class = replace(outcome.evaluation, metrics=metrics | {"groups": metrics["classes"]})
    assert replace(outcome, evaluation=by_class).to_json()["class_groups"] is True
    assert all("environment" in group["name"] for group in metrics["groups"])
    assert metrics["aiou"] is None and metrics["adjusted_average"] is None
    with pytest.raises(SpecRefusedError, match="attribute column.*groups in training: leave oracle"):
        loop.outcome("oracle")
    with pytest.raises(AnswersRefusedError, match="has a mask"):
        api.answer_from_masks(loop.campaign.id, at=workbench)


def test_methods_are_compared_by_class_where_too_few_test_images_show_environments(tiny_table, workbench):
    plain = replace(tiny_table, frame=tiny_table.frame.assign(attribute=UNKNOWN), attribute_names=())
    loop = Loop(workbench, LoopConfig(dataset="d"))
    loop.table = plain
    assert loop.test_space is None


def test_what_one_method_lacks_is_refused_before_another_has_trained(small_demo, workbench):
    config = LoopConfig(dataset=api.data_set(small_demo, at=workbench).id)
    with pytest.raises(SpecRefusedError, match="no method 'magic'"):
        api.run_loop(config, ["erm", "magic"], at=workbench)
    assert workbench.store.runs.all() == []


def test_a_space_of_too_few_images_is_refused_before_the_reference_is_trained(tiny_table, workbench):
    config = LoopConfig(dataset=workbench.store.datasets.register(imported(tiny_table)).id, size=4)
    few = "4 train images: .*10"
    with pytest.raises(SpecRefusedError, match=few):
        api.run_loop(config, ["erm", "random"], at=workbench)
    loop = Loop(workbench, config)
    with pytest.raises(SpecRefusedError, match=few):  # before any work
        loop.outcome("slim-no-answers")
    assert workbench.store.runs.all() == []
    loop.require(["erm", "class-balanced", "jtt", "dfr"])


def test_an_unknown_method_is_refused_by_name(looped):
    with pytest.raises(SpecRefusedError, match="no method 'magic'"):
        looped.loop.outcome("magic")


@pytest.mark.slow
def test_a_run_that_fails_raises_its_own_sentence_and_can_be_repeated(plain_folder, workbench):
    dataset = api.data_set(plain_folder, at=workbench)
    victim = plain_folder / "images" / "train_00000.png"
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SlimError, match="train_00000.png"):
        api.train(dataset.id, model="small-resnet", epochs=1, at=workbench)
    failed = workbench.store.runs.all(kind="train")[0]
    assert failed.status == "failed" and "train_00000.png" in failed.message
    victim.write_bytes(whole)
    again = api.train(dataset.id, model="small-resnet", epochs=1, at=workbench)
    assert again.status == "done" and again.id != failed.id


def test_a_loop_of_a_command_goes_on_where_the_database_does_not_answer_for_a_while(caplog):
    tries = []

    def outcome(method: str) -> str:
        tries.append(method)
        if tries.count(method) == 1:
            raise DatabaseAwayError("The database does not answer: start it.")
        return f"what {method} came to"

    found, failures = outcomes_of([SimpleNamespace(outcome=outcome)], ["erm", "slim"])
    assert found == ["what erm came to", "what slim came to"] and failures == []
    assert caplog.messages and len(caplog.messages) == 2 and all("does not answer" in one for one in caplog.messages)


def test_a_campaign_is_named_by_the_share_that_is_asked_and_not_as_another_one(looped) -> None:
    store, space = looped.at.store, looped.loop.space
    n = len(looped.loop.table.rows("train"))
    first, second = (create_campaign(store, space, share=0.0001, seed=7, name=None) for _ in range(2))
    asked = len(looped.loop.table.label_names)  # one of each class, the fewest there can be
    assert first.name == f"Candidates {in_percent(asked / n)} %, seed 7" != "Candidates 0.0 %, seed 7"
    assert second.name == f"{first.name} (2)" and second.id != first.id
