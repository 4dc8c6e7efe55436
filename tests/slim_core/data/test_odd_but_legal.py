"""What strangers' folders hold beside what the papers describe: all of it is legal, and is read."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.data import bounds
from slim_core.data.choosing import preview
from slim_core.data.images.codec import ImageTransform, load_pixels
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.data.table import BOX_COLUMNS, ImageTable, load_mask
from slim_core.data.unpacking import unpack_upload
from slim_core.errors import ImageRefusedError
from slim_core.settings import Settings
from tests.refusals import missing
from tests.slim_core.data.drawn import draw
from tests.slim_core.data.faults import faults, imported

SPLITS = ("train", "val", "test")


def read(root: Path, limits: Settings, form: str, **options: str) -> tuple[ImageTable, dict[str, str]]:
    """The table of a folder whose form was found; and what was found, by code."""
    found = imported(root, limits, **options)
    assert found.report.format == form, found.report.findings
    return require(found), {finding.code: finding.message for finding in faults(found.report)}


def sizes(table: ImageTable) -> list[int]:
    return [len(table.rows(split)) for split in SPLITS]


# Names and folders


@pytest.mark.parametrize(
    "words", [("train", "valid", "test"), ("Training", "dev", "testing"), ("TRAIN", "VAL", "TEST")]
)
def test_class_folders_with_upper_case_suffixes_umlauts_and_blanks(root: Path, limits: Settings, words) -> None:
    for split, n in zip(words, (6, 3, 3), strict=True):
        draw(*(root / split / name / f"Bild {i} ä.JPG" for name in ("Käfer", "lady bug") for i in range(n)))
    table, codes = read(root, limits, "image-folder")
    assert table.label_names == ("Käfer", "lady bug") and sizes(table) == [12, 6, 6] and not codes


def test_json_in_another_encoding_beside_class_folders_is_passed_over(root: Path, limits: Settings) -> None:
    draw(*(root / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(6)))
    (root / "notes.json").write_bytes('{"by": "José"}'.encode("latin-1"))
    assert read(root, limits, "image-folder")[0].label_names == ("cat", "dog")


@pytest.mark.parametrize("added", ["__MACOSX", "@eaDir", ".ipynb_checkpoints"])
def test_folders_that_systems_add_are_no_classes(root: Path, limits: Settings, added: str) -> None:
    draw(*(root / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(6)))
    draw(root / added / "a.jpg", root / added / "cat" / "0.jpg")
    (root / "cat" / "._0.jpg").write_bytes(b"\0\5\26\7")
    (root / "cat" / ".DS_Store").write_bytes(b"Bud1")
    (root / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "README.txt").write_text("Two animals.")
    table, codes = read(root, limits, "image-folder")
    assert table.label_names == ("cat", "dog") and len(table) == 12 and "importer" not in codes


def test_a_folder_that_an_archive_has_wrapped_around_the_data_is_passed_through(root: Path, limits: Settings) -> None:
    draw(*(root / "pets" / "Pets v2" / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(6)))
    (root / "__MACOSX").mkdir()
    table, codes = read(root, limits, "image-folder")
    assert table.root == root / "pets" / "Pets v2" and len(table) == 12
    assert not missing(codes["inner-folder"], root, "pets/Pets v2")


def test_a_lone_train_folder_is_no_wrapping(root: Path, limits: Settings) -> None:
    draw(*(root / "train" / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(8)))
    table, codes = read(root, limits, "image-folder")
    assert table.root == root and "inner-folder" not in codes and "made-val" in codes


def test_the_columns_of_a_table_in_a_wrapped_folder_are_shown(root: Path, limits: Settings) -> None:
    write(root / "outer" / "things.csv", photo=[f"{i}.png" for i in range(24)], species=["owl", "elk"] * 12)
    found = preview(root, settings=limits)
    assert found is not None and found.head.columns.tolist() == ["photo", "species"]


# Tables


def write(file: Path, **columns: list) -> Path:
    """A table with its images beside it."""
    frame = pd.DataFrame(columns)
    draw(*(file.parent / name.replace("\\", "/") for name in frame.iloc[:, 0]))
    frame.to_csv(file, index=False)
    return file


@pytest.mark.parametrize("suffix", [".csv.gz", ".tsv.gz", ".CSV.GZ"])
def test_a_packed_table_is_read_and_its_lines_are_named(root: Path, limits: Settings, suffix: str) -> None:
    plain = write(root / "labels.csv", path=[f"{i}.png" for i in range(24)], label=["a", "b"] * 12)
    text = plain.read_text().replace(",", "\t" if "tsv" in suffix else ",")
    plain.unlink()
    (root / f"labels{suffix}").write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()))
    table, _ = read(root, limits, "csv")
    assert table.label_names == ("a", "b") and len(table) == 24
    found = preview(root, settings=limits)
    assert found is not None and found.head["label"].tolist() == ["a", "b", "a", "b", "a"]
    (root / "3.png").unlink()
    assert "is missing (line 5)" in imported(root, limits).report.errors[0].message
    named = root / f"labels{suffix}"
    assert imported(named, limits).report.format == "csv", "named itself"


def test_a_packed_table_that_is_none_or_has_no_end_is_refused(root: Path, limits: Settings, monkeypatch) -> None:
    monkeypatch.setattr(bounds, "MOST_MB", 1)
    for content, said in (
        (gzip.compress(b"path,label\n" + b"0.png,a\n" * 200_000), "1 MB"),
        (gzip.compress(b"path,label\n0.png,a\n1.png,b\n")[:-9], "not a readable"),
        (b"path,label\n0.png,a\n", "not a readable"),
        (gzip.compress("path,label\n0.png,a\n1.png,caf\xe9\n".encode("latin-1")), "line 3"),
    ):
        (root / "labels.csv.gz").write_bytes(content)
        (error,) = import_data(root, format="csv", settings=limits).report.errors
        assert said in error.message


def test_a_table_whose_images_lie_in_a_folder_beside_it(root: Path, limits: Settings) -> None:
    draw(*(root / "all photos" / f"{i}.png" for i in range(24)))
    draw(*(root / "all masks" / f"{i}.png" for i in range(24)))
    names = [f"{i}.png" for i in range(24)]
    frame = pd.DataFrame({"image": names, "label": [0, 1] * 12, "mask": names})
    frame.to_csv(root / "labels.csv")  # with pandas' own first column
    table, codes = read(root, limits, "csv")
    assert table.frame["path"].iat[3] == "all photos/3.png" and table.has_mask.all()
    assert table.frame["mask"].iat[3] == "all masks/3.png"
    assert not missing(codes["importer"], "photos")


def test_a_table_from_windows_names_its_files_with_backslashes(root: Path, limits: Settings) -> None:
    names = [f"pets\\{'cat' if i % 2 else 'dog'}\\{i}.png" for i in range(24)]
    write(root / "labels.csv", filename=names, label=["dog", "cat"] * 12)
    table, _ = read(root, limits, "csv")
    assert table.frame["path"].iat[0] == "pets/dog/0.png"


def test_a_name_that_leads_out_is_looked_for_nowhere(root: Path, limits: Settings) -> None:
    (root / "sub").mkdir()
    draw(root / "secret.png")
    pd.DataFrame({"path": ["../secret.png"] * 8, "label": [0, 1] * 4}).to_csv(root / "sub" / "a.csv", index=False)
    assert [one.code for one in imported(root / "sub", limits).report.errors] == ["path-escape"]


def test_ids_without_a_suffix_and_files_in_another_folder_are_found(root: Path, limits: Settings) -> None:
    draw(*(root / "train_images" / f"{i}.JPG" for i in range(24)), root / "test_images" / "t1.JPG")
    pd.DataFrame({"id": range(24), "breed": ["a", "b"] * 12}).to_csv(root / "labels.csv", index=False)
    table, _ = read(root, limits, "csv", path="id", label="breed")
    assert table.frame["path"].iat[2] == "train_images/2.JPG"


def test_a_comma_in_a_quoted_name_of_a_column_is_no_delimiter(root: Path, limits: Settings) -> None:
    names = [f"{i}.png" for i in range(24)]
    draw(*(root / name for name in names))
    lines = [f'"{name}";"{"ab"[i % 2]}"' for i, name in enumerate(names)]
    (root / "t.csv").write_text("\r\n".join(['"path";"kind, as seen"', *lines]))
    assert read(root, limits, "csv", label="kind, as seen")[0].label_names == ("a", "b")


def test_a_table_about_the_class_folders_is_no_table_of_images(root: Path, limits: Settings) -> None:
    draw(*(root / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(6)))
    pd.DataFrame({"class": ["cat", "dog"], "images": [6, 6]}).to_csv(root / "classes.csv", index=False)
    assert read(root, limits, "image-folder")[0].label_names == ("cat", "dog")


def test_images_inside_a_table_are_not_taken_for_paths_where_it_is_to_be_read_as_one(
    root: Path, limits: Settings
) -> None:
    draw(root / "0.png")
    cell = {"bytes": (root / "0.png").read_bytes(), "path": "0.png"}
    pd.DataFrame({"image": [cell] * 6, "label": [0, 1] * 3}).to_parquet(root / "train-00000-of-00001.parquet")
    (error,) = import_data(root, format="csv", settings=limits).report.errors
    assert "in the column image, not their paths" in error.message


# Forms of the papers


def test_cub_as_published_is_read_from_its_images(root: Path, limits: Settings) -> None:
    draw(*(root / "images" / f"00{n}.Bird_{n}" / f"Bird_{i}.jpg" for n in (1, 2) for i in range(8)))
    (root / "images.txt").write_text("1 001.Bird_1/Bird_0.jpg\n")
    (root / "attributes").mkdir()
    table, codes = read(root, limits, "image-folder")
    assert table.label_names == ("001.Bird_1", "002.Bird_2") and "its folder images is read" in codes["inner-folder"]


def test_celeba_as_its_authors_publish_it(root: Path, limits: Settings) -> None:
    """Img/, Anno/ and Eval/; the list has a count, no name for the images and two blanks before a positive number."""
    names = [f"{i:06d}.jpg" for i in range(1, 25)]
    draw(*(root / "Img" / "img_align_celeba" / name for name in names))
    rows = [f"{name} {' 1' if i % 2 else '-1'} {' 1' if i // 2 % 2 else '-1'}" for i, name in enumerate(names)]
    (root / "Anno").mkdir()
    (root / "Eval").mkdir()
    text = "24\r\nBlond_Hair Male \r\n" + "\r\n".join(rows) + "\r\n"
    (root / "Anno" / "list_attr_celeba.txt").write_bytes(text.encode())
    split = "\n".join(f"{name} {i // 8}" for i, name in enumerate(names))
    (root / "Eval" / "list_eval_partition.txt").write_text(split)
    table, _ = read(root, limits, "celeba")
    assert sizes(table) == [8, 8, 8] and table.frame["path"].iat[0] == "Img/img_align_celeba/000001.jpg"
    assert table.labels[:4].tolist() == [0, 1, 0, 1] and table.attributes[:4].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("suffix", [".JPG", ".JPEG", ".PNG"])
def test_isic_by_ids_whose_files_have_an_upper_case_suffix(root: Path, limits: Settings, suffix: str) -> None:
    draw(*(root / "images" / f"ISIC_{i:07d}{suffix}" for i in range(24)))
    frame = pd.DataFrame(
        {"image": [f"ISIC_{i:07d}" for i in range(24)], "label": [0, 1] * 12, "hair": [0, 0, 1, 1] * 6}
    )
    frame.to_csv(root / "isic.csv", index=False, sep=";")
    table, _ = read(root, limits, "isic")
    assert len(table) == 24 and table.attribute_names == ("no hair", "hair")


def test_a_wilds_set_with_too_many_places_is_read_without_them(root: Path, limits: Settings, monkeypatch) -> None:
    monkeypatch.setattr("slim_core.data.checks.build.MAX_GROUPS", 30)
    names = [f"{i}.jpg" for i in range(24)]
    draw(*(root / "train" / name for name in names))
    (root / "RELEASE_v2.0.txt").write_text("")
    frame = pd.DataFrame({"split": ["train", "val", "test"] * 8, "location_remapped": range(24), "filename": names})
    frame.assign(y=[0] * 12 + [1] * 12).to_csv(root / "metadata.csv", index=False)
    (error,) = imported(root, limits).report.errors
    assert "with fewer values" in error.message
    table, _ = read(root, limits, "wilds", attribute="none")
    assert sizes(table) == [8, 8, 8] and not table.has_attributes


def test_coco_of_roboflow_has_a_file_in_each_folder_of_a_split(root: Path, limits: Settings) -> None:
    for split, n in (("train", 6), ("valid", 4), ("test", 4)):
        draw(*(root / split / f"{i}_jpg.rf.{split}.jpg" for i in range(n)))
        content = {
            "info": {"year": "2024"},
            "categories": [{"id": 0, "name": "animals", "supercategory": "none"}, {"id": 1, "name": "cat"},
                           {"id": 2, "name": "dog"}],
            "images": [{"id": i, "file_name": f"{i}_jpg.rf.{split}.jpg", "width": 16, "height": 12} for i in range(n)],
            "annotations": [{"id": i, "image_id": i, "category_id": 1 + i % 2, "bbox": [1, 2, 5, 6], "area": 30,
                             "segmentation": []} for i in range(n)],
        }  # fmt: skip
        (root / split / "_annotations.coco.json").write_text(json.dumps(content))
    table, _ = read(root, limits, "coco")
    assert sizes(table) == [6, 4, 4] and table.label_names == ("cat", "dog")


# Pixels


def masked(root: Path, mask: Image.Image, form: str = "PNG") -> np.ndarray:
    """(12, 12) bool: a mask as scores see it, of an image of its size."""
    draw(root / "0.png")
    mask.save(root / "mask.png", form)
    frame = pd.DataFrame({"path": ["0.png"], "split": "train", "label": 0, "attribute": -1, "mask": "mask.png"})
    table = ImageTable("one", root, frame.assign(**dict.fromkeys(BOX_COLUMNS, np.nan)), ("a",))
    found = load_mask(table, 0, ImageTransform(size=12, resize_ratio=1.0))
    assert found is not None
    return found.astype(bool)


VOC = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128, 128, 0, 128, 0, 128, 128, 128, 128, 128, 64, 0, 0]


def object_of(value: int, mode: str = "L") -> Image.Image:
    """A mask of 16 x 12 pixels with a square of 4 x 4 in the middle."""
    array = np.zeros((12, 16), np.uint8 if mode in ("L", "P") else np.int32)
    array[4:8, 6:10] = value
    image = Image.fromarray(array.astype({"I;16": np.uint16, "I": np.int32}.get(mode, np.uint8)))
    if mode == "P":
        image.putpalette(VOC)
    return image


@pytest.mark.parametrize(
    "mask",
    [
        *(object_of(value, "P") for value in (1, 2, 7, 8)),  # Pascal VOC's colours; 8 is a dark red
        *(object_of(value) for value in (1, 3, 15, 255)),  # numbers of classes, and plain black and white
        object_of(65535, "I;16"),
        object_of(255).convert("1"),
        Image.merge("RGB", [object_of(255), object_of(0), object_of(0)]),
        Image.merge("RGB", [object_of(0), object_of(0), object_of(70)]),
        object_of(255).convert("RGBA"),
    ],
    ids=lambda mask: f"{mask.mode}-{max(high for _, high in np.atleast_2d(mask.getextrema()).tolist())}",
)
def test_masks_in_palettes_colours_numbers_and_16_bits(tmp_path: Path, mask: Image.Image) -> None:
    wanted = np.zeros((12, 12), bool)
    wanted[4:8, 4:8] = True
    assert np.array_equal(masked(tmp_path, mask), wanted)


@pytest.mark.parametrize(
    ("mode", "form", "numbers"), [("I;16", "PNG", (1, 100, 1000)), ("I", "TIFF", (1, 256, 90_000))]
)
def test_masks_of_many_numbered_objects_lose_none(tmp_path: Path, mode: str, form: str, numbers: list[int]) -> None:
    mask = np.array(object_of(1, mode))
    mask[4:8, 6:10] *= np.resize(numbers, (4, 4)).astype(mask.dtype)
    wanted = np.zeros((12, 12), bool)
    wanted[4:8, 4:8] = True
    assert np.array_equal(masked(tmp_path, Image.fromarray(mask), form), wanted)


def of_floats(path: Path, numbers: np.ndarray) -> Path:
    """A TIFF of 12 x 12 floats, from one column of them."""
    Image.fromarray(np.resize(numbers, (12, 12)).astype(np.float32)).save(path)
    return path


def test_floats_from_0_to_1_are_brightness(tmp_path: Path) -> None:
    seen = ImageTransform(size=12, resize_ratio=1.0)
    for numbers, wanted in (
        (np.linspace(0, 1, 12), np.linspace(0, 255, 12).round()),
        (np.array([0, 0.25, 0.5]), np.array([0, 64, 128])),
        (np.array([0, 1, 127.5, 255]), np.array([0, 1, 127, 255])),  # brightness from 0 to 255 as it was
        (np.array([0, 257, 65_535]), np.array([0, 1, 255])),  # as in integers of 16 bits
    ):
        pixels = load_pixels(of_floats(tmp_path / "floats.tiff", numbers), seen)
        assert np.array_equal(pixels, np.repeat(np.resize(wanted, (12, 12))[..., None], 3, axis=2)), numbers


@pytest.mark.parametrize("missing", [np.nan, np.inf, -1])
def test_floats_that_are_no_brightness_are_refused(tmp_path: Path, missing: float) -> None:
    path = of_floats(tmp_path / "floats.tiff", np.array([0, 0.5, missing]))
    with pytest.raises(ImageRefusedError, match="from 0 to 65535"):
        load_pixels(path, ImageTransform(size=12, resize_ratio=1.0))


@pytest.mark.parametrize(("inside", "outside"), [(1.0, 0.0), (0.7, 0.3), (1.0, np.nan)])
def test_a_mask_of_floats_holds_from_one_half_up(tmp_path: Path, inside: float, outside: float) -> None:
    mask = np.full((12, 16), outside, np.float32)
    mask[4:8, 6:10] = inside
    wanted = np.zeros((12, 12), bool)
    wanted[4:8, 4:8] = True
    assert np.array_equal(masked(tmp_path, Image.fromarray(mask), "TIFF"), wanted)


@pytest.mark.parametrize("name", ["moves.gif", "moves.webp", "cmyk.jpg", "grey16.png", "palette.png", "turned.jpg"])
def test_images_of_every_kind_are_read_as_three_channels(root: Path, limits: Settings, name: str) -> None:
    """Of a moving one the first frame; a turned one as it is stored, for masks and boxes count those pixels."""
    left = np.zeros((12, 16, 3), np.uint8)
    left[:, :8] = 220
    one, other = Image.fromarray(left), Image.fromarray(255 - left)
    for label in ("a", "b"):
        (root / label).mkdir()
        draw(*(root / label / f"{i}.png" for i in range(8)))
    path = root / "a" / name
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    if name.startswith("moves"):
        one.save(path, save_all=True, append_images=[other], duration=50)
    elif name == "cmyk.jpg":
        one.convert("CMYK").save(path, quality=95)
    elif name == "grey16.png":
        Image.fromarray(left[..., 0].astype(np.uint16) * 257).save(path)
    elif name == "palette.png":
        one.convert("P").save(path)
    else:
        one.save(path, quality=95, exif=exif)
    table, _ = read(root, limits, "image-folder")
    pixels = load_pixels(path, ImageTransform(size=12, resize_ratio=1.0))
    assert pixels.shape == (12, 12, 3) and len(table) == 17
    assert pixels[:, :4].mean() > 200 and pixels[:, -4:].mean() < 30


# Archives


def test_the_names_of_an_archive_from_macos_are_utf_8_though_it_does_not_say_so(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w") as archive:
        for name in ("Käfer/ä 1.jpg", "dog/1.jpg"):
            archive.writestr(name, (tmp_path / "a.jpg").read_bytes())
    content = sent.getvalue()
    for entry in ("Käfer/ä 1.jpg",):  # without the flag that says UTF-8, as macOS and older tools write it
        assert content.count(entry.encode()) == 2
    flagged = (0x800).to_bytes(2, "little")
    assert content.count(flagged) >= 2
    content = content.replace(b"PK\x03\x04\x14\x00" + flagged, b"PK\x03\x04\x14\x00\0\0")
    content = content.replace(b"PK\x01\x02\x14\x03\x14\x00" + flagged, b"PK\x01\x02\x14\x03\x14\x00\0\0")
    folder = unpack_upload(io.BytesIO(content), "animals.zip", tmp_path / "home")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.jpg")) == ["Käfer/ä 1.jpg", "dog/1.jpg"]


def test_the_names_of_an_archive_in_cp437_are_read_as_such(tmp_path: Path) -> None:
    draw(tmp_path / "a.jpg")
    sent = io.BytesIO()
    with zipfile.ZipFile(sent, "w") as archive:
        archive.writestr("K_fer/1.jpg", (tmp_path / "a.jpg").read_bytes())
        archive.writestr("dog/1.jpg", (tmp_path / "a.jpg").read_bytes())
    content = sent.getvalue().replace(b"K_fer", b"K\x84fer")
    folder = unpack_upload(io.BytesIO(content), "animals.zip", tmp_path / "home")
    assert sorted(path.name for path in folder.iterdir()) == ["Käfer", "dog"]


# Numbers that are no classes


@pytest.mark.parametrize(("what", "article"), [("label", "a"), ("attribute", "an")])
def test_a_column_of_measurements_is_refused_with_both_ways_out(root, limits, what, article) -> None:
    draw(*(root / f"{k}.png" for k in range(4)))
    columns = {"path": [f"{k}.png" for k in range(4)], "label": ["cat", "dog"] * 2, "attribute": ["sea", "land"] * 2}
    pd.DataFrame(columns | {what: [0.5, 1.5] * 2}).to_csv(root / "data.csv", index=False)
    (refused,) = imported(root, limits).report.errors
    assert not missing(refused.message, f"{article} {what}", "9,999", "'0.5'", "write names")


def test_an_attribute_of_one_value_is_said_to_separate_nothing(root, limits) -> None:
    draw(*(root / f"{k}.png" for k in range(20)))
    columns = {"path": [f"{k}.png" for k in range(20)], "label": ["cat", "dog"] * 10, "place": ["sea"] * 20}
    pd.DataFrame(columns).to_csv(root / "data.csv", index=False)
    _, found = read(root, limits, "csv")
    assert not missing(found["attributes"], "'sea'")
    assert "attributes" not in read(root, limits, "csv", attribute="none")[1]


def test_images_whose_attribute_is_not_known_are_counted_with_their_lines(root, limits) -> None:
    draw(*(root / f"{k}.png" for k in range(20)))
    places = ["sea", "", "land", "sea"] * 5
    columns = {"path": [f"{k}.png" for k in range(20)], "label": ["cat", "dog"] * 10, "place": places}
    pd.DataFrame(columns).to_csv(root / "data.csv", index=False)
    _, found = read(root, limits, "csv", attribute="place")
    assert found["unknown-attribute"].startswith("5 of 20 images have no place (lines 3, 7, 11, 15, 19): they belong")
    assert "unknown-attribute" not in read(root, limits, "csv", attribute="none")[1]
    hours = ["day", "night", "day", ""] * 5
    pd.DataFrame(columns | {"hour": hours}).to_csv(root / "data.csv", index=False)
    _, found = read(root, limits, "csv", attribute="place,hour")
    assert not missing(found["unknown-attribute"], 10, 20, "hour", "3, 5, 7")
    pd.DataFrame(columns | {"place": ["sea", "", *["land", "sea"] * 9]}).to_csv(root / "data.csv", index=False)
    _, found = read(root, limits, "csv", attribute="place")
    assert not missing(found["unknown-attribute"], "1 of 20", "line 3", "it belongs")
