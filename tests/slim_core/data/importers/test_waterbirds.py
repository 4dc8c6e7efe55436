from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.data.draft import find_masks
from slim_core.data.groups import grouping
from slim_core.data.images.codec import ImageTransform
from slim_core.data.importers.waterbirds_celeba import EXPECTED, Waterbirds, mask_candidates
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.table import load_mask
from slim_core.errors import PathRefusedError
from tests.refusals import missing
from tests.slim_core.data.faults import faults


def save_mask(path, box=(10, 5, 8, 20), size=(40, 30)):
    x, y, width, height = box
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[y : y + height, x : x + width] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def test_a_folder_of_the_real_shape_is_found_and_read(waterbirds, limits):
    imported = import_data(waterbirds, settings=limits)
    table = require(imported)
    assert imported.report.format == "waterbirds"
    assert faults(imported.report) == ()
    assert imported.report.splits == {"train": 8, "val": 8, "test": 8}
    assert table.name == "waterbird_complete95_forest2water2"
    assert grouping(table).names == ("landbird, land", "landbird, water", "waterbird, land", "waterbird, water")
    assert grouping(table).counts().tolist() == [6, 6, 6, 6]
    assert table.image_path(0).is_file()


def test_the_metadata_file_may_be_named_instead_of_its_folder(waterbirds, limits):
    assert require(import_data(waterbirds / "metadata.csv", format="waterbirds", settings=limits)).root == waterbirds


@pytest.mark.parametrize("form", ["waterbirds", "celeba", "nico", "wilds", "demo"])
def test_a_table_that_is_named_is_read_and_not_the_metadata_beside_it(waterbirds, limits, form):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    if form == "celeba":
        frame = frame.assign(Blond_Hair=1, Male=1)
    elif form == "nico":
        frame = frame.assign(label_name="dog", context=0, context_name="grass")
    elif form == "wilds":
        frame = frame.rename(columns={"img_filename": "filename"})
        (waterbirds / "RELEASE_v1.0.txt").write_text("")
    elif form == "demo":
        (waterbirds / "config.json").write_text('{"format": "slim-demo"}')
    frame.to_csv(waterbirds / "metadata.csv", index=False)
    assert import_data(waterbirds, settings=limits).report.format == form
    assert import_data(waterbirds / "metadata.csv", settings=limits).report.format == form
    name = "img_filename" if "img_filename" in frame else "filename"
    mine = pd.DataFrame({"path": frame[name], "label": ["wet", "dry"] * 12, "split": frame["split"]})
    mine.to_csv(waterbirds / "mine.csv", index=False)
    imported = import_data(waterbirds / "mine.csv", settings=limits)
    assert imported.report.format == "csv"
    assert require(imported).label_names == ("dry", "wet")
    refused = import_data(waterbirds / "mine.csv", format=form, settings=limits)
    assert [finding.code for finding in refused.report.errors] == ["missing-metadata"]


def test_cubs_masks_are_found_by_class_and_name(waterbirds, limits):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    name = frame["img_filename"].iat[3]
    save_mask(waterbirds / "segmentations" / name.replace(".jpg", ".png"))
    imported = import_data(waterbirds, settings=limits)
    assert imported.report.n_masks == 1
    assert require(imported).mask_path(3) == waterbirds / "segmentations" / name.replace(".jpg", ".png")


def test_of_two_masks_that_differ_by_capitals_the_same_one_is_taken_on_every_disk(tmp_path, monkeypatch):
    files = [tmp_path / name for name in ("a.PNG", "a.png", "b.PNG")]
    for order in (files, files[::-1]):
        monkeypatch.setattr(Path, "rglob", lambda _folder, _pattern, order=order: iter(order))
        found = find_masks(tmp_path, pd.Series(["a.jpg", "b.jpg", "c.jpg"]), mask_candidates)
        assert found.tolist() == ["a.png", "b.PNG", ""]


@pytest.mark.parametrize("place", ["beside", "named"])
def test_cubs_annotations_may_lie_in_a_folder_of_their_own(waterbirds, data, limits, place):
    cub = data / ("CUB_200_2011" if place == "beside" else "birds")
    name = pd.read_csv(waterbirds / "metadata.csv")["img_filename"].iat[0]
    save_mask(cub / "segmentations" / name.replace(".jpg", ".png"))
    options = {} if place == "beside" else {"cub": str(cub)}
    table = require(import_data(waterbirds, options=options, settings=limits))
    assert table.has_mask.tolist() == [True] + [False] * 23
    assert load_mask(table, 0, ImageTransform(30, 1.0)).sum() == 8 * 20


def test_annotations_outside_the_allowed_roots_are_refused(waterbirds, tmp_path, narrow_limits):
    with pytest.raises(PathRefusedError, match="outside the allowed"):
        import_data(waterbirds, options={"cub": str(tmp_path / "cub")}, settings=narrow_limits)


