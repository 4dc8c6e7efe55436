"""Evaluations of data without attributes: their groups are class x environment, of one reference for all its models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from app import session
from app.services import queueing
from slim_core.errors import SpecRefusedError
from slim_core.steps.specs import parse_spec
from slim_core.store import Dataset, Run
from tests.app.conftest import Show


def without_attributes(small_demo: Path, folder: Path, *, left_out: Sequence[int] = ()) -> Dataset:
    """The small demo data set without its column of attributes, and without some rows."""
    from slim_core.data.importing import import_data

    table = pd.read_csv(small_demo / "metadata.csv").drop(index=list(left_out))
    folder.mkdir()
    for path in small_demo.iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path)
    plain = table.rename(columns={"img_filename": "path", "y": "label"})[["path", "label", "split"]]
    plain.assign(split=plain["split"].map({0: "train", 1: "val", 2: "test"})).to_csv(
        folder / "metadata.csv", index=False
    )
    return session.store().datasets.register(import_data(folder), by="tests")


@pytest.fixture
def unnamed(empty_home: Path, small_demo: Path, tmp_path: Path) -> Dataset:
    return without_attributes(small_demo, tmp_path / "unnamed")


def submitted(dataset: Dataset, **spec: object) -> Run:
    asked = {"kind": "train", "dataset": dataset.id, "model": "small-resnet", **spec}
    return session.store().runs.submit(parse_spec(asked))[0]


def evaluate(model: Run) -> Run:
    queueing.save_evaluation(model)
    return next(run for run in session.store().runs.all(kind="evaluate") if run.spec["model"] == model.id)


def test_without_attributes_the_groups_come_from_a_space_of_the_evaluated_images(unnamed: Dataset) -> None:
    assert unnamed.n_attributes == 0
    store, model = session.store(), submitted(unnamed)
    evaluation = evaluate(model)
    space = store.runs.fetch(evaluation.spec["space"])
    attention = store.runs.fetch(space.spec["attention"])
    assert (space.spec["split"], attention.kind, attention.spec["model"]) == ("test", "gradcam", model.id)
    assert queueing.counts_for_groups(evaluation)
    assert {run.kind for run in store.runs.all(status="queued")} == {"train", "gradcam", "space", "evaluate"}


def test_a_retrained_model_is_evaluated_in_the_groups_of_its_reference(unnamed: Dataset) -> None:
    reference = submitted(unnamed)
    retrained = submitted(unnamed, start="reference", reference=reference.id, seed=1)
    assert evaluate(retrained).spec["space"] == evaluate(reference).spec["space"]


def retrained_on(model: Run) -> Run:
    """A model that is retrained on a subset of the attention space of another."""
    runs, dataset = session.store().runs, model.dataset_id
    maps, _ = runs.submit(parse_spec({"kind": "gradcam", "dataset": dataset, "model": model.id}))
    space, _ = runs.submit(parse_spec({"kind": "space", "dataset": dataset, "attention": maps.id}))
    subset, _ = runs.submit(parse_spec({"kind": "curate", "dataset": dataset, "space": space.id, "size": 8}))
    of_subset = {"start": "reference", "reference": model.id, "subset": subset.id}
    return runs.submit(parse_spec({"kind": "train", "dataset": dataset, "model": "small-resnet", **of_subset}))[0]


def test_a_second_round_is_evaluated_in_the_groups_of_the_first(unnamed: Dataset) -> None:
    reference = submitted(unnamed)
    once = retrained_on(reference)
    twice = retrained_on(once)
    assert evaluate(twice).spec["space"] == evaluate(once).spec["space"] == evaluate(reference).spec["space"]


def test_with_attributes_an_evaluation_needs_nothing_else(dataset: Dataset) -> None:
    evaluation = evaluate(submitted(dataset))
    assert evaluation.spec.get("space") is None and queueing.counts_for_groups(evaluation)
    assert not session.store().runs.all(kind="space")


def test_an_evaluation_by_class_alone_counts_no_longer(unnamed: Dataset) -> None:
    model = submitted(unnamed)
    spec = {"kind": "evaluate", "dataset": unnamed.id, "model": model.id}
    assert not queueing.counts_for_groups(session.store().runs.submit(parse_spec(spec))[0])


@pytest.mark.usefixtures("empty_home")
def test_where_too_few_images_show_environments_an_evaluation_is_by_class_and_counts(
    small_demo: Path, tmp_path: Path, show: Show
) -> None:
    dataset = without_attributes(small_demo, tmp_path / "few", left_out=[39])
    assert dataset.report["splits"] == {"train": 20, "val": 10, "test": 9}
    evaluation = evaluate(submitted(dataset))
    assert evaluation.spec.get("space") is None and queueing.counts_for_groups(evaluation)
    assert {run.kind for run in session.store().runs.all()} == {"train", "evaluate"}
    captions = [caption.value for caption in show("data", dataset=dataset.id).caption]
    assert not any("class x environment" in caption for caption in captions), "no groups are promised"


@pytest.mark.usefixtures("empty_home")
def test_a_press_that_leads_to_a_space_of_too_few_images_saves_no_run(small_demo: Path, tmp_path: Path) -> None:
    dataset = without_attributes(small_demo, tmp_path / "few", left_out=range(9, 20))
    with pytest.raises(SpecRefusedError, match="few has 9 train images: an attention"):
        queueing.to_questions(dataset, queueing.reference_spec(dataset))
    assert session.store().runs.all() == []
    with pytest.raises(SpecRefusedError, match="few has 9 train images: an attention"):
        queueing.to_spaces([submitted(dataset)], "train")
    assert {run.kind for run in session.store().runs.all()} == {"train"}
