"""What each step leaves behind, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from slim_core import api
from slim_core.annotation import terminal
from slim_core.annotation.plan import create_campaign
from slim_core.errors import NotFoundError, SlimError
from slim_core.evaluation.comparison import Ancestry
from slim_core.steps import curate
from slim_core.steps.specs import CurateSpec
from tests.refusals import refusal


def folder(looped, run):
    return looped.at.store.artifacts.folder(run.id)


def test_every_run_leaves_its_spec_log_environment_and_metrics(looped):
    for run in looped.at.store.runs.all(status="done"):
        names = {path.name for path in folder(looped, run).iterdir()}
        assert {"spec.json", "log.txt", "environment.json", "metrics.json"} <= names
        assert json.loads((folder(looped, run) / "spec.json").read_text()) == run.spec
        assert not {path.suffix for path in folder(looped, run).iterdir()} & {".pkl", ".pickle", ".pt"}


def test_training_leaves_weights_its_history_and_what_it_was_built_for(looped):
    reference = looped.loop.reference
    history = json.loads((folder(looped, reference) / "history.json").read_text())
    assert [entry["epoch"] for entry in history] == [1, 2]
    assert (folder(looped, reference) / "weights.safetensors").is_file()
    assert json.loads((folder(looped, reference) / "model.json").read_text())["label_names"] == ["0", "1"]
    assert reference.metrics["images"] == reference.metrics["images_unique"] == 200
    assert 0 <= reference.metrics["val"]["worst_class"] <= 1


def test_retraining_sees_the_subset_and_nothing_else(looped):
    outcome = looped.outcomes["slim"]
    chosen = pd.read_parquet(folder(looped, outcome.subset) / "subset.parquet")
    assert outcome.model.metrics["images"] == chosen["count"].sum() == 60
    assert outcome.model.metrics["images_unique"] == len(chosen)
    assert set(chosen["row"]) <= set(looped.loop.table.rows("train"))


def test_the_last_layer_alone_leaves_the_rest_of_the_reference_as_it_was(looped):
    from safetensors.numpy import load_file

    subset = looped.outcomes["slim"].subset
    model = api.retrain(subset.id, how="last-layer", at=looped.at)
    before = load_file(folder(looped, looped.loop.reference) / "weights.safetensors")
    after = load_file(folder(looped, model) / "weights.safetensors")
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert len(changed) == 2, "weight and bias of the head"
    assert not (folder(looped, model) / "pooled").exists()


def test_a_space_holds_its_split_row_by_row(looped):
    space = folder(looped, looped.loop.space)
    rows = np.load(space / "rows.npy")
    assert np.array_equal(rows, looped.loop.table.rows("train"))
    for name in ("attention_space", "environment_space"):
        assert np.load(space / f"{name}.npy").shape == (len(rows), 2)
    clusters = np.load(space / "clusters.npy")
    n_per_class = json.loads((space / "clusters.json").read_text())["n_per_class"]
    assert n_per_class == [clusters.max() + 1] * 2
    assert set(clusters) == set(range(n_per_class[0])), "the environments of all classes, some of which one may lack"


def test_a_space_says_in_how_many_clusters_each_class_is_and_not_how_many_there_are(looped):
    """Each class was said to have the clusters of all: 24 where it has 12 images."""
    run = api.make_space(looped.loop.attention.id, split="val", n_clusters=40, at=looped.at)
    space, table = folder(looped, run), looped.loop.table
    clusters, labels = np.load(space / "clusters.npy"), table.labels[table.rows("val")]
    found = [len(set(clusters[labels == label])) for label in range(table.n_classes)]
    assert list(run.metrics["clusters"].values()) == found
    assert max(found) < clusters.max() + 1 == 40


def test_a_space_of_a_split_the_features_lack_is_refused(looped):
    alone = api.gradcam(looped.loop.reference.id, splits=("val",), at=looped.at)
    with refusal(SlimError, "val", "test"):
        api.make_space(alone.id, split="test", at=looped.at)


def test_curation_leaves_scores_for_every_image_of_the_space(looped):
    subset = looped.outcomes["slim"].subset
    scores = np.load(folder(looped, subset) / "scores.npy")
    assert scores.shape == (200,)
    assert ((scores >= 0) & (scores <= 1) | np.isnan(scores)).all()
    chosen = pd.read_parquet(folder(looped, subset) / "subset.parquet")
    assert list(chosen.columns) == ["row", "count", "cell", "score", "label"]
    assert subset.metrics["right"] + subset.metrics["wrong"] + subset.metrics["unsure"] == subset.metrics["answers"]


def test_curation_finds_environments_in_the_features_of_the_attention_pass(looped):
    campaign = looped.loop.campaign
    subset = api.curate(campaign.id, size=40, options={"environments": "answers"}, at=looped.at)
    report = subset.metrics["report"]
    assert subset.metrics["images"] == 40 and report["options"]["environments"] == "answers"
    assert all(", surroundings " in cell["cell"] for cell in report["cells"])
    assert report["clusters"]["n_per_class"] == [10, 10]  # 200 images, 20 in each on average
    of_space = api.curate(campaign.id, size=40, at=looped.at)
    assert of_space.id != subset.id and all(
        ", environment " in cell["cell"] for cell in of_space.metrics["report"]["cells"]
    )


def test_curation_balances_what_wrong_attention_is_on(looped):
    campaign = looped.loop.campaign
    subset = api.curate(campaign.id, size=40, options={"environments": "both"}, at=looped.at)
    report = subset.metrics["report"]
    assert 0 < subset.metrics["images"] <= 40 and report["options"]["environments"] == "both"
    found = report["clusters"]
    assert found["surroundings"] == 10 and 0 < found["images_wrong"] < 200, "some answers say right, some wrong"
    assert subset.metrics["attention_wrong"] == found["images_wrong"]
    followed = np.load(folder(looped, subset) / "scores.npy")  # not those of neighbours in the attention space
    assert found["images_wrong"] == 200 - round(followed.sum())
    kept = pd.read_parquet(folder(looped, subset) / "subset.parquet")
    rows = np.load(folder(looped, looped.loop.space) / "rows.npy")
    assert kept["score"].to_numpy() == pytest.approx(followed[np.searchsorted(rows, kept["row"])])
    smaller = subset.metrics["images"] < 40
    notes = [note for note in report["notes"] if "not balanced in" not in note]
    assert len(notes) == smaller and all("40 images were asked" in note for note in notes), "a small model fits"


def test_scores_that_a_curation_does_not_use_are_not_computed(looped, monkeypatch):
    asked = []
    monkeypatch.setattr(curate, "expand", lambda points, *_, **__: asked.append(1) or np.full(len(points), 0.5))
    for environments in ("both", "answers"):
        options = {"environments": environments}
        api.curate(looped.loop.campaign.id, size=44, options=options, at=looped.at, force=True)
        assert len(asked) == (environments == "answers")


def test_answers_given_after_a_curation_do_not_change_what_it_was_made_of(looped):
    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.03, seed=7, name="of this test")
    rows = [item.row for item in store.campaigns.items(campaign.id)]
    terminal.save(store, campaign, "one", {row: number % 2 for number, row in enumerate(rows)})
    first = api.curate(campaign.id, size=40, at=looped.at)
    terminal.save(store, campaign, "one", {rows[0]: -1})
    assert store.runs.fetch(first.id).spec["answers_seq"] < store.answers.last_seq(campaign.id)
    second = api.curate(campaign.id, size=40, at=looped.at)
    assert second.id != first.id
    assert second.metrics["unsure"] == first.metrics["unsure"] + 1


def test_images_that_must_not_be_trained_on_are_not_curated(looped):

    store, runs = looped.at.store, len(looped.at.store.runs.all(kind="curate"))
    space = api.make_space(looped.loop.attention.id, split="val", at=looped.at)
    campaign = api.choose_candidates(space.id, share=0.05, name="of val", at=looped.at)
    terminal.save(store, campaign, "one", {item.row: 1 for item in store.campaigns.items(campaign.id)})
    with refusal(SlimError, space.id, "val", "train"):
        api.curate(campaign.id, size=20, at=looped.at)
    assert len(store.runs.all(kind="curate")) == runs
    with refusal(SlimError, space.id, "val", "train"):  # by a spec of one's own
        looped.at.run(CurateSpec(dataset=looped.dataset.id, space=space.id, strategy="random", size=20))


def test_a_campaign_without_answers_balances_the_environments_and_says_so(looped):
    campaign = create_campaign(looped.at.store, looped.loop.space, share=0.02, seed=8, name="unanswered")
    run = api.curate(campaign.id, size=40, at=looped.at)
    assert (run.metrics["images"], run.metrics["answers"]) == (40, 0)
    assert run.metrics["report"]["notes"][0].startswith("No answer says")
    with pytest.raises(SlimError, match="answer yet, and 'slim-reference' needs some"):
        api.curate(campaign.id, strategy="slim-reference", size=40, at=looped.at)


def test_slim_runs_without_a_campaign(looped):
    run = api.curate(api.NO_CAMPAIGN, space=looped.loop.space.id, size=40, at=looped.at)
    assert run.campaign_id is None
    assert (run.metrics["images"], run.metrics["answers"]) == (40, 0)
    assert Ancestry.read(looped.at.store, looped.dataset.id).labels_used(run, has_groups=True) == "none"


@pytest.mark.slow
def test_without_a_campaign_of_the_space_slim_takes_none_and_the_reference_is_refused(looped):
    space = api.make_space(looped.loop.attention.id, seed=3, at=looped.at)
    assert api.curate(space=space.id, size=40, at=looped.at).campaign_id is None
    with refusal(NotFoundError, space.id):
        api.curate(strategy="slim-reference", space=space.id, size=40, at=looped.at)


def test_all_answers_wrong_choose_the_better_half_or_say_so_but_never_the_opposite(looped):

    store = looped.at.store
    campaign = create_campaign(store, looped.loop.space, share=0.02, seed=9, name="all wrong")
    terminal.save(store, campaign, "one", {item.row: 0 for item in store.campaigns.items(campaign.id)})
    with pytest.raises(SlimError, match="wrong"):
        api.curate(campaign.id, strategy="slim-reference", size=40, at=looped.at)
    notes = api.curate(campaign.id, size=40, at=looped.at).metrics["report"]["notes"]
    assert "is wrong, so no image" in notes[0]


def test_an_evaluation_agrees_with_its_own_predictions(looped):
    evaluation = looped.outcomes["erm"].evaluation
    predictions = pd.read_parquet(folder(looped, evaluation) / "predictions.parquet")
    right = predictions["label"] == predictions["prediction"]
    assert evaluation.metrics["average"] == pytest.approx(right.mean())
    by_group = right.groupby(predictions["group"]).mean()
    assert [group["accuracy"] for group in evaluation.metrics["groups"]] == pytest.approx(by_group.tolist())
    assert evaluation.metrics["attention_coverage"] == 1.0 and evaluation.metrics["n_masks"] == 80
    shares = (
        np.bincount(
            looped.loop.table.attributes[looped.loop.table.rows("train")]
            + 2 * looped.loop.table.labels[looped.loop.table.rows("train")]
        )
        / 200
    )
    assert evaluation.metrics["adjusted_average"] == pytest.approx(float(shares @ by_group.to_numpy()))


@pytest.mark.slow
def test_pseudo_groups_of_another_split_are_refused(plain_folder, workbench):
    dataset = api.data_set(plain_folder, at=workbench)
    model = api.train(dataset.id, model="small-resnet", epochs=1, at=workbench)
    space = api.make_space(api.gradcam(model.id, at=workbench).id, split="val", at=workbench)
    with pytest.raises(SlimError, match="hold the test images: .* space run with"):
        api.evaluate(model.id, split="test", space=space.id, at=workbench)
    by_class = api.evaluate(model.id, at=workbench).metrics
    assert by_class["estimated_groups"] and [group["name"] for group in by_class["groups"]] == ["0", "1"]
