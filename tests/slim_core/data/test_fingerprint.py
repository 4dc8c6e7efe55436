"""Data that is no longer what was imported ends a run with one sentence that names a path and the remedy."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from slim_core.data.importing import import_data
from slim_core.data.table import SAMPLE, check_unchanged, file_records
from slim_core.errors import DataRefusedError
from slim_core.runs.execute import execute
from slim_core.settings import Settings
from slim_core.steps.specs import TrainSpec
from slim_core.store import Dataset, Store
from tests.refusals import missing
from tests.slim_core.data.conftest import save_image


@pytest.fixture
def folder(demo_folder: Path, tmp_path: Path) -> Path:
    """A copy of the small demo set that a test may spoil."""
    return Path(shutil.copytree(demo_folder, tmp_path / "data"))


@pytest.fixture
def store(tmp_path: Path, folder: Path):
    opened = Store.open(Settings(home=tmp_path / "home", data_roots=(tmp_path,)))
    yield opened
    opened.close()


def register(store: Store, folder: Path) -> Dataset:
    return store.datasets.register(import_data(folder, settings=store.settings))


def images_of(dataset: Dataset) -> list[Path]:
    """The images that are looked at."""
    return [Path(record["path"]) for record in dataset.report["seal"]["images"]]


def spoil_metadata(dataset: Dataset, folder: Path) -> tuple[object, ...]:
    path = folder / "metadata.csv"
    frame = pd.read_csv(path)
    frame.loc[0, "y"] = 1 - frame.loc[0, "y"]
    frame.to_csv(path, index=False)
    return path, "has changed"


def lose_metadata(dataset: Dataset, folder: Path) -> tuple[object, ...]:
    (folder / "metadata.csv").unlink()
    return folder / "metadata.csv", "missing"


def lose_images(dataset: Dataset, folder: Path) -> tuple[object, ...]:
    for path in images_of(dataset)[:3]:
        path.unlink()
    return f"3 of the {SAMPLE} ", images_of(dataset)[0], "missing"


def lose_an_image(dataset: Dataset, folder: Path) -> tuple[object, ...]:
    (lost := images_of(dataset)[5]).unlink()
    return f"1 of the {SAMPLE} ", lost, "missing"


def change_an_image(dataset: Dataset, folder: Path) -> tuple[object, ...]:
    changed = images_of(dataset)[5]
    content = bytearray(changed.read_bytes())
    content[-20] ^= 1  # as long as before
    changed.write_bytes(content)
    return f"1 of the {SAMPLE} ", changed, "has changed"


def move(dataset: Dataset, folder: Path) -> tuple[object, ...]:
    folder.rename(folder.with_name("elsewhere"))
    return folder, "no longer"


@pytest.mark.parametrize("spoil", [spoil_metadata, lose_metadata, lose_images, lose_an_image, change_an_image, move])
def test_a_run_over_data_that_is_not_what_was_imported_fails_with_the_path_and_the_remedy(store, folder, spoil):
    dataset = register(store, folder)
    store.datasets.unchanged_table(dataset.id)
    expected = spoil(dataset, folder)
    run = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet"))[0]
    failed = execute(store, run.id, worker="tester", device="cpu")
    assert failed.status == "failed" and not missing(failed.message, *expected)
    assert store.runs.counts() == {"failed": 1}


def test_files_that_were_only_touched_or_copied_back_are_the_same_data(store, folder):
    dataset = register(store, folder)
    for path in [folder / "metadata.csv", *images_of(dataset)]:
        os.utime(path, (1, 1))
    store.datasets.unchanged_table(dataset.id)


@pytest.mark.slow
def test_an_image_the_sample_misses_ends_the_run_with_its_path(store, folder):
    dataset = register(store, folder)
    table = store.datasets.table(dataset.id)
    row = next(int(row) for row in table.rows("train") if table.image_path(int(row)) not in images_of(dataset))
    table.image_path(row).unlink()
    run = store.runs.submit(TrainSpec(dataset=dataset.id, model="small-resnet", epochs=1))[0]
    failed = execute(store, run.id, worker="tester", device="cpu")
    assert not missing(failed.message, table.image_path(row), "missing")


@pytest.mark.slow
def test_importing_again_takes_the_files_as_they_are_now(store, folder):
    dataset = register(store, folder)
    metadata = folder / "metadata.csv"
    metadata.write_text(metadata.read_text() + "\n")  # another file, the same table
    with pytest.raises(DataRefusedError, match="has changed since"):
        store.datasets.unchanged_table(dataset.id)
    assert register(store, folder).id == dataset.id
    store.datasets.unchanged_table(dataset.id)
    spoil_metadata(dataset, folder)
    again = register(store, folder)
    assert again.id != dataset.id, "another table is another data set"
    store.datasets.unchanged_table(again.id)


def test_the_records_of_files_are_small_plain_json_however_large_the_data_set(store, folder):
    dataset = register(store, folder)
    recorded = dataset.report["seal"]
    assert [record["path"] for record in recorded["metadata"]] == [str(folder / "metadata.csv")]
    assert len(recorded["images"]) == SAMPLE < dataset.n_images
    assert (
        json.loads(json.dumps(recorded))
        == recorded
        == file_records(store.datasets.table(dataset.id), [folder / "metadata.csv"])
    )


def test_a_data_set_registered_before_files_were_recorded_passes():
    check_unchanged("old", None)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """A folder for each of two classes, without metadata."""
    folder = tmp_path / "classes"
    for i in range(24):
        save_image(folder / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    return folder


def test_images_that_came_or_went_in_folders_without_metadata_are_noticed(store, classes):
    dataset = register(store, classes)
    assert store.datasets.change_since(dataset) is None
    save_image(classes / "cat" / "new.jpg", 99)
    said = store.datasets.change_since(dataset)
    assert not missing(said, classes, "cat", 12, 13)
    store.datasets.unchanged_table(dataset.id)  # a run goes on with the images of then
    newer = register(store, classes)
    assert newer.id != dataset.id and store.datasets.change_since(newer) is None
    assert store.datasets.versions(dataset) == [newer, dataset]


def test_a_new_folder_of_a_class_is_noticed_and_a_hidden_file_is_not(store, classes):
    dataset = register(store, classes)
    (classes / "cat" / ".DS_Store").write_text("x")
    assert store.datasets.change_since(dataset) is None
    save_image(classes / "bird" / "0.jpg", 7)
    assert f"{classes} of classes had 2 files and folders" in str(store.datasets.change_since(dataset))


def test_changed_metadata_and_a_moved_folder_are_said_in_a_sentence(store, folder):
    dataset = register(store, folder)
    assert store.datasets.change_since(dataset) is None
    expected = spoil_metadata(dataset, folder)
    assert not missing(str(store.datasets.change_since(dataset)), *expected)
    expected = move(dataset, folder)
    assert not missing(str(store.datasets.change_since(dataset)), *expected)
