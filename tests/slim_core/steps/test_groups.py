"""Class x environment as the groups of a training, of a refit, of the epoch that is kept, and of an evaluation."""

from __future__ import annotations

import pytest

from slim_core import api
from slim_core.annotation.plan import create_campaign
from slim_core.annotation.sheets import answer, sheets
from slim_core.errors import SlimError
from slim_core.evaluation.ancestry import Ancestry
from slim_core.space.sheets import NO, UNSURE, YES
from slim_core.store import EnvironmentAnswer
from tests.slim_core.conftest import QUICK


@pytest.fixture(scope="module")
def named(looped):
    """A subset by environments that people said no of, and named."""
    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.02, seed=5, name="named environments")
    for each in sheets(store, campaign.id).environments:
        given = EnvironmentAnswer(f"named-{each.path}", each.path, NO, f"place {each.path}")
        answer(store, campaign.id, "ann", given)
    return api.curate(campaign.id, size=60, at=looped.at)


def names(run):
    return {group["name"] for group in run.metrics["val"]["groups"]}


def notes(run):
    return run.metrics.get("report", {"notes": []})["notes"]


@pytest.mark.slow
def test_the_epoch_is_chosen_by_the_worst_class_and_environment(looped, named):
    run = api.train(
        looped.dataset.id, model="small-resnet", selection="worst_group", environments=named.id, at=looped.at, **QUICK
    )
    assert all(", place " in name for name in names(run)) and len(names(run)) > 2
    n_answers = named.metrics["environment_answers"]
    assert run.metrics["environment_answers"] == n_answers > 0
    assert ("environments", named.id) in [(role, parent.id) for role, parent in looped.at.store.runs.parents(run.id)]
    ancestry = Ancestry.read(looped.at.store, looped.dataset.id)
    assert ancestry.labels_used(ancestry.runs[run.id], has_groups=True) == "answers"
    by_attribute = api.train(looped.dataset.id, model="small-resnet", selection="worst_group", at=looped.at, **QUICK)
    assert by_attribute.id != run.id and "environment_answers" not in by_attribute.metrics


@pytest.mark.slow
@pytest.mark.parametrize(
    ("said", "note"),
    [
        (YES, "what each environment shares belongs to the class: the groups are the classes alone."),
        (UNSURE, "Every environment is unsure, or its answers disagree"),
    ],
)
def test_a_training_by_environments_that_all_have_one_answer_says_what_its_groups_are(looped, said, note):
    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.02, seed=5, name=f"all {said}")
    for each in sheets(store, campaign.id).environments:
        answer(store, campaign.id, "ann", EnvironmentAnswer(f"{said}-{each.path}", each.path, said))
    subset = api.curate(campaign.id, size=60, at=looped.at)
    run = api.train(
        looped.dataset.id, model="small-resnet", selection="worst_group", environments=subset.id, at=looped.at, **QUICK
    )
    assert note in " ".join(notes(run))
    judged = api.evaluate(run.id, environments=subset.id, at=looped.at)
    assert (note in " ".join(notes(judged))) is (said == YES), "of unsure ones there are groups"


@pytest.mark.parametrize("found_by", ["space", "both"])
def test_a_training_by_environments_of_a_space_that_has_one_says_that_its_groups_are_the_classes(looped, found_by):
    space = api.make_space(looped.loop.attention.id, n_clusters=1, at=looped.at)
    subset = api.curate(api.NO_CAMPAIGN, space=space.id, size=40, options={"environments": found_by}, at=looped.at)
    assert ("single environment, so only the classes" in " ".join(notes(subset))) is (found_by == "space")
    run = api.train(
        looped.dataset.id, model="small-resnet", selection="worst_group", environments=subset.id, at=looped.at, **QUICK
    )
    assert notes(run) == [
        "The space has a single environment, so the groups are the classes alone: build a space with more clusters "
        "(slim space --n-clusters 4), or of more images."
    ]
    assert names(run) == {f"{name}, environment 0" for name in looped.loop.table.label_names}
    assert notes(api.evaluate(run.id, environments=subset.id, at=looped.at)) == notes(run)


@pytest.mark.slow
def test_group_dro_trains_on_data_without_attributes_by_environments(plain_folder, workbench):
    dataset = api.data_set(plain_folder, at=workbench)
    model = api.train(dataset.id, model="small-resnet", epochs=1, at=workbench)
    space = api.make_space(api.extract_features(model.id, at=workbench).id, n_clusters=2, at=workbench)
    subset = api.curate(api.NO_CAMPAIGN, space=space.id, size=40, at=workbench)
    how = {"objective": "group-dro", "selection": "worst_group", "epochs": 1, "batch_size": 32}
    with pytest.raises(SlimError, match="has no attribute"):
        api.train(dataset.id, model="small-resnet", at=workbench, **how)
    run = api.train(dataset.id, model="small-resnet", environments=subset.id, at=workbench, **how)
    assert {name.split(", ")[1] for name in names(run)} == {"environment 0", "environment 1"}
    refitted = api.retrain(
        subset.id, how="last-layer", reference=model.id, refit="dfr", environments=subset.id, at=workbench,
    )  # fmt: skip
    assert names(refitted) == names(run)
    judged = api.evaluate(model.id, environments=subset.id, at=workbench)
    assert {group["name"] for group in judged.metrics["groups"]} == names(run)
    assert judged.metrics["estimated_groups"]


@pytest.mark.slow
def test_features_that_lack_the_split_are_refused(looped):
    features = api.extract_features(looped.loop.reference.id, splits=("train",), at=looped.at)
    space = api.make_space(features.id, at=looped.at)
    subset = api.curate(api.NO_CAMPAIGN, space=space.id, size=40, at=looped.at)
    with pytest.raises(SlimError, match="lack 60 of the val images, whose environments are asked for: run gradcam"):
        api.train(looped.dataset.id, model="small-resnet", environments=subset.id, at=looped.at, **QUICK)


def test_a_run_that_is_no_subset_is_refused(looped):
    with pytest.raises(SlimError, match="The environments run .* is a space run: choose a curate run"):
        api.train(looped.dataset.id, model="small-resnet", environments=looped.loop.space.id, at=looped.at, **QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["slim-environment-groups", "group-dro-environments", "dfr-environments"])
def test_methods_by_class_and_environment_use_answers_alone(looped, method):
    outcome = looped.loop.outcome(method)
    assert outcome.labels_used == "answers" and outcome.n_answers > 0
    ancestry = Ancestry.read(looped.at.store, looped.dataset.id)
    assert ancestry.labels_used(ancestry.runs[outcome.model.id], has_groups=True) == "answers"
