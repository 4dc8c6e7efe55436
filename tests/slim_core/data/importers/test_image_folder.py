"""Images in folders below those of their classes, as torchvision's ImageFolder reads them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.table import ImageTable
from slim_core.settings import Settings
from tests.refusals import missing
from tests.slim_core.data.drawn import draw
from tests.slim_core.data.faults import faults


def patients(folder: Path, labels: tuple[str, ...] = ("benign", "malignant"), n: int = 6, images: int = 3) -> None:
    """n folders in each class, with images of the same names."""
    for label in labels:
        draw(*(folder / label / f"{label[0]}{i}" / f"{k}.png" for i in range(n) for k in range(images)))


def read(root: Path, limits: Settings, **options: str) -> tuple[ImageTable, dict[str, str]]:
    """The table of class folders that were found to be such; and what was said of them, by code."""
    imported = import_data(root, options=options, settings=limits)
    assert imported.report.format == "image-folder", imported.report.findings
    table = require(imported)
    said: dict[str, str] = {}
    for finding in faults(imported.report):
        said[finding.code] = f"{said.get(finding.code, '')} {finding.message}".strip()
    return table, said


def label_of(table: ImageTable) -> dict[str, str]:
    return {
        path: table.label_names[label] for path, label in zip(table.frame["path"], table.labels.tolist(), strict=True)
    }


def test_the_class_is_the_first_folder_as_torchvision_reads_it(root: Path, limits: Settings) -> None:
    from torchvision.datasets import ImageFolder

    patients(root)
    draw(root / "benign" / "7.png", root / "benign" / "b0" / "series 2" / "left" / "0.png")
    table, said = read(root, limits)
    opened = ImageFolder(str(root))
    theirs = {str(Path(path).relative_to(root)): opened.classes[label] for path, label in opened.samples}
    assert label_of(table) == theirs and len(theirs) == 38
    assert "as benign/b0/0.png of benign." in (said["importer"])


def test_below_folders_of_splits_too(root: Path, limits: Settings) -> None:
    for split, n in (("train", 4), ("val", 2), ("test", 2)):
        patients(root / split, n=n)
    table, said = read(root, limits)
    assert [len(table.rows(split)) for split in ("train", "val", "test")] == [24, 12, 12]
    assert table.label_names == ("benign", "malignant") and label_of(table)["val/malignant/m1/2.png"] == "malignant"
    assert "unit=folder" not in said["importer"]  # nothing is dealt out


def test_patients_stay_in_one_split_where_that_is_asked_for(root: Path, limits: Settings) -> None:
    patients(root, n=12)
    assert "unit=folder" in read(root, limits)[1]["importer"]
    table, said = read(root, limits, unit="folder")
    patient = table.frame["path"].str.rsplit("/", n=1).str[0]
    assert pd.Series(table.splits).groupby(patient.to_numpy()).nunique().tolist() == [1] * 24
    assert "of one folder in one split" in said["made-splits"] and "unit=folder" not in said["importer"]
    (error,) = import_data(root, options={"unit": "patient"}, settings=limits).report.errors
    assert not missing(error.message, "'patient'")


def test_folders_of_splits_inside_the_classes_are_splits(root: Path, limits: Settings) -> None:
    for split, n in (("Train", 6), ("test", 3)):
        draw(*(root / label / split / f"{i}.png" for label in ("cat", "dog") for i in range(n)))
    table, said = read(root, limits)
    assert table.label_names == ("cat", "dog") and len(table.rows("test")) == 6
    assert "read as splits: cat/Train/0.png" in said["importer"]


def test_hidden_and_empty_folders_and_links_are_passed_over(root: Path, tmp_path: Path, limits: Settings) -> None:
    patients(root)
    draw(root / "benign" / ".cache" / "0.png", root / ".trash" / "b1" / "0.png", tmp_path / "other" / "x" / "0.png")
    (root / "malignant" / "m9").mkdir()
    (root / "unsure" / "u0").mkdir(parents=True)
    (root / "benign" / "b9").symlink_to(tmp_path / "other" / "x")
    (root / "benign" / "again").symlink_to(root)
    table, _ = read(root, limits)
    assert len(table) == 36 and table.label_names == ("benign", "malignant")


def test_a_nested_link_out_of_the_allowed_folders_is_refused(
    root: Path, tmp_path: Path, narrow_limits: Settings
) -> None:
    patients(root)
    secret = tmp_path / "outside.png"
    draw(secret)
    (root / "benign" / "b0" / "9.png").symlink_to(secret)
    (error,) = import_data(root, settings=narrow_limits).report.errors
    assert error.code == "path-escape" and "benign/b0/9.png" in error.message


def test_masks_are_no_images_and_folders_of_them_no_class(root: Path, limits: Settings) -> None:
    patients(root)
    draw(root / "benign" / "b0" / "masks" / "0.png", root / "malignant" / "lung_mask" / "m0.png")
    patients(root / "Segmentations")
    table, said = read(root, limits)
    assert len(table) == 36 and table.label_names == ("benign", "malignant")
    assert "2 images in folders named" in said["importer"]


def test_a_folder_of_all_images_beside_other_folders_is_the_data_set(root: Path, limits: Settings) -> None:
    patients(root / "images")
    patients(root / "segmentations")
    patients(root / "thumbnails")
    table, _ = read(root, limits)
    assert table.root == root / "images" and table.label_names == ("benign", "malignant")


def test_data_sets_with_splits_beside_each_other_are_no_classes(root: Path, limits: Settings) -> None:
    for site in ("lyon", "metz"):
        draw(*(root / site / split / label / "0.png" for split in ("train", "test") for label in ("cat", "dog")))
    (error,) = import_data(root, settings=limits).report.errors
    assert "known data set" in error.message
