from dataclasses import replace

import numpy as np
import pytest

from slim_core.data.table import ImageTable
from slim_core.errors import DataRefusedError


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
    with pytest.raises(DataRefusedError, match="a table has the columns"):
        replace(tiny_table, frame=tiny_table.frame.drop(columns="mask"))


def test_a_label_beyond_the_class_names_is_refused(tiny_table):
    with pytest.raises(DataRefusedError, match=r"labels must lie in 0\.\.1"):
        replace(tiny_table, frame=tiny_table.frame.assign(label=7))
