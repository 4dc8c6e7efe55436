"""Images of one patient, video or object in one split."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slim_core.data.checks.splits import SHARES, make_splits
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.table import SPLITS
from tests.refusals import missing
from tests.slim_core.data.conftest import save_image


def patients(n, rng, most=9):
    """Units (N,) of n patients, the label (N,) each has, and an attribute (N,) that changes within a patient."""
    sizes = rng.integers(1, most, n)
    units = np.repeat(np.arange(n), sizes)
    return units, (np.arange(n) % 2)[units], rng.integers(0, 2, len(units))


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 60), st.integers(0, 10_000))
def test_a_unit_lies_in_one_split_and_every_class_in_all(n, seed):
    units, labels, attributes = patients(n, np.random.default_rng(seed))
    made = make_splits(labels, attributes, units, seed)
    assert pd.Series(made).groupby(units).nunique().max() == 1
    assert all(set(made[labels == label]) == set(SPLITS) for label in (0, 1))


def test_the_shares_are_met_within_each_class_and_attribute():
    units, labels, attributes = patients(600, np.random.default_rng(3))
    made = make_splits(labels, attributes, units, seed=0)
    for cell in range(4):
        found = pd.Series(made[2 * labels + attributes == cell]).value_counts(normalize=True)
        assert found.to_dict() == pytest.approx(dict(SHARES), abs=0.02)


def test_images_without_units_are_dealt_in_the_same_shares_to_each_class_and_attribute():
    labels, attributes, alone = np.repeat([0, 1, 2], [200, 100, 3]), np.tile([0, 0, 0, 1], 76)[:303], np.arange(303)
    made = make_splits(labels, attributes, alone, seed=0)
    for label, n in ((0, 200), (1, 100)):
        for split in SPLITS:
            assert ((made == split) & (labels == label)).sum() == pytest.approx(n * SHARES[split], abs=2)
            rare = ((made == split) & (labels == label) & (attributes == 1)).sum()
            assert rare == pytest.approx(n / 4 * SHARES[split], abs=1)
    assert sorted(made[labels == 2]) == sorted(SPLITS)
    assert (make_splits(labels, attributes, alone, 0) == made).all()
    assert (make_splits(labels, attributes, alone, 1) != made).any()
    assert set(make_splits(labels, attributes, alone, 0, {"train": 0.8, "val": 0.2, "test": 0})) == {"train", "val"}


def test_the_largest_unit_goes_first_so_that_the_small_ones_make_up_for_it():
    units = np.concatenate([np.arange(1, 41), np.zeros(60, np.int64)])
    made = make_splits(np.zeros(100, np.int64), np.zeros(100, np.int64), units, seed=0)
    assert [int((made == split).sum()) for split in SPLITS] == [60, 15, 25]


def test_the_seed_decides_and_the_order_of_rows_does_not_part_a_unit():
    units, labels, attributes = patients(80, np.random.default_rng(5))
    made = [make_splits(labels, attributes, units, seed) for seed in (0, 0, 1)]
    assert (made[0] == made[1]).all() and (made[0] != made[2]).any()
    order = np.random.default_rng(1).permutation(len(units))
    shuffled = make_splits(labels[order], attributes[order], units[order], seed=0)
    assert pd.Series(shuffled).groupby(units[order]).nunique().max() == 1


@pytest.fixture
def folder(data):
    """48 images of twelve patients in a table without splits."""
    folder = data / "clinic"
    for i in range(48):
        save_image(folder / "img" / f"{i}.png", seed=i, size=(20, 20))
    table_of().to_csv(folder / "table.csv", index=False)
    return folder


def table_of():
    patient = np.arange(48) // 4
    paths = [f"img/{i}.png" for i in range(48)]
    return pd.DataFrame(
        {"path": paths, "label": np.where(patient % 2, "sick", "well"), "patient_id": [f"p{k}" for k in patient]}
    )


def test_a_column_of_patients_keeps_them_together(folder, limits):
    imported = import_data(folder, settings=limits)
    splits = require(imported).frame["split"]
    assert splits.groupby(np.arange(48) // 4).nunique().max() == 1
    note = next(one.message for one in imported.report.findings if one.code == "made-splits")
    assert "images of one patient_id in one split" in note


def test_no_column_of_units_is_taken_where_none_is_asked_for(folder, limits):
    splits = require(import_data(folder, options={"unit": "none"}, settings=limits)).frame["split"]
    assert splits.groupby(np.arange(48) // 4).nunique().max() > 1


def test_an_image_without_a_unit_stands_alone(folder, limits):
    table_of().assign(patient_id="").to_csv(folder / "table.csv", index=False)
    counts = require(import_data(folder, settings=limits)).frame["split"].value_counts()
    assert counts["train"] == pytest.approx(0.6 * 48, abs=1) and counts["val"] == pytest.approx(0.15 * 48, abs=1)


def test_images_without_a_unit_beside_others_are_a_warning_for_nothing_keeps_them_together(folder, limits):
    frame = table_of()
    frame.loc[[4, 9], "patient_id"] = ["", " "]
    frame.to_csv(folder / "table.csv", index=False)
    found = next(one for one in import_data(folder, settings=limits).report.findings if one.code == "no-unit")
    assert (found.level, found.rows) == ("warning", (4, 9))
    assert not missing(found.message, 2, 48, "6, 11")
    table_of().to_csv(folder / "table.csv", index=False)
    assert "no-unit" not in [one.code for one in import_data(folder, settings=limits).report.findings]


def test_val_is_set_apart_by_whole_units(folder, limits):
    split = ["test" if k in (0, 1) else "train" for k in np.arange(48) // 4]
    table_of().assign(split=split).to_csv(folder / "table.csv", index=False)
    imported = import_data(folder, settings=limits)
    splits = require(imported).frame["split"]
    assert splits.groupby(np.arange(48) // 4).nunique().max() == 1 and set(splits) == set(SPLITS)
    assert "unit-across-splits" not in [one.code for one in imported.report.findings]


def test_units_that_named_splits_part_are_a_warning(folder, limits):
    split = (["train"] * 3 + ["test"]) * 2 + ["val"] * 8 + ["train"] * 32
    table_of().assign(split=split).to_csv(folder / "table.csv", index=False)
    imported = import_data(folder, settings=limits)
    assert imported.report.ok
    found = next(one for one in imported.report.findings if one.code == "unit-across-splits")
    assert found.level == "warning" and "2 of 12 values of patient_id" in found.message and found.count == 8


def test_too_few_units_of_a_class_are_refused_with_the_remedy(folder, limits):
    frame = table_of()
    two = frame["label"] + (np.arange(48) < 24).astype(str)
    frame.assign(patient_id=two).to_csv(folder / "table.csv", index=False)
    imported = import_data(folder, settings=limits)
    found = next(one for one in imported.report.errors if one.code == "split-without-class")
    assert "fewer values of patient_id than there are" in found.message
    assert "the option unit" in found.message


def test_a_table_without_a_label_is_refused_for_that_with_units_too(folder, limits):
    table_of().assign(label="").to_csv(folder / "table.csv", index=False)
    imported = import_data(folder, settings=limits)
    assert [one.code for one in imported.report.errors] == ["labels"]
