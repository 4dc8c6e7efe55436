"""Splits that were made are made once: of a later version they are dealt out to the images that are new."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slim_core.data.importing import ToImport, import_asked
from slim_core.data.report import require
from slim_core.data.table import SPLITS
from slim_core.runs.executor import data_set
from tests.refusals import missing
from tests.slim_core.data.conftest import save_image

N, LATER = 60, 30


@pytest.fixture
def folder(data):
    """Images without splits, in a table that holds the first N of them."""
    folder = data / "field"
    for i in range(N + LATER):
        save_image(folder / "img" / f"{i}.png", seed=i, size=(20, 20))
    write(folder, table_of(N))
    return folder


def table_of(n, label=lambda i: np.where(i % 2, "owl", "elk")):
    i = np.arange(n)
    return pd.DataFrame({"path": [f"img/{k}.png" for k in i], "label": label(i)})


def write(folder, frame):
    frame.to_csv(folder / "table.csv", index=False)


def imported(folder, limits, before=None, **options):
    """path -> split, and the notes; ``before``: as an earlier import left it."""
    asked = ToImport(folder, options={key: str(value) for key, value in options.items()})
    found = import_asked(asked, splits_before=lambda *_: before or {}, settings=limits)
    frame = require(found).frame
    notes = {one.code: one.message for one in found.report.findings}
    return pd.Series(frame["split"].to_numpy(str), frame["path"].to_numpy(str)), notes


def test_images_that_are_there_keep_their_split_and_those_that_came_are_dealt_out(folder, limits):
    first, _ = imported(folder, limits)
    write(folder, table_of(N + LATER))
    anew, _ = imported(folder, limits)
    assert (anew[first.index] != first).sum() > 10, "dealt anew, images of test would become images of train"
    second, notes = imported(folder, limits, before=first.to_dict())
    assert (second[first.index] == first).all()
    assert second[N:].value_counts().to_dict() == {"train": 18, "test": 8, "val": 4}
    assert not missing(notes["made-splits"], 60)


def test_the_same_images_have_the_same_splits_with_or_without_a_version_before(folder, limits):
    first, notes = imported(folder, limits)
    assert imported(folder, limits, before=first.to_dict())[0].equals(first)
    assert "previous" not in notes["made-splits"]


def test_new_images_of_a_unit_go_where_it_is(folder, limits):
    def patients(n):
        return table_of(n, lambda i: np.where(i % 10 % 2, "sick", "well")).assign(patient_id=np.arange(n) % 10)

    write(folder, patients(N))
    first, _ = imported(folder, limits)
    write(folder, patients(N + LATER))
    second, _ = imported(folder, limits, before=first.to_dict())
    assert (second[first.index] == first).all()
    assert second.groupby(np.arange(N + LATER) % 10).nunique().max() == 1


def test_units_that_were_not_asked_for_before_are_not_parted_by_the_splits_of_then(folder, limits):
    """A patient's images in train and in test are what units are asked for against."""
    patient = np.arange(N) % 10
    write(folder, table_of(N, lambda i: np.where(i % 10 % 2, "sick", "well")).assign(patient_id=patient))
    first, _ = imported(folder, limits, unit="none")
    first[patient == 3] = "test"
    assert first.groupby(patient).nunique().eq(1).sum() == 1
    second, notes = imported(folder, limits, before=first.to_dict())
    assert second.groupby(patient).nunique().max() == 1
    assert (second[patient == 3] == "test").all()
    assert "images of one patient_id in one split" in notes["made-splits"]
    parted = first.where(patient != 3, np.where(np.arange(N) % 20 < 10, "test", "val")).to_dict()
    assert imported(folder, limits, before=parted)[0].groupby(patient).nunique().max() == 1, "none is kept whole"
    assert not missing(notes["made-splits"], "patient_id, 9 values")


def test_a_class_that_was_relabelled_out_of_images_of_train_alone_is_in_every_split(folder, limits):
    first, _ = imported(folder, limits)
    of_train = [int(path[4:-4]) for path in first.index[first == "train"][:3]]
    write(folder, table_of(N, lambda i: np.where(np.isin(i, of_train), "fox", np.where(i % 2, "owl", "elk"))))
    second, _ = imported(folder, limits, before=first.to_dict())
    foxes = [f"img/{i}.png" for i in of_train]
    assert set(second[foxes]) == set(SPLITS)
    others = first.index.difference(foxes)
    assert (second[others] == first[others]).all()


def test_of_a_split_that_is_named_now_nothing_is_kept(folder, limits):
    first, _ = imported(folder, limits)
    named = np.where(first == "train", "test", "train")
    write(folder, table_of(N).assign(split=np.where(np.arange(N) % 7 == 0, "val", named)))
    assert (imported(folder, limits, before=first.to_dict())[0] != first).sum() > N / 2


def test_val_that_is_taken_from_train_is_taken_once(folder, limits):
    def named(n):
        return table_of(n).assign(split=np.where(np.arange(n) % 5 == 0, "test", "train"))

    write(folder, named(N))
    first, _ = imported(folder, limits)
    write(folder, named(N + LATER))
    second, notes = imported(folder, limits, before=first.to_dict())
    assert (second[first.index] == first).all() and set(second[N:]) == set(SPLITS)
    assert "48 images keep their split" in notes["made-val"]


def test_a_later_version_of_a_registered_folder_keeps_them_unless_another_seed_is_asked_for(workbench, tmp_path):
    folder = tmp_path / "classes"
    for i in range(24):
        save_image(folder / ("cat", "dog")[i % 2] / f"{i}.jpg", i)
    older = splits_in(workbench, folder)
    for i in range(8):
        save_image(folder / ("cat", "dog")[i % 2] / f"later-{i}.jpg", 50 + i)
    newer = splits_in(workbench, folder)
    assert len(newer) == 32 and newer[older.index].equals(older)
    assert not splits_in(workbench, folder, seed="1")[older.index].equals(older)


def splits_in(workbench, folder, **options):
    dataset = data_set(folder, options=options, at=workbench)
    frame = workbench.store.datasets.table(dataset.id).frame
    return pd.Series(frame["split"].to_numpy(str), frame["path"].to_numpy(str))
