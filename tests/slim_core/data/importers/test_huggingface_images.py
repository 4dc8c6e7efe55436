"""ImageFolders of Hugging Face with a table of metadata, and JSON Lines as a table of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from slim_core.data.choosing import preview
from slim_core.data.report import require
from slim_core.settings import Settings
from tests.slim_core.data.conftest import save_image
from tests.slim_core.data.faults import imported

Rows = list[dict[str, Any]]


def rows(split: str, n: int = 12) -> Rows:
    return [
        {"file_name": f"{split}-{i:02d}.jpg", "label": ("cat", "dog")[i % 2], "place": ("sea", "land")[i // 2 % 2]}
        for i in range(n)
    ]


def draw(folder: Path, names: list[str]) -> None:
    for name in names:
        save_image(folder / name, abs(hash(name)) % 2**32)


def write(table: Path, found: Rows) -> None:
    table.parent.mkdir(parents=True, exist_ok=True)
    if table.suffix == ".jsonl":
        table.write_text("".join(json.dumps(row) + "\n" for row in found))
    elif table.suffix == ".csv":
        pd.DataFrame(found).to_csv(table, index=False)
    else:
        pd.DataFrame(found).to_parquet(table)


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "metadata.parquet"])
def test_each_split_has_its_table_beside_its_images(root: Path, limits: Settings, name: str) -> None:
    for split in ("train", "validation", "test"):
        draw(root / split, [row["file_name"] for row in rows(split)])
        write(root / split / name, rows(split))
    found = imported(root, limits, attribute="place")
    table = require(found)
    assert found.report.format == "huggingface-images" and "names images by file_name" in found.report.reason
    assert table.label_names == ("cat", "dog") and table.attribute_names == ("land", "sea")
    assert [len(table.rows(split)) for split in ("train", "val", "test")] == [12, 12, 12]
    assert table.frame["path"].iat[-1] == "validation/validation-11.jpg" and table.labels[:3].tolist() == [0, 1, 0]


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv"])
def test_one_table_above_the_splits_names_images_in_their_folders(root: Path, limits: Settings, name: str) -> None:
    found = [row | {"file_name": f"{split}/{row['file_name']}"} for split in ("train", "test") for row in rows(split)]
    draw(root, [row["file_name"] for row in found])
    write(root / name, found)
    result = imported(root, limits)
    assert result.report.format == "huggingface-images"
    assert len(require(result).rows("test")) == 12, "they are not made"


def test_without_splits_they_are_made_and_rows_are_named_by_their_lines(root: Path, limits: Settings) -> None:
    found = rows("all", 24)
    draw(root, [row["file_name"] for row in found if row["file_name"] != "all-05.jpg"])
    write(root / "metadata.jsonl", found)
    result = imported(root, limits)
    (error,) = result.report.errors
    assert error.code == "missing-files" and "(line 6)" in error.message
    assert "made-splits" in [one.code for one in result.report.findings]


def test_folders_are_the_classes_where_no_column_is(root: Path, limits: Settings) -> None:
    for split in ("train", "test"):
        found = [{"file_name": f"{('cat', 'dog')[i % 2]}/{i}.jpg", "text": "a pet"} for i in range(12)]
        draw(root / split, [row["file_name"] for row in found])
        write(root / split / "metadata.csv", found)
    result = imported(root, limits)
    assert require(result).label_names == ("cat", "dog")
    assert "are the classes" in result.report.findings[0].message


def test_without_column_and_folders_a_column_is_asked_for(root: Path, limits: Settings) -> None:
    found = [{"file_name": f"{i}.jpg", "text": "a pet", "species": ("cat", "dog")[i % 2]} for i in range(24)]
    draw(root / "train", [row["file_name"] for row in found])
    write(root / "train" / "metadata.jsonl", found)
    (error,) = imported(root, limits).report.errors
    assert "label among text, species: name it with" in error.message
    assert require(imported(root, limits, label="species")).label_names == ("cat", "dog")


def test_masks_are_named_by_a_column_of_their_own(root: Path, limits: Settings) -> None:
    found = [row | {"mask_file_name": f"masks/{i}.png"} for i, row in enumerate(rows("train", 24))]
    draw(root / "train", [row["file_name"] for row in found] + [f"masks/{i}.png" for i in range(24)])
    write(root / "train" / "metadata.jsonl", found)
    assert require(imported(root, limits)).has_mask.all()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not JSON"),
        ("[1, 2]", "line 2 is not an"),
        ("[" * 99_999, "line 2 is not JSON"),
    ],
)
@pytest.mark.usefixtures("uncollected")
def test_a_line_that_is_no_object_is_named(root: Path, limits: Settings, line: str, said: str) -> None:
    (root / "metadata.jsonl").write_text(json.dumps(rows("train")[0]) + "\n" + line + "\n")
    (error,) = imported(root, limits).report.errors
    assert said in error.message and "line, in UTF-8" in error.message


def test_json_lines_of_any_columns_are_a_table_whose_columns_can_be_chosen(root: Path, limits: Settings) -> None:
    """Blank lines count as lines, and keys may be missing."""
    found = [{"photo": f"{i}.jpg", "species": ("cat", "dog")[i % 2], "n": i, "at": None} for i in range(24)]
    draw(root, [f"{i}.jpg" for i in range(24)])
    text = "\n\n".join(json.dumps(row) for row in found)
    (root / "photos.jsonl").write_text("\ufeff" + text, encoding="utf-8")
    shown = preview(root, settings=limits)
    assert shown is not None and shown.proposed["path"] == "photo" and shown.head["n"].tolist() == list("01234")
    result = imported(root, limits, path="photo", label="species")
    assert require(result).label_names == ("cat", "dog") and result.report.format == "csv"
    (root / "7.jpg").unlink()
    (error,) = imported(root, limits, path="photo", label="species").report.errors
    assert "(line 15)" in error.message
