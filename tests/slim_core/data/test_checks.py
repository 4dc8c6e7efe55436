"""Splits, labels, paths and counts of a table: what is refused, and what is told."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from scipy.stats.contingency import association as scipy_association

from slim_core.data.checks.build import build_table
from slim_core.data.checks.counts import association, check_table, cramers_v
from slim_core.data.draft import Draft
from slim_core.data.importing import import_data
from slim_core.data.report import Findings, require
from slim_core.data.table import COLUMNS, UNKNOWN, ImageTable
from slim_core.errors import DataRefusedError, PathRefusedError
from slim_core.settings import Settings
from tests.refusals import missing, refusal
from tests.slim_core.data.faults import faults


def edit(folder, change):
    """Rewrite metadata.csv through ``change``."""
    frame = pd.read_csv(folder / "metadata.csv", dtype=object)
    change(frame)
    frame.to_csv(folder / "metadata.csv", index=False)


def set_cell(column, row, value):
    return lambda frame: frame.__setitem__(column, frame[column].where(frame.index != row, value))


def one_error(folder, limits):
    imported = import_data(folder, settings=limits)
    assert imported.table is None
    assert len(imported.report.errors) == 1, [f.message for f in imported.report.errors]
    error = imported.report.errors[0]
    assert error.message.endswith(".") and "\n" not in error.message
    return error


def test_a_class_that_test_alone_lacks_is_warned_about(waterbirds, limits):
    """Training and the choice of its epoch need each class; released test splits may lack rare ones."""
    frame = pd.read_csv(waterbirds / "metadata.csv")
    frame[(frame["split"] != 2) | (frame["y"] == 0)].to_csv(waterbirds / "metadata.csv", index=False)
    imported = import_data(waterbirds, settings=limits)
    (warning,) = (found for found in imported.report.warnings if found.code == "test-without-class")
    assert not missing(warning.message, "test", 4, "waterbird")
    assert require(imported).label_names == ("landbird", "waterbird")


def test_a_set_without_val_gets_one_from_train_and_one_without_test_is_warned_about(waterbirds, limits, codes):
    whole = pd.read_csv(waterbirds / "metadata.csv")
    whole[whole["split"] != 2].to_csv(waterbirds / "metadata.csv", index=False)
    assert codes(faults(import_data(waterbirds, settings=limits).report)) == ["no-test"]
    whole[whole["split"] != 1].to_csv(waterbirds / "metadata.csv", index=False)
    imported = import_data(waterbirds, settings=limits)
    assert codes(faults(imported.report))[0] == "made-val" and imported.report.ok
    assert imported.report.splits["val"] > 0


@pytest.mark.parametrize("value", ["1.0", " 1 "])
def test_a_whole_number_written_otherwise_is_understood(waterbirds, limits, value):
    edit(waterbirds, set_cell("y", 5, value))
    assert require(import_data(waterbirds, settings=limits)).labels[5] == 1


def test_an_unknown_split_is_refused_with_its_rows(waterbirds, limits):
    edit(waterbirds, lambda frame: frame.__setitem__("split", frame["split"].replace("2", "extra")))
    error = one_error(waterbirds, limits)
    assert (error.code, error.count, error.rows) == ("splits", 8, tuple(range(16, 24)))
    assert (
        "8 of 24 rows of metadata.csv have the unknown split 'extra' (lines 18, 19, 20, 21, 22, ...)" in error.message
    )


def test_words_of_other_tools_are_taken_as_splits_and_the_report_says_so(waterbirds, limits):
    plain = require(import_data(waterbirds, settings=limits)).frame["split"].tolist()
    words = {"0": "train", "1": "Tune", "2": "holdout"}
    edit(waterbirds, lambda frame: frame.__setitem__("split", frame["split"].replace(words)))
    imported = import_data(waterbirds, settings=limits)
    assert require(imported).frame["split"].tolist() == plain
    (note,) = [one for one in imported.report.findings if one.code == "split-words"]
    assert note.level == "note" and "8 rows) as test" in note.message and "tune (" in note.message


def test_an_empty_attribute_is_unknown_and_no_error(waterbirds, limits):
    edit(waterbirds, set_cell("place", 5, ""))
    table = require(import_data(waterbirds, settings=limits))
    assert table.attributes[5] == -1 and table.attributes[4] == 0


def test_an_empty_group_is_a_warning(waterbirds, limits):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    gone = (frame["split"] == 2) & (frame["y"] == 1) & (frame["place"] == 0)
    frame[~gone].to_csv(waterbirds / "metadata.csv", index=False)
    imported = import_data(waterbirds, settings=limits)
    assert imported.report.ok
    (empty,) = (found for found in imported.report.warnings if found.code == "empty-group")
    assert not missing(empty.message, "test", "waterbird, land")


def test_dots_that_stay_inside_are_fine(waterbirds, limits):
    name = pd.read_csv(waterbirds / "metadata.csv")["img_filename"].iat[5]
    edit(waterbirds, set_cell("img_filename", 5, f"000.Bird/../{name}"))
    assert import_data(waterbirds, settings=limits).report.ok


def test_a_folder_link_and_a_file_link_out_of_the_roots_are_both_refused(waterbirds, tmp_path, narrow_limits):
    secret = tmp_path / "secret"
    secret.mkdir()
    name = pd.read_csv(waterbirds / "metadata.csv")["img_filename"].iat[0]
    os.replace(waterbirds / name, secret / "a.jpg")
    (waterbirds / name).symlink_to(secret / "a.jpg")
    assert one_error(waterbirds, narrow_limits).code == "path-escape"
    (waterbirds / "linked").symlink_to(secret)
    edit(waterbirds, set_cell("img_filename", 0, "linked/a.jpg"))
    assert one_error(waterbirds, narrow_limits).code == "path-escape"


def test_a_name_given_twice_is_a_warning(waterbirds, limits, codes):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    edit(waterbirds, set_cell("img_filename", 1, frame["img_filename"].iat[0]))
    report = import_data(waterbirds, settings=limits).report
    assert codes(faults(report)) == ["repeated-paths"]
    assert not missing(faults(report)[0].message, 1, 3)


def test_several_errors_are_all_found_at_once_and_told_by_require(waterbirds, limits, codes):
    edit(waterbirds, set_cell("y", 5, "x"))
    edit(waterbirds, set_cell("split", 6, "7"))
    imported = import_data(waterbirds, settings=limits)
    assert codes(imported.report.errors) == ["splits", "labels"]
    with pytest.raises(DataRefusedError, match="unknown split '7'.*not a whole"):
        require(imported)


def of_classes(tmp_path, benign, malignant):
    """What is found of a table without attributes: images of each class in (train, val, test)."""
    cells = [
        (split, label)
        for label, counts in enumerate((benign, malignant))
        for split, n in zip(("train", "val", "test"), counts, strict=True)
        for _ in range(n)
    ]
    frame = pd.DataFrame(cells, columns=["split", "label"])
    paths = pd.Series([f"{i}.png" for i in range(len(frame))])
    draft = Draft("m.csv", tmp_path, paths, frame["split"], frame["label"], label_names=("benign", "malignant"))
    findings = Findings()
    check_table(build_table(draft, "moles", Settings(data_roots=(tmp_path,)), findings), {}, findings)
    return {one.code: one.message for one in findings.items}


def test_a_rare_class_and_one_of_few_images_are_told_without_an_attribute(tmp_path):
    found = of_classes(tmp_path, (200, 40, 40), (19, 9, 12))
    assert not missing(found["rare-class"], "malignant", 19, "benign", 200)
    assert not missing(found["tiny-class"], 10, "malignant", 9)
    assert not {"rare-class", "tiny-class"} & set(of_classes(tmp_path, (200, 40, 40), (20, 10, 10)))


def test_counts_other_than_the_published_ones_are_warned_about_and_equal_ones_are_not(tmp_path):
    cells = [(split, y, place) for split in ("train", "val") for y in (0, 1) for place in (0, 1)]
    frame = pd.DataFrame(cells, columns=["split", "y", "place"])
    draft = Draft(
        source="metadata.csv",
        root=tmp_path,
        paths=pd.Series([f"{i}.jpg" for i in range(8)]),
        splits=frame["split"],
        labels=frame["y"],
        attributes=frame["place"],
        attribute_name="place",
        expected={"train": (1, 1, 1, 1), "val": (9, 9, 9, 9)},
    )
    findings = Findings()
    table = build_table(draft, "small", Settings(data_roots=(tmp_path,)), findings)
    assert table is not None
    check_table(table, draft.expected, findings)
    messages = [f.message for f in findings.items if f.code == "expected-counts"]
    assert len(messages) == 1
    assert "published data has 9 / 9 / 9 / 9" in messages[0]
    assert not findings.refused


def sized(tmp_path, sizes: dict[str, tuple[int, ...]], has_attributes: bool) -> dict[str, str]:
    """Code -> message of a table with so many images of the groups (x, a), (x, b), (y, a) and (y, b) in each split."""
    rows = [(split, *divmod(cell, 2)) for split, each in sizes.items() for cell, n in enumerate(each) for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["split", "label", "attribute"]).reindex(columns=list(COLUMNS))
    frame = frame.assign(path=[f"{i}.png" for i in range(len(rows))], mask="")
    frame["attribute"] = frame["attribute"] if has_attributes else UNKNOWN
    findings = Findings()
    check_table(ImageTable("t", tmp_path, frame, ("x", "y"), "hue", ("a", "b") if has_attributes else ()), {}, findings)
    codes = {one.code for one in findings.items}
    return {code: "\n".join(one.message for one in findings.items if one.code == code) for code in codes}


def test_groups_of_few_images_are_named_where_they_are_measured(tmp_path):
    said = sized(tmp_path, {"train": (5, 20, 20, 20), "val": (10, 9, 0, 1), "test": (10, 10, 10, 10)}, True)
    assert not missing(said["tiny-group"], " val ", 10, "x, b (9); y, b (1)")
    assert not missing(said["empty-group"], " val ", "y, a:")
    assert said["shortcut"].count("61.5\u00a0%") == 2 and "the hue alone" in said["shortcut"]
    assert "tiny-class" not in said
    alone = sized(tmp_path, {"train": (5, 20, 20, 20), "val": (1, 0, 10, 0), "test": (10, 0, 0, 0)}, False)
    assert not missing(alone["tiny-class"], " val ", 10, "x (1)")
    assert not {"tiny-group", "empty-group", "shortcut"} & alone.keys()


def test_too_few_images_for_an_attention_space_are_told_at_the_import(tmp_path):
    few = sized(tmp_path, {"train": (3, 2, 2, 2), "val": (5, 0, 5, 0), "test": (5, 0, 4, 0)}, False)
    assert not missing(few["few-for-space"], 9, 10)
    assert not missing(few["few-for-groups"], 9, 10)
    enough = sized(tmp_path, {"train": (3, 3, 2, 2), "val": (1, 0, 1, 0), "test": (5, 0, 5, 0)}, False)
    by_val = sized(tmp_path, {"train": (3, 3, 2, 2), "val": (1, 0, 1, 0)}, False)
    named = sized(tmp_path, {"train": (3, 3, 2, 2), "val": (1, 1, 1, 1), "test": (1, 1, 1, 1)}, True)
    assert not {"few-for-space", "few-for-groups"} & {*enough, *named}
    assert not missing(by_val["few-for-groups"], 2)


def table_of(labels, attributes, tmp_path, label_names=("a", "b")):
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(len(labels))], "split": "train", "label": labels})
    frame = frame.assign(attribute=attributes, mask="", box_x=np.nan, box_y=np.nan, box_width=np.nan, box_height=np.nan)
    return ImageTable("t", tmp_path, frame[list(COLUMNS)], label_names, "place", ("x", "y", "z"))


@pytest.mark.parametrize("counts", [[[90, 10], [10, 90]], [[5, 5, 1], [2, 9, 30]], [[7, 7], [7, 7]]])
def test_of_many_images_cramers_v_is_scipys(counts):
    many = 1000 * np.array(counts)
    assert cramers_v(many) == pytest.approx(scipy_association(many, method="cramer"), abs=2e-3)


def test_what_few_images_in_many_cells_give_by_chance_is_taken_off():
    """20 classes with 4, 3 and 1 images of three values, in turn: 160 images, by which nothing is known."""
    by_chance = np.array([np.roll([4, 3, 1], k) for k in range(20)])
    assert scipy_association(by_chance, method="cramer") > 0.3 and cramers_v(by_chance) < 0.2
    assert cramers_v(np.eye(2, dtype=int)) == 0 and 0.99 < cramers_v(500 * np.eye(2, dtype=int)) <= 1


def test_an_attribute_that_knows_nothing_of_many_classes_is_no_warning(tmp_path):
    rng = np.random.default_rng(0)
    names = tuple(f"c{k}" for k in range(40))
    table, findings = table_of(np.repeat(np.arange(40), 8), rng.integers(3, size=320), tmp_path, names), Findings()
    check_table(table, {}, findings)
    (found,) = (one for one in findings.items if one.code == "shortcut")
    assert found.level == "note" and "the place alone" in found.message


def test_images_without_an_attribute_and_values_that_do_not_occur_count_for_nothing(tmp_path):
    found = association(table_of([0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 2, -1], tmp_path))
    assert found is not None and found.n == 5
    assert found.given_away == pytest.approx(4 / 5) and found.by_chance == pytest.approx(3 / 5)


def test_the_report_says_over_which_images_where_the_attribute_of_some_is_unknown(tmp_path):
    findings = Findings()
    check_table(table_of([0, 0, 0, 1, 1, 1], [0, 0, 2, 2, 2, -1], tmp_path), {}, findings)
    (found,) = (one for one in findings.items if one.code == "shortcut")
    assert "80.0\u00a0% of the 5" in found.message


@pytest.mark.parametrize(("labels", "attributes"), [([0, 0], [0, 1]), ([0, 1], [2, 2]), ([0, 1], [-1, -1]), ([], [])])
def test_of_one_class_or_one_value_nothing_is_said(labels, attributes, tmp_path):
    assert association(table_of(labels, attributes, tmp_path)) is None


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        *(("y", value, "labels") for value in ("1.5", "bird", "", "-1", "inf")),
        ("place", "forest", "attributes"),
        *(
            ("img_filename", name, "path-escape")
            for name in ("../../secret.jpg", "a/../../secret.jpg", "/etc/passwd", "/passwd")
        ),
        ("img_filename", "", "paths"),
    ],
)
def test_a_cell_that_cannot_be_used_is_refused_with_its_row(waterbirds, limits, column, value, code):
    edit(waterbirds, set_cell(column, 5, value))
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows, error.lines, error.count) == (code, (5,), (7,), 1)
    assert not missing(error.message, "metadata.csv", "line 7", value)


@pytest.mark.parametrize(
    ("left", "code", "named"),
    [
        (lambda frame: frame["split"] != 0, "no-train", ["train"]),
        (lambda frame: (frame["split"] != 0) | (frame["y"] == 0), "split-without-class", ["train", 4, "waterbird"]),
        (lambda frame: (frame["split"] != 1) | (frame["y"] == 0), "split-without-class", ["val", 4, "waterbird"]),
    ],
)
def test_splits_without_images_or_classes_are_refused(waterbirds, limits, left, code, named):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    frame[left(frame)].to_csv(waterbirds / "metadata.csv", index=False)
    error = one_error(waterbirds, limits)
    assert error.code == code and not missing(error.message, *named)


def test_an_empty_folder_and_none_are_refused_by_name_and_others_by_the_allowed_roots(tmp_path, data, narrow_limits):
    for folder, code in ((data, "no-metadata"), (data / "nowhere", "missing-folder")):
        error = one_error(folder, narrow_limits)
        assert error.code == code and not missing(error.message, folder)
    (tmp_path / "elsewhere").mkdir()
    (data / "link").symlink_to(tmp_path / "elsewhere")
    for outside in (tmp_path / "elsewhere", data / "link"):
        with refusal(PathRefusedError, "SLIM_DATA_ROOTS"):
            import_data(outside, settings=narrow_limits)
