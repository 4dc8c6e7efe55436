"""A table, its names, and what changed between two."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from slim_core.data.table import ImageTable, changes, changes_in_words
from slim_core.errors import DataRefusedError
from slim_core.formatting import free_name, shortened
from tests.refusals import missing


def test_a_table_comes_back_from_disk_as_it_was(tiny_table, tmp_path):
    folder = tmp_path / "saved"
    folder.mkdir()
    tiny_table.save(folder)
    loaded = ImageTable.load(folder)
    assert loaded.fingerprint == tiny_table.fingerprint
    assert loaded.frame.equals(tiny_table.frame)
    assert (loaded.label_names, loaded.attribute_names) == (tiny_table.label_names, tiny_table.attribute_names)


def test_the_fingerprint_changes_with_any_label(tiny_table):
    changed = tiny_table.frame.assign(label=1 - tiny_table.labels)
    assert replace(tiny_table, frame=changed).fingerprint != tiny_table.fingerprint


def test_masks_and_boxes_are_found_by_row(tiny_table):
    assert tiny_table.has_mask.tolist() == [True, True] + [False] * 10
    assert tiny_table.mask_path(0) == tiny_table.root / "mask.png"
    assert tiny_table.mask_path(1) is None
    assert tiny_table.box(1) == (8.0, 4.0, 8.0, 8.0)
    assert tiny_table.box(0) is None


def test_rows_of_a_split_are_ascending_and_complete(tiny_table):
    rows = np.concatenate([tiny_table.rows(split) for split in ("train", "val", "test")])
    assert rows.tolist() == list(range(12))


def test_a_table_with_other_columns_is_refused(tiny_table):
    with pytest.raises(DataRefusedError, match="a table has"):
        replace(tiny_table, frame=tiny_table.frame.drop(columns="mask"))


def test_a_label_beyond_the_class_names_is_refused(tiny_table):
    with pytest.raises(DataRefusedError, match="lie in 0\\.\\.1"):
        replace(tiny_table, frame=tiny_table.frame.assign(label=7))


def test_a_taken_name_has_the_first_free_number_behind_it() -> None:
    assert free_name("cat", {"dog"}) == "cat"
    assert free_name("cat", {"cat", "cat (2)"}) == "cat (3)"


@pytest.mark.parametrize(
    ("name", "letters", "shown"),
    [
        ("waterbird, land", 15, "waterbird, land"),
        ("waterbird, on land", 15, "water…, on land"),  # all of what follows the comma
        (
            "a bird of many names, environment 0 (test) (n = 36)",
            48,
            "a bird of many n…, environment 0 (test) (n = 36)",
        ),
        ("a yellow bird, on water", 13, "a yello…water"),
        ("one two three four", 8, "one…our"),  # no blanks beside the cut
    ],
)
def test_a_long_name_keeps_its_beginning_and_its_end_which_is_its_last_part_where_there_is_room(
    name: str, letters: int, shown: str
) -> None:
    assert shortened(name, letters) == shown and len(shown) <= letters


@pytest.fixture
def newer(tiny_table):
    """1.png gone, 12.png new, 4.png of the other class, 5.png in train, 6.png without its attribute, 0.png unmasked."""
    frame = tiny_table.frame.copy()
    frame.loc[12] = frame.loc[11]
    frame.loc[12, "path"] = "12.png"
    frame.loc[4, "label"] = 1
    frame.loc[5, "split"] = "train"
    frame.loc[6, "attribute"] = -1
    frame.loc[0, "mask"] = ""
    return replace(tiny_table, frame=frame.drop(index=1).reset_index(drop=True))


def test_each_change_is_a_row_with_what_was_before_and_after(tiny_table, newer):
    found = changes(tiny_table, newer)
    assert found.to_numpy().tolist() == [
        ["12.png", "added", "", "waterbird"],
        ["1.png", "removed", "landbird", ""],
        ["4.png", "relabelled", "landbird", "waterbird"],
        ["5.png", "split", "val", "train"],
        ["6.png", "attribute", "land", ""],
        ["0.png", "mask", "mask.png", ""],
    ]
    assert not missing(
        changes_in_words(found), "1 image added", "1 removed", "1 relabelled", "split", "attribute", "mask"
    )


def test_the_same_classes_in_another_order_are_no_change(tiny_table):
    frame = tiny_table.frame.assign(label=1 - tiny_table.frame["label"])
    other = replace(tiny_table, frame=frame, label_names=tiny_table.label_names[::-1])
    assert changes(tiny_table, other).empty
    assert not re.search("[0-9]", changes_in_words(changes(tiny_table, other)))


def test_a_path_that_occurs_twice_counts_once(tiny_table):
    frame = tiny_table.frame.copy()
    frame.loc[12] = frame.loc[11]
    assert changes(tiny_table, replace(tiny_table, frame=frame)).empty


def test_a_moved_box_is_a_change(tiny_table):
    frame = tiny_table.frame.copy()
    frame.loc[1, "box_x"] = 9.0
    assert changes(tiny_table, replace(tiny_table, frame=frame))["change"].tolist() == ["mask"]
