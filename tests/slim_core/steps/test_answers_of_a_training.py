"""Trainings that name a campaign: what is pinned and linked when they are submitted, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from slim_core import api
from slim_core.annotation import terminal
from slim_core.annotation.plan import Plan, create_campaign, open_campaign
from slim_core.annotation.simulated_annotator import simulate_answers
from slim_core.data.groups import grouping
from slim_core.errors import NotFoundError, SlimError, SpecRefusedError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.evaluation.comparison import rows
from slim_core.metrics import WORST_CLASS, WORST_CLASS_AND_WRONG_ATTENTION, WRONG_ATTENTION
from slim_core.models.build import load_model
from slim_core.models.pixels import Pixels
from slim_core.models.runtime import Runtime
from slim_core.steps.registry import parse_spec
from slim_core.training.answers import AnsweredImages
from slim_core.training.config import TrainConfig
from slim_core.training.data import TrainData
from slim_core.training.validation import selection_score, validation_metrics


def spec(looped, **fields):
    subset, reference = looped.outcomes["random"].subset.id, looped.loop.reference.id
    given = {"kind": "train", "dataset": looped.dataset.id, "model": "small-resnet", "epochs": 1, "batch_size": 32}
    return parse_spec(given | {"start": "reference", "reference": reference, "subset": subset} | fields)


def with_answers(looped, campaign, **options):
    return spec(looped, objective="answered-attention", objective_options={"campaign": campaign, **options})


def chosen_by(looped, campaign):
    return spec(looped, selection="wrong_attention", selection_options={"campaign": campaign})


def campaign(looped, name, split="train", **noise):
    space = looped.loop.space if split == "train" else looped.loop.val_space
    made = create_campaign(looped.at.store, space, share=0.05, seed=1, name=name)
    if noise:
        simulate_answers(looped.at.store, made.id, **noise)
    return made.id


@pytest.mark.slow
def test_answers_and_space_of_the_campaign_are_pinned_and_counted(looped):
    store, asked = looped.at.store, looped.loop.campaign
    run = looped.at.run(with_answers(looped, asked.id))
    n = looped.outcomes["slim"].n_answers
    options = run.spec["objective_options"]
    assert (options["space"], options["answers_seq"]) == (asked.space_run_id, store.answers.last_seq(asked.id))
    assert ("answered", asked.space_run_id) in [(role, parent.id) for role, parent in store.runs.parents(run.id)]
    assert run.metrics["answered"] == {asked.id: n}
    evaluation = api.evaluate(run.id, at=looped.at)
    row = rows(store, [evaluation])[0]
    assert (row["labels_used"], row["answers"]) == ("answers", n)
    assert row["answered_by"] == "simulated annotator" and np.isnan(row["minutes"])  # no person has worked
    assert Ancestry.read(store, looped.dataset.id).answer_snapshots(run) == ((asked.id, options["answers_seq"]),)
    again, created = store.runs.submit(parse_spec(run.spec))
    assert (again.id, created) == (run.id, False)


@pytest.mark.slow
def test_images_asked_about_to_choose_those_of_a_campaign_are_counted_with_its_own(looped):
    store, earlier = looped.at.store, looped.loop.campaign
    plan = Plan(looped.loop.space.id, {0: 2, 1: 2}, choice="uncertain", earlier=earlier.id)
    asked = open_campaign(store, plan, "lea")
    simulate_answers(store, asked.id)
    evaluation = api.evaluate(looped.at.run(with_answers(looped, asked.id)).id, at=looped.at)
    row = rows(store, [evaluation])[0]
    assert row["answers"] == 4 + looped.outcomes["slim"].n_answers
    assert row["share"] == pytest.approx(row["answers"] / len(looped.loop.table.rows("train")))
    assert row["spent"].startswith(f"{row['answers']} images")


def test_runs_over_seeds_with_campaigns_of_their_own_are_one_method(looped):
    store = looped.at.store
    other = looped.at.run(spec(looped, seed=1))
    runs = [other]
    for seed in (0, 1):
        runs.append(
            store.runs.submit(parse_spec(with_answers(looped, looped.loop.campaign.id).record() | {"seed": seed}))[0]
        )
    ancestry = Ancestry.read(store, looped.dataset.id)
    plain, first, second = (ancestry.identity(run) for run in runs)
    assert first == second != plain


def test_answers_about_val_choose_the_epoch(looped):
    asked, store = campaign(looped, "about val", "val"), looped.at.store
    items = [item.row for item in store.campaigns.items(asked)]
    terminal.save(store, store.campaigns.fetch(asked), "one", {row: i % 2 for i, row in enumerate(items)})
    run = looped.at.run(chosen_by(looped, asked))
    kept = run.metrics["val"]
    expected = (kept[WORST_CLASS] + kept[WRONG_ATTENTION]) / 2
    assert kept[WORST_CLASS_AND_WRONG_ATTENTION] == pytest.approx(expected)
    parents = [(role, parent.id) for role, parent in store.runs.parents(run.id)]
    assert ("selection", looped.loop.val_space.id) in parents
    ancestry = Ancestry.read(store, looped.dataset.id)
    assert ancestry.labels_used(run, has_groups=True) == "answers"
    assert run.metrics["answered"] == {asked: len(items)}


def test_the_selection_prefers_accuracy_where_the_attention_is_wrong():
    def score(worst_class, mean):
        return selection_score(
            "wrong_attention", 1, {WORST_CLASS: worst_class, WORST_CLASS_AND_WRONG_ATTENTION: mean, "loss": 0.1}
        )

    assert score(0.8, 0.7) > score(0.9, 0.6)


def test_where_no_attention_is_wrong_worst_class_decides(looped):
    table = looped.at.store.datasets.table(looped.dataset.id)
    model = load_model(looped.at.store.artifacts.folder(looped.loop.reference.id))
    val = table.rows("val")
    found = []
    for answer in (1, 0):
        answered = AnsweredImages(val, np.full(len(val), answer, np.int8), np.full(len(val), float(answer)))
        data = TrainData(table, table.rows("train"), val, grouping(table), val_answered=answered)
        with Pixels(table, model.transform) as pixels:
            found.append(validation_metrics(model, data, pixels, batch_size=64, runtime=Runtime()))
    right, wrong = found
    assert right[WRONG_ATTENTION] is None and right[WORST_CLASS_AND_WRONG_ATTENTION] == right[WORST_CLASS]
    assert wrong[WRONG_ATTENTION] == pytest.approx(wrong["average"])


def test_a_campaign_without_answers_is_refused(looped):
    empty = campaign(looped, "empty")
    with pytest.raises(SlimError, match=f"Campaign {empty} has no answer yet that says right or wrong: answer some"):
        looped.at.run(with_answers(looped, empty))
    empty = campaign(looped, "empty, val", "val")
    with pytest.raises(SlimError, match=f"Campaign {empty} has no answer yet"):
        looped.at.run(chosen_by(looped, empty))


def test_a_campaign_whose_answers_are_all_unsure_is_refused(looped):
    unsure = campaign(looped, "unsure", unsure=1.0)
    with pytest.raises(SlimError, match=rf"All \d+ answers of campaign {unsure} are unsure"):
        looped.at.run(with_answers(looped, unsure))


def test_answers_about_the_wrong_split_are_refused(looped):
    about_val = campaign(looped, "val, for the loss", "val", threshold=looped.threshold)
    with pytest.raises(
        SlimError, match=f"{about_val} asks about val images, but answers about train images are needed"
    ):
        looped.at.run(with_answers(looped, about_val))
    with pytest.raises(SlimError, match="asks about train images, but answers about val images are needed"):
        looped.at.run(chosen_by(looped, looped.loop.campaign.id))


def test_a_campaign_of_another_data_set_or_none_is_refused_when_submitted(looped, plain_folder):
    store = looped.at.store
    other = api.data_set(plain_folder, at=looped.at)
    asked = looped.loop.campaign.id
    given = {"kind": "train", "dataset": other.id, "model": "small-resnet", "objective": "answered-attention"}
    with pytest.raises(SpecRefusedError, match=f"Campaign {asked} asks about images of another data set than"):
        store.runs.submit(parse_spec(given | {"objective_options": {"campaign": asked}}))
    with pytest.raises(NotFoundError, match="There is no campaign c-0"):
        store.runs.submit(with_answers(looped, "c-0"))


def test_another_space_than_the_campaigns_is_refused(looped):
    val_space = looped.loop.val_space.id
    with pytest.raises(SlimError, match=f"not {val_space}: leave space out"):
        looped.at.run(with_answers(looped, looped.loop.campaign.id, space=val_space))


def test_a_campaign_about_no_space_is_refused(looped):
    loose = looped.at.store.campaigns.create("loose", looped.dataset.id, None, [0, 1])
    with pytest.raises(SlimError, match=f"Campaign {loose.id} belongs to no attention space"):
        looped.at.run(with_answers(looped, loose.id))


NEEDED = r"needs the option campaign \(Campaign whose answers are used\): give it in "


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"selection": "wrong_attention"}, NEEDED + "selection_options"),
        ({"selection_options": {"campaign": "c"}}, "They belong to the selection wrong_attention: leave them out"),
        ({"objective": "answered-attention"}, NEEDED + "objective_options"),
    ],
)
def test_settings_without_their_campaign_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(**fields)


def test_a_last_layer_is_chosen_by_classes(looped):
    last = {"mode": "last-layer", "selection": "wrong_attention", "selection_options": {"campaign": "c"}}
    with pytest.raises(SpecRefusedError, match="selection: mode last-layer ignores wrong_attention"):
        spec(looped, **last)
