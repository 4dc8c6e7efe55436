"""Every form of data set, on a small folder of its real shape: found by itself, read, and what is missing made."""

import json

import numpy as np
import pandas as pd
import pytest

from slim_core.data.groups import grouping
from slim_core.data.importing import import_data
from slim_core.data.report import require
from tests.slim_core.data.drawn import draw
from tests.slim_core.data.faults import faults


def read(root, limits, form, **options):
    """The table; the form must have been found without being named."""
    imported = import_data(root, options=options, settings=limits)
    assert imported.report.format == form and imported.report.reason
    return require(imported), {finding.code: finding.message for finding in faults(imported.report)}


def counts(table, split):
    groups = grouping(table)
    return dict(zip(groups.names, groups.counts(table.rows(split)).tolist(), strict=True))


def test_class_folders_alone_are_dealt_out_the_same_each_time_and_otherwise_by_another_seed(root, limits):
    draw(*(root / name / f"{i}.png" for name in ("3", "5", "7") for i in range(20)))
    table, codes = read(root, limits, "image-folder")
    again, _ = read(root, limits, "image-folder")
    other, _ = read(root, limits, "image-folder", seed="4")
    assert table.label_names == ("3", "5", "7") and "with seed 0" in codes["made-splits"]
    assert {split: len(table.rows(split)) for split in ("train", "val", "test")} == {"train": 36, "val": 9, "test": 15}
    assert np.array_equal(table.splits, again.splits) and not np.array_equal(table.splits, other.splits)
    for split in ("train", "val", "test"):
        assert len(set(np.bincount(table.labels[table.rows(split)]))) == 1  # stratified


def test_a_train_folder_without_val_gives_a_fifth_of_itself(root, limits):
    for split, n in (("train", 10), ("test", 4)):
        draw(*(root / split / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(n)))
    table, codes = read(root, limits, "image-folder")
    assert [len(table.rows(split)) for split in ("train", "val", "test")] == [16, 4, 8] and "made-val" in codes


def test_a_class_of_trains_is_no_split_and_loose_images_of_splits_are_no_classes(root, limits):
    draw(*(root / name / f"{i}.jpg" for name in ("bus", "train", "tram") for i in range(8)))
    table, _ = read(root, limits, "image-folder")
    assert table.label_names == ("bus", "train", "tram") and len(table) == 24
    draw(*(root / "test" / f"{i}.jpg" for i in range(8)))  # without their classes
    assert import_data(root, settings=limits).table is None


def test_images_that_lie_elsewhere_are_counted_and_links_are_not_followed(root, limits):
    draw(*(root / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(8)), root / "stray.jpg")
    (root / "cat" / "loop").symlink_to(root)
    table, codes = read(root, limits, "image-folder")
    assert len(table) == 16 and "CLASS/IMAGE" in codes["importer"]


@pytest.mark.parametrize(
    ("form", "shape", "place"),
    [
        ("nico++", "CONTEXT/LABEL/IMAGE", "{other}/{name}/{i}.jpg"),
        ("spawrious", "LOCATION/BREED/IMAGE", "{place}/{breed}/{i}.jpg"),
        ("metashift", "CLASS(CONTEXT)", "train/{name}/{name}({other})/{i}.jpg"),
        ("imagenet-9", "VARIANT/val/00_CLASS", "original/train/0{k}_{name}/{i}.jpg"),
        ("nico", "<context>_<index>", "{name}_{other}_{i}.jpg"),
    ],
)
def test_no_form_of_folders_leaves_images_out_without_a_word(root, limits, form, shape, place):
    for k, (name, breed) in enumerate((("cat", "corgi"), ("dog", "labrador"))):
        for other, where in (("grass", "beach"), ("water", "snow")):
            draw(*(root / place.format(name=name, breed=breed, other=other, place=where, k=k, i=i) for i in range(6)))
    plain = import_data(root, settings=limits).report
    assert plain.format == form and not any("left out" in one.message for one in plain.findings)
    draw(root / "dog_x" / "cat_y_1.jpg" if form == "nico" else root / "dog_x" / "a" / "b" / "c" / "cat_y_1.jpg")
    found = import_data(root, settings=limits).report
    assert (found.format, found.n_images) == (form, plain.n_images)
    assert any(shape in one.message for one in found.findings if one.code == "importer")


