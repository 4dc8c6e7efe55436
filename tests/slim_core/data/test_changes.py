"""Two versions of a data set, image by image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slim_core.data.changes import changes, in_words


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
    assert in_words(found) == (
        "1 image added, 1 removed, 1 relabelled, 1 in another split, 1 with another attribute, "
        "1 with another mask or box"
    )


def test_the_same_classes_in_another_order_are_no_change(tiny_table):
    frame = tiny_table.frame.assign(label=1 - tiny_table.frame["label"])
    other = replace(tiny_table, frame=frame, label_names=tiny_table.label_names[::-1])
    assert changes(tiny_table, other).empty
    assert in_words(changes(tiny_table, other)) == "the same images, labels, splits and attributes"


def test_a_path_that_occurs_twice_counts_once(tiny_table):
    frame = tiny_table.frame.copy()
    frame.loc[12] = frame.loc[11]
    assert changes(tiny_table, replace(tiny_table, frame=frame)).empty


def test_a_moved_box_is_a_change(tiny_table):
    frame = tiny_table.frame.copy()
    frame.loc[1, "box_x"] = 9.0
    assert changes(tiny_table, replace(tiny_table, frame=frame))["change"].tolist() == ["mask"]
