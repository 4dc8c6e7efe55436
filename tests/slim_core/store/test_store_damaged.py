"""Files that a run has left and that were cut, overwritten or removed since: one sentence each, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from slim_core.attention.thumbnails import Thumbnails
from slim_core.errors import ArtifactDamagedError, CheckpointRefusedError, DataRefusedError, NotFoundError
from slim_core.result_files import THUMBNAIL_INDEX, THUMBNAILS
from slim_core.settings import Settings
from slim_core.store import Dataset, Store, StoreUnavailableError
from slim_core.store.results import (
    AttentionResult,
    EvaluationResult,
    ModelResult,
    SpaceResult,
    SubsetResult,
    recorded_environment,
)
from tests.slim_core.store.store_makers import image_table, imported

READERS: list[tuple[str, Callable[[Path], object]]] = [
    ("rows.npy", lambda folder: AttentionResult(folder).rows),
    ("logits.npy", lambda folder: AttentionResult(folder).logits),
    ("scores.parquet", lambda folder: AttentionResult(folder).scores()),
    ("attention_space.npy", lambda folder: SpaceResult(folder).points()),
    ("clusters.json", lambda folder: SpaceResult(folder).clusters()),
    ("model.json", lambda folder: ModelResult(folder).transform),
    ("history.json", lambda folder: ModelResult(folder).history()),
    ("predictions.parquet", lambda folder: EvaluationResult(folder).predictions()),
    ("subset.parquet", lambda folder: SubsetResult(folder).images()),
    ("environment.json", lambda folder: recorded_environment(folder)),
]


@pytest.mark.parametrize("content", [b"", b"[1", b"\x93NUMPY", bytes(range(256))], ids=str)
@pytest.mark.parametrize(("name", "read"), READERS, ids=[name for name, _ in READERS])
def test_a_damaged_file_is_named_with_what_to_do(
    tmp_path: Path, name: str, read: Callable[[Path], object], content: bytes
) -> None:
    folder = tmp_path / "r-x"
    folder.mkdir()
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactDamagedError, match=f"{name} of r-x"):
        read(folder)


def test_a_removed_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactDamagedError, match=r"rows.npy of .* is missing"):
        _ = SpaceResult(tmp_path).rows


def test_a_damaged_index_of_thumbnails_is_named(tmp_path: Path) -> None:
    (tmp_path / THUMBNAILS).touch()
    (tmp_path / THUMBNAIL_INDEX).write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(ArtifactDamagedError, match=THUMBNAIL_INDEX):
        Thumbnails.find(tmp_path)


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    from slim_core.models.build import load_model

    (tmp_path / "model.json").write_text("{")
    with pytest.raises(CheckpointRefusedError, match="model.json is damaged: put it back"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["table.parquet", "table.json", "published.json"])
def test_a_damaged_table_is_named_and_kept_anew_by_an_import(store: Store, tmp_path: Path, name: str) -> None:
    table = image_table(tmp_path / "damaged")
    dataset = store.datasets.register(imported(table))
    (store.artifacts.folder(dataset.id) / name).write_bytes(b"\x00")
    store.datasets.tables.kept.clear()
    with pytest.raises((DataRefusedError, NotFoundError), match="again"):
        store.datasets.table(dataset.id)
    store.datasets.register(imported(table))
    assert np.array_equal(store.datasets.table(dataset.id).labels, table.labels)


def test_a_home_whose_database_was_moved_away_does_not_get_an_empty_one(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", database_url=None, artifacts_url=None)
    store = Store.open(settings)
    dataset: Dataset = store.datasets.register(imported(image_table(tmp_path / "images")))
    store.close()
    database = tmp_path / "home" / "slim.db"
    database.rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreUnavailableError, match="holds datasets, but their database slim.db"):
        Store.open(settings)
    assert not database.exists()
    (tmp_path / "elsewhere.db").rename(database)
    again = Store.open(settings)
    assert [one.id for one in again.datasets.all()] == [dataset.id]
    again.close()
