"""Data sets: registered once, read back unchanged, forgotten without touching an image."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pytest

from slim_core.data.report import Imported, ImportReport
from slim_core.errors import ConflictError, DataRefusedError, NotFoundError, SpecRefusedError
from slim_core.store import Store, StoreUnavailableError
from slim_core.store.datasets import rename
from tests.slim_core.store.store_makers import image_table, imported, in_threads, statements


def test_a_registered_table_reads_back_the_same(store: Store, dataset, tmp_path):
    table = store.datasets.table(dataset.id)
    assert table.fingerprint == dataset.fingerprint == image_table(tmp_path / "images").fingerprint
    assert (dataset.n_images, dataset.n_classes, dataset.name, dataset.format) == (50, 2, "digits", "demo")
    assert store.datasets.table(dataset.id) is table
    assert dataset.report["n_images"] == 50 and dataset.report["ok"] is True


def test_another_process_reads_the_same_table(store: Store, dataset):
    other = Store.open(store.settings)
    np.testing.assert_array_equal(other.datasets.table(dataset.id).labels, store.datasets.table(dataset.id).labels)
    other.close()


def test_the_same_table_is_one_data_set_however_often_it_is_registered(store: Store, dataset, tmp_path):
    table = image_table(tmp_path / "images")
    answers = in_threads(4, lambda k: store.datasets.register(imported(table), by=f"{k}").id)
    assert set(answers) == {dataset.id} and len(store.datasets.all()) == 1


def test_four_that_register_a_new_table_at_once_get_the_same_data_set(store: Store, tmp_path):
    table = image_table(tmp_path / "new", seed=5)
    answers = in_threads(4, lambda k: store.datasets.register(imported(table), by=f"{k}").id)
    assert len(set(answers)) == 1 and len(store.datasets.all()) == 1
    assert len(list((store.settings.home / "datasets").iterdir())) == 1


def test_a_data_set_is_found_by_id_or_by_its_newest_name(store: Store, dataset, tmp_path):
    changed = store.datasets.register(imported(image_table(tmp_path / "images", seed=1)))
    assert store.datasets.find(dataset.id) == dataset
    assert store.datasets.find("digits") == changed and store.datasets.find("none") is None
    assert store.datasets.all() == [changed, dataset]
    with pytest.raises(NotFoundError, match="no data set d-none: import it"):
        store.datasets.fetch("d-none")


def test_a_data_set_is_found_by_its_name_with_the_spaces_of_its_folder(store: Store, tmp_path):
    found = store.datasets.register(imported(image_table(tmp_path / "images", seed=1, name="a  b ")))
    assert found.name == "a b" and found.imported_as == "a  b "
    assert store.datasets.find("a  b ") == store.datasets.find("a b") == found
    store.notes.write(found.id, name="c  d", text="", tags=())
    assert store.datasets.of("c  d").id == store.datasets.of("c d").id == found.id
    with statements(store.database) as told:
        assert store.datasets.find("a b") is None
    assert sum("FROM datasets" in one for one in told) == 2  # by id, by name


def test_a_refused_import_is_not_registered(store: Store):
    with pytest.raises(DataRefusedError, match="refused on import"):
        store.datasets.register(Imported(None, ImportReport("csv", "x", "/x", ())))
    assert store.datasets.all() == []


def test_a_data_set_whose_folder_has_moved_says_where_it_was(store: Store, dataset, tmp_path):
    store.datasets.table(dataset.id)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    with pytest.raises(DataRefusedError, match="no longer in .*images: move them back"):
        store.datasets.table(dataset.id)


def test_a_kept_table_that_was_changed_is_refused(store: Store, dataset, tmp_path):
    changed = image_table(tmp_path / "images", seed=9)
    changed.save(store.artifacts.folder(dataset.id))
    with pytest.raises(DataRefusedError, match="been changed: import"):
        store.datasets.table(dataset.id)


def test_a_version_takes_the_name_that_is_given_at_the_same_moment(store, dataset, tmp_path):
    newer = imported(image_table(tmp_path / "images", seed=1))
    with ThreadPoolExecutor(1) as somebody_else:
        with store.database.write() as connection:
            rename(connection, dataset.id, "letters")
            registered = somebody_else.submit(store.datasets.register, newer)
            wait([registered], timeout=1)
        found = registered.result(60)
    assert found.name == "letters"


def test_a_renamed_data_set_keeps_its_versions_and_the_next_one_takes_the_name(store, dataset, tmp_path):
    newer = store.datasets.register(imported(image_table(tmp_path / "images", seed=1)))
    store.notes.write(dataset.id, name=" handwritten  digits ", text="", tags=(), by="lea")
    assert {one.name for one in store.datasets.all()} == {"handwritten digits"}
    assert [one.id for one in store.datasets.versions(dataset)] == [newer.id, dataset.id]
    assert store.datasets.find("digits") is None, "no older version answers to the old name"
    assert store.datasets.register(imported(image_table(tmp_path / "images", seed=2))).name == "handwritten digits"
    assert store.events.recent(1, subject=dataset.id)[0].what == "dataset.described"


def test_the_name_of_another_data_set_is_refused_and_so_is_none(store, dataset, tmp_path):
    other = store.datasets.register(imported(image_table(tmp_path / "other", name="other")))
    with pytest.raises(ConflictError, match=f"digits .*{dataset.id}"):
        store.notes.write(other.id, name="digits", text="", tags=())
    with pytest.raises(SpecRefusedError, match="not a name"):
        store.notes.write(other.id, name=" ", text="", tags=[])
    assert store.datasets.fetch(other.id).name == "other"


def test_a_table_that_cannot_be_written_leaves_nothing_behind(store: Store, tmp_path, monkeypatch):
    table = image_table(tmp_path / "images")
    shutil.rmtree(store.settings.home / "datasets", ignore_errors=True)
    (store.settings.home / "work").write_text("a file where a folder should be")
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        store.datasets.register(imported(table))
    assert store.datasets.all() == []


@pytest.mark.parametrize("loss", ["folder", "file", "change"])
def test_a_kept_table_that_is_lost_comes_back_by_importing_its_folder_again(store: Store, dataset, tmp_path, loss: str):
    kept = store.settings.home / "datasets" / dataset.id
    if loss == "folder":
        shutil.rmtree(kept)
        with pytest.raises(NotFoundError, match="digits .*: put datasets/.* or import its"):
            store.datasets.table(dataset.id)
    elif loss == "file":
        (kept / "table.parquet").unlink()
    else:
        image_table(tmp_path / "images", seed=7).save(kept)
    again = store.datasets.register(imported(image_table(tmp_path / "images")))
    assert again.id == dataset.id and store.datasets.table(dataset.id).fingerprint == dataset.fingerprint
