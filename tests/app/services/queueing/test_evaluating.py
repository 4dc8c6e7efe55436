"""Evaluations of data without attributes: their groups are class x environment, of one reference for all its models."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from app import session
from app.services.queueing import evaluating
from slim_core.steps.registry import parse_spec
from slim_core.store import Dataset, Run


@pytest.fixture
def unnamed(empty_home: Path, small_demo: Path, tmp_path: Path) -> Dataset:
    """The small demo data set without its column of attributes."""
    from slim_core.data.importing import import_data

    table = pd.read_csv(small_demo / "metadata.csv")
    folder = tmp_path / "unnamed"
    folder.mkdir()
    for path in small_demo.iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path)
    plain = table.rename(columns={"img_filename": "path", "y": "label"})[["path", "label", "split"]]
    plain.assign(split=plain["split"].map({0: "train", 1: "val", 2: "test"})).to_csv(
        folder / "metadata.csv", index=False
    )
    return session.store().datasets.register(import_data(folder), by="tests")


def submitted(dataset: Dataset, **spec: object) -> Run:
    asked = {"kind": "train", "dataset": dataset.id, "model": "small-resnet", **spec}
    return session.store().runs.submit(parse_spec(asked))[0]


def evaluate(model: Run) -> Run:
    evaluating.save(model)
    return next(run for run in session.store().runs.all(kind="evaluate") if run.spec["model"] == model.id)


def test_without_attributes_the_groups_come_from_a_space_of_the_evaluated_images(unnamed: Dataset) -> None:
    assert unnamed.n_attributes == 0
    store, model = session.store(), submitted(unnamed)
    evaluation = evaluate(model)
    space = store.runs.fetch(evaluation.spec["space"])
    attention = store.runs.fetch(space.spec["attention"])
    assert (space.spec["split"], attention.kind, attention.spec["model"]) == ("test", "gradcam", model.id)
    assert evaluating.counts(evaluation)
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
    assert evaluation.spec.get("space") is None and evaluating.counts(evaluation)
    assert not session.store().runs.all(kind="space")


def test_an_evaluation_by_class_alone_counts_no_longer(unnamed: Dataset) -> None:
    model = submitted(unnamed)
    spec = {"kind": "evaluate", "dataset": unnamed.id, "model": model.id}
    assert not evaluating.counts(session.store().runs.submit(parse_spec(spec))[0])