def test_mistake_3_boxes_are_matched_to_images_by_id_and_not_by_order(waterbirds, limits):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    ids = {name: 5000 + i for i, name in enumerate(frame["img_filename"])}
    shuffled = list(ids.items())[::-1]
    (waterbirds / "images.txt").write_text("".join(f"{number} {name}\n" for name, number in shuffled))
    lines = [f"{number} {number - 5000}.0 2.0 8.0 20.0\n" for _, number in shuffled[5:]]  # five images have no box
    (waterbirds / "bounding_boxes.txt").write_text("".join(lines))
    table = require(import_data(waterbirds, settings=limits))
    assert table.box(0) == (0.0, 2.0, 8.0, 20.0)
    assert table.box(7) == (7.0, 2.0, 8.0, 20.0)
    assert table.box(18) == (18.0, 2.0, 8.0, 20.0)
    assert table.box(19) is None
    mask = load_mask(table, 7, ImageTransform(30, 1.0))  # 40 x 30 cropped to columns 5..35
    expected = np.zeros((30, 30))
    expected[2:22, 2:10] = 1
    assert np.array_equal(mask, expected)


def test_boxes_without_an_image_list_go_by_the_metadatas_own_id(waterbirds, limits):
    (waterbirds / "bounding_boxes.txt").write_text("24 1.0 2.0 3.0 4.0\n1 5.0 6.0 7.0 8.0\n")
    table = require(import_data(waterbirds, settings=limits))
    assert table.box(23) == (1.0, 2.0, 3.0, 4.0)
    assert table.box(0) == (5.0, 6.0, 7.0, 8.0)


@pytest.mark.parametrize("line", ["1 2.0 3.0\n", "1 a b c d\n"])
def test_a_damaged_box_file_is_named(waterbirds, limits, codes, line):
    (waterbirds / "bounding_boxes.txt").write_text(line)
    report = import_data(waterbirds, settings=limits).report
    assert codes(report.errors) == ["boxes"]
    assert "bounding_boxes.txt" in report.errors[0].message


def test_without_a_place_the_set_has_no_attribute_and_that_is_no_finding(waterbirds, limits):
    pd.read_csv(waterbirds / "metadata.csv").drop(columns=["place", "place_filename"]).to_csv(
        waterbirds / "metadata.csv", index=False
    )
    imported = import_data(waterbirds, settings=limits)
    assert faults(imported.report) == ()
    assert not require(imported).has_attributes
    assert {group["name"] for group in imported.report.groups} == {"0", "1"}


def test_more_classes_than_two_are_read_as_they_are(waterbirds, limits):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    frame["y"] = np.arange(len(frame)) // 2 % 4
    frame.to_csv(waterbirds / "metadata.csv", index=False)
    table = require(import_data(waterbirds, settings=limits))
    assert table.n_classes == 4 and table.label_names == ("0", "1", "2", "3")


def test_names_can_be_given(waterbirds, limits):
    options = {"label_names": "dry, wet", "attribute_names": "forest,lake"}
    table = require(import_data(waterbirds, options=options, settings=limits))
    assert (table.label_names, table.attribute_names) == (("dry", "wet"), ("forest", "lake"))


def test_files_that_are_not_cubs_are_said_to_be_called_as_in_waterbirds(waterbirds, limits):
    def said(**options: str) -> list[str]:
        imported = import_data(waterbirds, options=options, settings=limits)
        return [finding.message for finding in imported.report.findings if "As in Waterbirds" in finding.message]

    assert said() == [], "its own names are right"
    frame = pd.read_csv(waterbirds / "metadata.csv")
    for name in frame["img_filename"]:
        (waterbirds / name).rename(waterbirds / Path(name).name)
    frame["img_filename"] = frame["img_filename"].map(lambda name: Path(name).name)
    frame.to_csv(waterbirds / "metadata.csv", index=False)
    (note,) = said()
    assert not missing(note, "landbird", "waterbird", "label_names=", "attribute_names=")
    (note,) = said(label_names="cup,bottle")
    assert missing(note, "landbird", "label_names=", "attribute_names=") == ["landbird", "label_names="]
    assert said(label_names="cup,bottle", attribute_names="in,out") == []


def test_published_counts_are_compared_with_a_set_of_waterbirds_size(data):
    sizes = [(s, g, n) for s, split in enumerate(("train", "val", "test")) for g, n in enumerate(EXPECTED[split])]
    rows = [(s, g // 2, g % 2) for s, g, n in sizes for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["split", "y", "place"])
    frame["img_filename"] = [f"{i}.jpg" for i in range(len(frame))]
    frame.to_csv(data / "metadata.csv", index=False)
    assert len(frame) == 11_788
    assert Waterbirds().read(data, {}).expected == EXPECTED
