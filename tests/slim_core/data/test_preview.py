"""The first rows of a table, and what its columns seem to be."""

from __future__ import annotations

import pandas as pd
import pytest

from slim_core.data.choosing import ROWS, preview
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.errors import DataRefusedError, PathRefusedError
from tests.slim_core.data.conftest import save_image

FRAME = pd.DataFrame(
    {
        "photo": [f"{i}.jpg" for i in range(48)],
        "Class": ["cat", "dog"] * 24,
        "area": ["urban", "urban", "rural", "rural"] * 12,
        "hour": (["day"] * 4 + ["night"] * 4) * 6,
        "background": ["a", "b"] * 24,
    }
)


@pytest.fixture
def folder(data):
    for i in range(48):
        save_image(data / f"{i}.jpg", i)
    return data


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet"])
def test_columns_are_proposed_by_their_names_and_images_by_the_cells(folder, limits, suffix):
    path = folder / f"t.{suffix}"
    if suffix == "parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, sep="," if suffix == "csv" else "\t", index=False)
    found = preview(folder, settings=limits)
    assert found is not None and found.files == (path.name,)
    assert found.proposed == {"path": "photo", "label": "Class", "attribute": "background"}
    assert found.head.to_numpy().tolist() == FRAME.head(ROWS).to_numpy().tolist()


def test_splits_are_proposed_by_the_words_in_the_cells(folder, limits):
    parts = FRAME.assign(Teil=["train"] * 40 + ["tuning"] * 4 + ["holdout"] * 4)
    parts.to_csv(folder / "t.csv", index=False)
    found = preview(folder, settings=limits)
    assert found is not None and found.proposed["split"] == "Teil", (
        "also where the rows that are shown are all of train"
    )
    parts.assign(Teil="train").to_csv(folder / "t.csv", index=False)
    found = preview(folder, settings=limits)
    assert found is not None and "split" not in found.proposed, "one word may be anything"


def test_an_empty_parquet_has_columns_and_no_rows(folder, limits):
    FRAME.head(0).to_parquet(folder / "t.parquet")
    found = preview(folder / "t.parquet", settings=limits)
    assert found is not None and found.head.columns.tolist() == list(FRAME.columns) and len(found.head) == 0


def test_of_several_tables_each_can_be_looked_at(folder, limits):
    FRAME.to_csv(folder / "b.csv", index=False)
    FRAME.rename(columns={"photo": "file"}).to_csv(folder / "a.csv", index=False)
    first, second = preview(folder, settings=limits), preview(folder, file="b.csv", settings=limits)
    assert first is not None and first.files == ("a.csv", "b.csv") and "file" in first.head
    assert second is not None and second.files == ("b.csv", "a.csv") and "photo" in second.head


def test_what_is_read_in_another_form_has_no_columns_to_choose(waterbirds, data, limits):
    assert preview(waterbirds, settings=limits) is None
    assert preview(data / "nowhere", settings=limits) is None


def test_a_table_that_cannot_be_read_or_lies_elsewhere_is_refused(folder, tmp_path, narrow_limits):
    (folder / "t.csv").write_bytes("photo,species\n0.jpg,caf\xe9\n".encode("latin-1"))
    with pytest.raises(DataRefusedError, match="to be Latin-1 .* save it as"):
        preview(folder, settings=narrow_limits)
    with pytest.raises(PathRefusedError):
        preview(tmp_path, settings=narrow_limits)


def test_chosen_columns_are_read_and_one_that_is_not_wanted_is_not(folder, limits):
    FRAME.to_csv(folder / "t.csv", index=False)
    options = {"path": "photo", "label": "Class", "attribute": "none", "seed": "1"}
    table = require(import_data(folder, options=options, settings=limits))
    assert table.label_names == ("cat", "dog") and not table.has_attributes


def test_two_attributes_are_crossed_and_a_column_with_a_comma_in_its_name_is_one(folder, limits):
    FRAME.rename(columns={"background": "area,hour"}).to_csv(folder / "t.csv", index=False)
    crossed = require(import_data(folder, options={"path": "photo", "attribute": "hour,area"}, settings=limits))
    assert crossed.attribute_names == ("day, rural", "day, urban", "night, rural", "night, urban")
    one = require(import_data(folder, options={"path": "photo", "attribute": "area,hour"}, settings=limits))
    assert one.attribute_names == ("a", "b")
