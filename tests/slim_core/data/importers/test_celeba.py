import numpy as np
import pandas as pd
import pytest

from slim_core.data.groups import grouping
from slim_core.data.importers.waterbirds_celeba import EXPECTED_OF_CELEBA, FULL_SIZE
from slim_core.data.importing import import_data
from slim_core.data.report import require
from tests.refusals import missing
from tests.slim_core.data.faults import faults

ATTRIBUTES = ["Blond_Hair", "Male", "Smiling"]
NAMES = [f"{i + 1:06d}.jpg" for i in range(24)]
VALUES = np.array([[1 if (i >> bit) & 1 else -1 for bit in range(3)] for i in range(24)])  # (24, 3)
SPLITS = np.repeat([0, 1, 2], 8)


def save_images(folder):
    from PIL import Image

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (22, 18, 3), np.uint8)).save(folder / name)


def write_csv_form(folder, delimiter=","):
    frame = pd.DataFrame(VALUES, columns=ATTRIBUTES)
    frame.insert(0, "image_id", NAMES)
    frame.to_csv(folder / "list_attr_celeba.csv", index=False, sep=delimiter)
    pd.DataFrame({"image_id": NAMES, "partition": SPLITS})[::-1].to_csv(
        folder / "list_eval_partition.csv", index=False, sep=delimiter
    )


def write_original_form(folder):
    lines = [str(len(NAMES)), " ".join(ATTRIBUTES) + " "]
    lines += [f"{name}  " + " ".join(f"{v:2d}" for v in values) for name, values in zip(NAMES, VALUES, strict=True)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    rows = [f"{name} {split}" for name, split in zip(NAMES, SPLITS, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(rows) + "\n")


def write_metadata_form(folder):
    frame = pd.DataFrame(VALUES, columns=ATTRIBUTES)
    frame.insert(0, "image_id", NAMES)
    frame.assign(split=SPLITS).to_csv(folder / "metadata.csv", index=False)


FORMS = {
    "csv": write_csv_form,
    "semicolons": lambda folder: write_csv_form(folder, ";"),
    "original": write_original_form,
    "metadata": write_metadata_form,
}


@pytest.mark.parametrize("images", ["img_align_celeba", "img_align_celeba/img_align_celeba", "."])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_labels_attributes_and_splits(data, limits, form, images):
    folder = data / "celeba"
    if images == ".":
        save_images(folder)
    else:
        save_images(folder / images)
    FORMS[form](folder)
    imported = import_data(folder, settings=limits)
    table = require(imported)
    assert imported.report.format == "celeba" and faults(imported.report) == ()
    assert table.labels.tolist() == ((VALUES[:, 0] + 1) // 2).tolist()
    assert table.attributes.tolist() == ((VALUES[:, 1] + 1) // 2).tolist()
    assert table.splits.tolist() == np.array(["train", "val", "test"])[SPLITS].tolist()
    assert grouping(table).names == (
        "not blond hair, female",
        "not blond hair, male",
        "blond hair, female",
        "blond hair, male",
    )
    assert table.image_path(3).name == NAMES[3]


def test_any_pair_of_attributes_can_be_chosen(data, limits):
    save_images(data / "celeba" / "img_align_celeba")
    write_original_form(data / "celeba")
    options = {"target": "Male", "attribute": "Smiling"}
    table = require(import_data(data / "celeba", options=options, settings=limits))
    assert table.labels.tolist() == ((VALUES[:, 1] + 1) // 2).tolist()
    assert table.attributes.tolist() == ((VALUES[:, 2] + 1) // 2).tolist()
    assert (table.label_names, table.attribute_names) == (("female", "male"), ("not smiling", "smiling"))


def test_the_published_counts_add_up_to_celeba():
    assert sum(map(sum, EXPECTED_OF_CELEBA.values())) == FULL_SIZE


PARTITION = "list_eval_partition.csv"
NO_TABLE = b"PK\x03\x04\xff\xfe\x00\x9c" * 20


def lose_a_split(folder):
    frame = pd.read_csv(folder / PARTITION)
    frame[frame["image_id"] != NAMES[7]].to_csv(folder / PARTITION, index=False)


def split_twice(folder):
    with (folder / PARTITION).open("a") as lines:
        lines.write(f"{NAMES[0]},{SPLITS[0]}\n{NAMES[1]},2\n")  # the first is merely there twice


@pytest.mark.parametrize(
    ("form", "spoil", "options", "code", "named"),
    [
        ("csv", lambda _: None, {"target": "Bald"}, "missing-column", ["Bald", "image_id, Blond_Hair, Male"]),
        ("csv", lambda folder: (folder / PARTITION).unlink(), {}, "missing-metadata", ["list_eval_partition"]),
        ("csv", lose_a_split, {}, "splits", ["row 7"]),
        ("csv", split_twice, {}, "splits", [1, NAMES[1]]),
        *(
            ("csv", lambda folder, name=name: (folder / name).write_bytes(NO_TABLE), {}, "unreadable-metadata", [name])
            for name in ("list_attr_celeba.csv", PARTITION)
        ),
        (
            "original",
            lambda folder: (folder / "list_attr_celeba.txt").write_text("202599\n"),
            {},
            "unreadable-metadata",
            ["list_attr_celeba.txt"],
        ),
    ],
)
def test_what_is_no_whole_release_is_refused_by_name(data, limits, form, spoil, options, code, named):
    save_images(data / "celeba")
    FORMS[form](data / "celeba")
    spoil(data / "celeba")
    (error,) = import_data(data / "celeba", options=options, settings=limits).report.errors
    assert error.code == code and not missing(error.message, *named)
