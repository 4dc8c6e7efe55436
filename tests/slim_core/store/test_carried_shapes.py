"""Drawings come along to a new version of a data set, where the image is still what was drawn on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from PIL import Image

from slim_core.data.importing import import_data
from slim_core.errors import ConflictError
from slim_core.store import Dataset, Store, schema
from slim_core.store.shape_rows import CODE
from tests.refusals import missing, refusal

BOX = [[[2, 2], [20, 2], [20, 12], [2, 12]]]


@pytest.fixture
def folder(small_demo: Path, tmp_path: Path) -> Path:
    """A small demo set that a test may change."""
    return Path(shutil.copytree(small_demo, tmp_path / "changing"))


def registered(store: Store, folder: Path, by: str = "tests") -> Dataset:
    return store.datasets.register(import_data(folder, name="changing", settings=store.settings), by=by)


def draw(store: Store, dataset: Dataset, *rows: int) -> None:
    for row in rows:
        with Image.open(store.datasets.table(dataset.id).image_path(row)) as image:
            store.shapes.keep(dataset.id, row, BOX, image.size, id=f"{dataset.id}-{row}", by="ann")


def paths(store: Store, dataset: Dataset) -> list[str]:
    """Of the images that are drawn on."""
    return [str(store.datasets.table(dataset.id).frame["path"].iat[row]) for row in store.shapes.all(dataset.id)]


def said(dataset: Dataset) -> list[str]:
    return [one["message"] for one in dataset.report["findings"] if one["code"] == CODE]


def change(folder: Path, what) -> None:
    frame = pd.read_csv(folder / "metadata.csv")
    what(frame).to_csv(folder / "metadata.csv", index=False)


def relabelled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(y=[1 - frame["y"].iat[0], *frame["y"].iloc[1:]])


def test_they_come_along_to_relabelled_and_moved_images_and_not_to_changed_or_missing_ones(
    store: Store, folder: Path
) -> None:
    older = registered(store, folder)
    names = [str(name) for name in store.datasets.table(older.id).frame["path"].iloc[:6]]
    draw(store, older, *range(6))
    (folder / "moved").mkdir()
    (folder / names[1]).rename(folder / "moved" / "one.png")
    Image.fromarray(np.full((28, 28, 3), 7, np.uint8)).save(folder / names[2])  # another picture, of the same size

    def edited(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[1, "img_filename"] = "moved/one.png"
        return relabelled(frame).drop(index=3)

    change(folder, edited)
    newer = registered(store, folder, by="lea")
    assert newer.id != older.id
    assert sorted(paths(store, newer)) == sorted([names[0], "moved/one.png", names[4], names[5]])
    (told,) = said(newer)
    assert not missing(told, "4 of 6", older.id, "other 2", f"({names[2]}, {names[3]})") and not said(older)
    assert {one.drawn_by for one in store.shapes.all(newer.id).values()} == {"ann"}, "who drew them stays"
    assert len(store.shapes.all(older.id)) == 6, "the older version is as it was"


def test_where_all_come_along_that_is_a_note(store: Store, folder: Path) -> None:
    draw(store, older := registered(store, folder), 3)
    change(folder, relabelled)
    newer = registered(store, folder)
    assert said(newer) == [f"1 drawing of the version {older.id} was carried over: its image is unchanged."]
    (before,), (after,) = (store.shapes.all(one.id).values() for one in (older, newer))
    assert (after.drawing, after.drawn_at, after.row) == (before.drawing, before.drawn_at, 3)


def test_in_class_folders_a_relabelled_image_has_moved_and_its_drawing_with_it(store: Store, tmp_path: Path) -> None:
    root = tmp_path / "pets"
    for seed in range(24):
        (root / ("cat", "dog")[seed % 2]).mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).integers(0, 256, (28, 28, 3), np.uint8)
        Image.fromarray(noise).save(root / ("cat", "dog")[seed % 2] / f"{seed}.png")
    older = registered(store, root)
    draw(store, older, *range(len(store.datasets.table(older.id))))
    (root / "cat" / "4.png").rename(root / "dog" / "four.png")
    newer = registered(store, root)
    table = store.datasets.table(newer.id)
    assert len(store.shapes.all(newer.id)) == 24 and "24 drawings" in said(newer)[0]
    (row,) = [row for row, path in enumerate(table.frame["path"]) if path == "dog/four.png"]
    before = store.datasets.table(older.id).frame["path"].tolist().index("cat/4.png")
    assert store.shapes.all(newer.id)[row].content == store.shapes.all(older.id)[before].content


def test_a_removed_drawing_stays_removed_and_the_same_table_takes_nothing_twice(store: Store, folder: Path) -> None:
    older = registered(store, folder)
    draw(store, older, 1, 2)
    store.shapes.keep(older.id, 2, [], (28, 28), id="gone")
    change(folder, relabelled)
    newer = registered(store, folder)
    assert registered(store, folder).id == newer.id
    with store.database.read() as connection:
        n = connection.execute(sa.select(sa.func.count()).where(schema.shapes.c.dataset_id == newer.id)).scalar()
    assert n == 1 and list(store.shapes.all(newer.id)) == [1]


def test_another_data_set_of_the_same_images_takes_nothing(store: Store, folder: Path) -> None:
    draw(store, registered(store, folder), 1)
    change(folder, relabelled)
    other = store.datasets.register(import_data(folder, name="another", settings=store.settings))
    assert store.shapes.all(other.id) == {} and not said(other)


def test_what_was_removed_on_the_version_before_does_not_come_back_from_an_older_one(
    store: Store, folder: Path
) -> None:
    draw(store, registered(store, folder), 3)
    change(folder, relabelled)
    second = registered(store, folder)
    store.shapes.keep(second.id, 3, [], (28, 28), id="gone")
    change(folder, lambda frame: frame.drop(index=7))
    assert store.shapes.all(registered(store, folder).id) == {}


def test_an_older_version_keeps_its_drawings_as_they_are(store: Store, folder: Path) -> None:
    older = registered(store, folder)
    draw(store, older, 3)
    change(folder, relabelled)
    newer = registered(store, folder)
    with refusal(ConflictError, older.id, newer.id):
        draw(store, older, 5)
    assert list(store.shapes.all(older.id)) == [3] == list(store.shapes.all(newer.id))


def test_what_is_drawn_while_the_next_version_is_registered_comes_along(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = registered(store, folder)
    draw(store, older, 3)
    change(folder, relabelled)
    read = store.datasets._drawn_before
    late = [5]

    def slowly(table):
        found = read(table)
        draw(store, older, *late)
        late.clear()
        return found

    monkeypatch.setattr(store.datasets, "_drawn_before", slowly)
    assert sorted(store.shapes.all(registered(store, folder).id)) == [3, 5]