def test_what_is_wrong_with_images_of_folders_is_said_by_their_paths_for_there_are_no_rows_to_look_up(root, limits):
    draw(*(root / name / f"{i}.jpg" for name in ("cat", "dog") for i in range(8)))
    for i in range(6):
        (root / "dog" / f"{i}.jpg").write_bytes(b"")
    (error,) = import_data(root, settings=limits).report.errors
    assert "('dog/0.jpg', 'dog/1.jpg', 'dog/2.jpg', 'dog/3.jpg', 'dog/4.jpg', ...)" in error.message


def test_any_columns_and_no_split(root, limits):
    draw(*(root / f"{i}.png" for i in range(24)))
    frame = pd.DataFrame({"picture": [f"{i}.png" for i in range(24)], "species": ["owl", "elk"] * 12})
    frame.to_csv(root / "things.csv", index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
    table, codes = read(root, limits, "csv", path="picture", label="species")
    assert table.label_names == ("elk", "owl") and "made-splits" in codes and not table.has_attributes


def test_several_attributes_are_crossed(root, limits):
    draw(*(root / f"{i}.png" for i in range(24)))
    frame = pd.DataFrame({"path": [f"{i}.png" for i in range(24)], "label": [0, 1] * 12})
    frame.assign(place=["sea", "sea", "land"] * 8, time=["day"] * 12 + ["night"] * 12).to_csv(
        root / "a.csv", index=False
    )
    table, _ = read(root, limits, "csv", attribute="place,time")
    assert table.attribute_name == "place, time"
    assert table.attribute_names == ("land, day", "land, night", "sea, day", "sea, night")


def test_lines_of_the_file_are_named_where_empty_lines_lie_between(root, limits):
    draw(root / "0.png", root / "1.png")
    (root / "a.csv").write_text("path,label,split\n0.png,0,train\n\n\n1.png,x,train\n")
    message = import_data(root, options={"label_names": "0,1"}, settings=limits).report.errors[0].message
    assert "(line 5)" in message


def test_nico_by_its_table_and_by_its_names(root, limits):
    names = [
        f"{label}_{context}_{i}.jpg" for label in ("cat", "dog") for context in ("on grass", "indoor") for i in (1, 2)
    ]
    draw(*(root / name for name in names * 1))
    table, codes = read(root, limits, "nico")
    assert table.label_names == ("cat", "dog") and table.attribute_names == ("indoor", "on grass")
    assert "made-splits" in codes
    parts = [name.split("_") for name in names]
    frame = pd.DataFrame(
        {
            "img_id": range(8),
            "img_filename": names,
            "y": [0] * 4 + [1] * 4,
            "label_name": [part[0] for part in parts],
            "split": [0, 1] * 4,
            "context": [0, 0, 1, 1] * 2,
            "context_name": [part[1] for part in parts],
        }
    )
    frame.to_csv(root / "metadata.csv", index=False)
    table, _ = read(root, limits, "nico")
    assert counts(table, "train") == {"cat, indoor": 1, "cat, on grass": 1, "dog, indoor": 1, "dog, on grass": 1}


@pytest.mark.parametrize("table", ["metadata.csv", "labels.csv", "any.tsv"])
@pytest.mark.parametrize("is_named", [False, True])
def test_a_table_beside_images_named_as_those_of_nico_is_what_is_read(root, limits, table, is_named):
    names = [f"IMG_2023_{i:04d}.jpg" for i in range(12)]
    draw(*(root / name for name in names))
    frame = pd.DataFrame({"path": names, "label": ["cat", "dog"] * 6})
    frame.to_csv(root / table, index=False, sep="\t" if table.endswith("tsv") else ",")
    imported = import_data(root / table if is_named else root, settings=limits)
    assert imported.report.format == "csv" and require(imported).label_names == ("cat", "dog")


def test_coco_beside_images_named_as_those_of_nico_is_what_is_read(root, limits):
    write_coco(root, ["cat", "dog"], lambda i: 1 + i % 2, image="COCO_val2014_{:012}.jpg")
    imported = import_data(root, settings=limits)
    assert imported.report.format == "coco" and require(imported).label_names == ("cat", "dog")


def test_nico_plus_plus(root, limits):
    draw(*(root / c / label / f"{i}.jpg" for c in ("autumn", "water") for label in ("bear", "car") for i in range(5)))
    table, codes = read(root, limits, "nico++")
    assert table.label_names == ("bear", "car") and table.attribute_names == ("autumn", "water")
    assert "within each class and attribute" in codes["made-splits"]
    assert set(counts(table, "train").values()) == {3} and set(counts(table, "test").values()) <= {1, 2}


def test_classes_called_as_contexts_of_nico_plus_plus_are_classes(root, limits):
    draw(*(root / name / f"{i}.jpg" for name in ("grass", "rock", "water") for i in range(8)))
    imported = import_data(root, settings=limits)
    assert imported.report.format == "image-folder" and require(imported).label_names == ("grass", "rock", "water")


def test_imagenet_9(root, limits):
    for variant, part in (("original", "train"), ("original", "val"), ("mixed_same", "val"), ("mixed_rand", "val")):
        draw(*(root / variant / part / name / f"{i}.JPEG" for name in ("00_dog", "01_bird") for i in range(2)))
    table, _ = read(root, limits, "imagenet-9")
    assert table.label_names == ("00_dog", "01_bird") and table.attribute_name == "background"
    assert [len(table.rows(split)) for split in ("train", "val", "test")] == [4, 4, 8]
    assert counts(table, "test")["00_dog, mixed_rand"] == 2 and counts(table, "test")["00_dog, original"] == 0


def test_metashift(root, limits):
    draw(
        *(
            root / "train" / label / f"{label}({c})" / f"{i}.jpg"
            for label, c in (("cat", "sofa"), ("dog", "bench"))
            for i in range(5)
        )
    )
    draw(*(root / "test" / label / f"{label}(shelf)" / f"{i}.jpg" for label in ("cat", "dog") for i in range(2)))
    table, codes = read(root, limits, "metashift")
    assert table.attribute_names == ("bench", "shelf", "sofa") and "made-val" in codes
    assert counts(table, "test")["cat, shelf"] == 2 and counts(table, "train")["cat, sofa"] == 4


def test_imagenet_9_without_train_keeps_the_variants_of_a_picture_in_one_split(root, limits):
    """The archive of the challenge has val alone; all of its variants show the same animals."""
    pictures = [(name, f"n0208562{k}_{i:05}") for k, name in enumerate(("00_dog", "01_bird")) for i in range(20)]
    for label, picture in pictures:
        draw(root / "original" / "val" / label / f"{picture}.JPEG")
        draw(root / "mixed_rand" / "val" / label / f"fg_{picture}_bg_n01532829_06835.JPEG")
    table, codes = read(root, limits, "imagenet-9")
    splits = table.frame.groupby(table.frame["path"].str.extract(r"(n0208562\d_\d+)", expand=False))["split"]
    assert "made-splits" in codes and len(table) == 80 and splits.ngroups == 40
    assert splits.nunique().max() == 1 and set(table.splits) == {"train", "val", "test"}


def test_spawrious_with_its_halves(root, limits):
    for half, places in (("0", ("beach", "snow")), ("1", ("desert",))):
        draw(*(root / half / p / b / f"{i}.png" for p in places for b in ("corgi", "labrador") for i in range(5)))
    table, codes = read(root, limits, "spawrious")
    assert table.label_names == ("corgi", "labrador") and table.attribute_names == ("beach", "desert", "snow")
    assert len(table.rows("test")) == 10 and "made-val" in codes
    notes = [one.message for one in import_data(root, settings=limits).report.findings if one.code == "importer"]
    assert any("1 as test" in note for note in notes)  # no challenge of Spawrious


def test_wilds_leaves_out_what_is_within_the_distribution_and_says_so(root, limits):
    words = ["train", "train", "val", "val", "test", "test", "id_val", "id_test"]
    draw(*(root / "train" / f"{i}.jpg" for i in range(8)))
    (root / "RELEASE_v2.0.txt").write_text("")
    frame = pd.DataFrame({"filename": [f"{i}.jpg" for i in range(8)], "split": words, "y": [0, 1] * 4})
    frame.assign(location_remapped=[5, 5, 6, 6, 7, 7, 5, 5]).to_csv(root / "metadata.csv", index=False)
    table, codes = read(root, limits, "wilds")
    assert len(table) == 6 and table.attribute_name == "location_remapped"
    assert "2 rows of metadata.csv are in" in codes["importer"]


def test_wilds_with_nothing_out_of_distribution_is_refused_by_its_splits(root, limits):
    draw(root / "0.jpg", root / "1.jpg")
    (root / "RELEASE_v2.0.txt").write_text("")
    frame = pd.DataFrame({"filename": ["0.jpg", "1.jpg"], "split": ["id_val", "id_test"], "y": [0, 1]})
    frame.to_csv(root / "metadata.csv", index=False)
    report = import_data(root, settings=limits).report
    assert not report.ok
    assert "its splits are id_test, id_val." in faults(report)[0].message


@pytest.mark.parametrize(("artefact", "labels"), [("patches", ["benign", "malignant"]), ("hair", ["0", "1.0"])])
def test_isic_in_both_set_ups(root, limits, artefact, labels):
    draw(*(root / "images" / f"ISIC_{i}.jpg" for i in range(24)))
    frame = pd.DataFrame({"image": [f"ISIC_{i}" for i in range(24)], "label": labels * 12})
    present = [0 if label == 1 and artefact == "patches" else i // 2 % 2 for i, label in enumerate([0, 1] * 12)]
    frame.assign(**{artefact: present}).to_csv(root / "isic.csv", index=False)
    table, codes = read(root, limits, "isic")
    assert table.label_names == ("benign", "malignant") and table.attribute_names == (f"no {artefact}", artefact)
    assert ("empty-group" in codes) == (artefact == "patches")
    splits = ["train", "val", "test"] * 8
    frame.assign(**{artefact: present}, split=splits).to_csv(root / "isic.csv", index=False)
    assert read(root, limits, "isic")[0].splits.tolist() == splits


def test_isic_of_a_table_that_holds_numbers(root, limits):
    draw(*(root / "images" / f"{i}.jpg" for i in range(24)))
    frame = pd.DataFrame({"image": range(24), "target": [0, 1] * 12, "ruler": [0.0, 0.0, 1.0, 1.0] * 6})
    frame.to_parquet(root / "isic.parquet")
    imported = import_data(root, format="isic", options={"file": "isic.parquet"}, settings=limits)
    assert counts(require(imported), "train").keys() == {
        "benign, no ruler", "benign, ruler", "malignant, no ruler", "malignant, ruler",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["isic", "csv"])
def test_what_is_missing_from_parquet_is_named_by_its_row_for_it_has_no_lines(root, limits, form):
    draw(*(root / f"{i}.jpg" for i in range(12)))
    names = [*(f"{i}.jpg" for i in range(11)), "lost.jpg"]
    shared = {"split": [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], "y": [0, 1] * 6, "a": [0, 0, 1, 1] * 3}
    frame = pd.DataFrame({"id": range(12), "filename": names, **shared})
    if form == "isic":
        frame = frame.rename(columns={"id": "n", "filename": "image", "y": "label", "a": "hair"})
    frame.to_parquet(root / "table.parquet")
    imported = import_data(root, format=form, options={"file": "table.parquet"}, settings=limits)
    (message,) = [one.message for one in imported.report.findings if "lost.jpg" in one.message]
    assert "row 11" in message, message


def test_coco_takes_the_largest_object_and_its_box(root, limits):
    for split, n in (("train", 8), ("val", 4)):
        draw(*(root / f"{split}2017" / f"{i}.jpg" for i in range(n)))
        content = {
            "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(n)],
            "categories": [{"id": 3, "name": "car"}, {"id": 17, "name": "cat"}],
            "annotations": [
                {
                    "id": 2 * i + k,
                    "image_id": i,
                    "category_id": [3, 17][(i + k) % 2],
                    "bbox": [1, 2, 3 + 5 * (1 - k), 4],
                }
                for i in range(n - 1)
                for k in (0, 1)
            ],
        }
        (root / "annotations").mkdir(exist_ok=True)
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    table, codes = read(root, limits, "coco")
    assert table.label_names == ("car", "cat") and [len(table.rows(s)) for s in ("train", "val")] == [7, 3]
    assert table.box(0) == (1, 2, 8, 4) and table.labels[:3].tolist() == [0, 1, 0]
    assert "2 images without an annotation are left out" in codes["importer"]


def test_coco_of_camera_traps_has_labels_without_boxes_and_leaves_nothing_out_unsaid(root, limits):
    write_coco(root, ["fox", "hare"], lambda i: i % 2 + 1)
    content = json.loads((root / "instances.json").read_text())
    for annotation in content["annotations"][:20]:
        del annotation["bbox"]
    content["annotations"][0]["bbox"] = []
    content["annotations"] += [
        {"id": 100, "image_id": 3, "category_id": 1, "bbox": [0, 0, 1, 1]},
        {"id": 101, "image_id": "3", "category_id": 1},
    ]
    (root / "instances.json").write_text(json.dumps(content))
    found = import_data(root, settings=limits)
    table, notes = require(found), [one.message for one in found.report.findings if one.code == "importer"]
    assert table.labels.tolist() == [0, 1, 0, 0, *([0, 1] * 10)]
    assert [table.box(row) is not None for row in range(24)] == [row in (3, 20, 21, 22, 23) for row in range(24)]
    assert [note.split(" ")[:2] for note in notes] == [["1", "annotation"], ["1", "image"]]


def write_coco(root, names, category_of, image="{}.png"):
    """12 images for each category, one object each."""
    n = 12 * len(names)
    draw(*(root / image.format(i) for i in range(n)))
    content = {
        "images": [{"id": i, "file_name": image.format(i)} for i in range(n)],
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(names)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": category_of(i), "bbox": [1, 1, 5, 5]} for i in range(n)
        ],
    }
    (root / "instances.json").write_text(json.dumps(content))


def test_of_a_release_of_coco_the_instances_are_read_and_no_image_twice(root, limits):
    """Its archive of annotations has key points and captions of the same images beside them."""
    for split in ("train2017", "val2017"):
        (root / split).mkdir()
        write_coco(root / split, ["person", "dog"], lambda i: i % 2 + 1)
        written = root / split / "instances.json"
        (root / "annotations").mkdir(exist_ok=True)
        for kind in ("instances", "person_keypoints"):
            (root / "annotations" / f"{kind}_{split}.json").write_text(written.read_text())
        written.unlink()
    found = import_data(root, format="coco", settings=limits)
    table, said = require(found), [one.message for one in found.report.findings if one.code == "importer"]
    assert len(table) == len(set(table.frame["path"])) == 48
    (unread,) = (message for message in said if "not read" in message)
    assert unread.startswith("annotations/person_keypoints_train2017.json, annotations/person_keypoints_val2017.json ")
    name, _, _ = unread.partition(",")
    named = import_data(root, format="coco", settings=limits, options={"file": name, "images": "train2017"})
    assert require(named).n_classes == 2


@pytest.mark.parametrize("names", [[str(digit) for digit in range(12)], ["1", "2"], ["7", "007"]])
def test_categories_of_coco_that_are_digits_keep_their_names(root, limits, names):
    write_coco(root, names, lambda i: i % len(names) + 1)
    table, _ = read(root, limits, "coco")
    assert table.label_names == tuple(sorted(names))
    assert [table.label_names[label] for label in table.labels[: len(names)]] == names


@pytest.mark.parametrize(
    ("form", "above", "inside"),
    [
        ("nico++", ("",), "{context}/{label}"),
        ("spawrious", ("",), "{context}/{label}"),
        ("metashift", ("train/", "val/", "test/"), "{label}/{label}({context})"),
    ],
)
def test_folders_of_digits_keep_their_names(root, limits, form, above, inside):
    cells = [{"label": label, "context": context} for label in ("1", "2", "3") for context in ("1", "2", "10")]
    folders = [root / f"{split}{inside.format(**cell)}" for split in above for cell in cells]
    draw(*(folder / f"{i}.jpg" for folder in folders for i in range(6)))
    table = require(import_data(root, format=form, settings=limits))
    assert table.label_names == ("1", "2", "3") and table.attribute_names == ("1", "10", "2")
    for name, label, attribute in zip(table.frame["path"], table.labels, table.attributes, strict=True):
        called = {"label": table.label_names[label], "context": table.attribute_names[attribute]}
        assert name.rpartition("/")[0].endswith(inside.format(**called))


def test_an_annotation_of_no_category_is_named(root, limits):
    write_coco(root, ["cat", "dog"], lambda i: 99 if i == 3 else i % 2 + 1)
    (error,) = import_data(root, settings=limits).report.errors
    assert error.code == "labels" and "of the category 99, which instances.json does not list" in error.message


def test_a_folder_that_cannot_be_read_is_refused_by_name(root, limits, monkeypatch):
    draw(*(root / name / "0.jpg" for name in ("cat", "dog")))
    import os

    real = os.scandir
    denied = PermissionError(13, "Permission denied")

    def guarded(path="."):
        if str(path).endswith("dog"):
            raise denied
        return real(path)

    monkeypatch.setattr("slim_core.data.importers.folders.os.scandir", guarded)
    message = import_data(root, format="image-folder", settings=limits).report.errors[0].message
    assert "dog cannot be read (Permission denied)" in message
