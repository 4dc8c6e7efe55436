"""Data sets that are listed and removed, as people type it; and imports of what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from slim_core.data.importing import import_data
from slim_core.steps.specs import TrainSpec
from slim_core.store import Dataset, Store
from tests.refusals import missing
from tests.slim_core.cli.commands import said, slim


@pytest.fixture
def dataset(store: Store, small_demo: Path) -> Dataset:
    """The small demo set."""
    return store.datasets.register(import_data(small_demo, name="demo"), by="tests")


def test_images_of_no_known_group_are_a_row_so_that_a_split_adds_up(store: Store, tmp_path: Path, capsys):
    folder = tmp_path / "places"
    folder.mkdir()
    for k in range(20):
        Image.new("RGB", (8, 8), (12 * k, 0, 0)).save(folder / f"{k}.png")
    places, splits = ["sea", "land", "sea", "", "land"], ["train"] * 10 + ["val"] * 10
    rows = [f"{k}.png,{'ab'[k % 2]},{places[k % 5]},{splits[k]}" for k in range(20)]
    (folder / "data.csv").write_text("\n".join(["path,label,place,split", *rows]))
    assert slim("import", folder, "-o", "attribute=place") == 0
    assert "│ unknown │ 2 │ 2 │" in said(capsys)


def test_the_same_images_under_another_name_are_said_to_keep_theirs(dataset: Dataset, small_demo: Path, capsys):
    assert slim("import", small_demo, "--name", "twin", "--register") == 0
    told = said(capsys)
    assert not missing(told, f"data set demo {dataset.id}", "registered as demo")
    assert "Data page" in told
    assert slim("import", small_demo, "--name", "demo", "--register") == 0
    assert "registered already" not in said(capsys)


def test_a_data_set_is_removed_once_it_was_said_what_goes(store: Store, dataset: Dataset, small_demo: Path, capsys):
    files = sorted(small_demo.rglob("*"))
    assert slim("delete", dataset.id) == 2
    told = said(capsys)
    assert "Removing demo" in told and "0 runs, 0 campaigns, and" in told and "stay" in told and "add --yes" in told
    assert store.datasets.all() == [dataset]
    assert slim("delete", dataset.id, "--yes") == 0
    assert f"removed demo {dataset.id}" in said(capsys)
    assert store.datasets.all() == [] and sorted(small_demo.rglob("*")) == files
    assert slim("delete", dataset.id) == 0
    assert "was left of demo" in said(capsys)
    assert slim("delete", "d-unknown") == 2
    assert "d-unknown" in said(capsys)


def test_a_data_set_with_a_run_that_waits_is_kept(store: Store, dataset: Dataset, capsys):
    run, _ = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"))
    assert slim("delete", dataset.id, "--yes") == 2
    assert f"1 run queued or running ({run.id})" in said(capsys)


def test_data_sets_of_one_name_are_told_and_a_folder_of_other_images_is_not_passed_over(
    store: Store, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    """In another folder the same word may be meant as the folder there."""
    for k in range(24):
        path = tmp_path / "elsewhere" / "demo" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (10 * k, 0, 0)).save(path)
    assert slim("import", tmp_path / "elsewhere" / "demo", "--register") == 0
    told, other = said(capsys), store.datasets.all()[0]
    also = f"Also called demo: {dataset.id} of {dataset.root}."
    assert not missing(told, also, other.id)
    assert "page renames one" in told
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert slim("train", "--data", "demo", "--epochs", "1") == 2
    assert not missing(said(capsys), "'demo'", other.id, other.root, "./demo")


def test_an_option_that_is_given_twice_is_refused(store: Store, small_demo: Path, capsys):
    assert slim("import", small_demo, "-o", "label=a", "-o", "label=b") == 2
    assert "--option label is both 'a' and 'b': leave one out." in said(capsys)
    assert slim("import", small_demo, "-o", "label") == 2
    assert "--option 'label' has no '=': write" in said(capsys)
