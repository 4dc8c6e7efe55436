"""Data sets of Hugging Face as they lie on disk: Parquet of the Hub with the images inside."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slim_core.data import unpacking
from slim_core.data.importers.huggingface import Shard
from slim_core.data.importing import import_data
from slim_core.data.report import FormatRefusedError, Imported, require
from slim_core.data.unpacking import Packed, imported_images
from slim_core.settings import Settings
from tests.hub import FEATURES, IMAGE, content, hub, pets, write
from tests.refusals import missing
from tests.slim_core.data.faults import imported


def codes(found: Imported) -> dict[str, str]:
    return {finding.code: finding.message for finding in found.report.findings}


def kept(limits: Settings) -> list[Path]:
    return [one for one in (limits.home / "imported").rglob("*") if one.is_file()]


def test_images_inside_parquet_are_written_out_only_once_that_is_allowed(root: Path, limits: Settings) -> None:
    (error,) = imported(hub(root), limits).report.errors
    assert error.code == unpacking.CODE and not kept(limits)
    assert not missing(error.message, 32, "train-00000-of-00002.parquet", 3, 1, limits.home)


def test_parquet_of_the_hub_gives_splits_names_of_classes_and_the_very_images(root: Path, limits: Settings) -> None:
    found = imported(hub(root), limits, unpack="yes", attribute="place")
    table = require(found)
    assert found.report.format == "huggingface"
    assert table.label_names == ("cat", "dog") and table.attribute_names == ("land", "sea")
    assert [len(table.rows(split)) for split in ("train", "val", "test")] == [16, 8, 8]
    assert table.labels[:4].tolist() == [0, 1, 0, 1] and table.attributes[:4].tolist() == [0, 0, 1, 1]
    first_of_test = int(table.rows("test")[0])
    seeds = [next(i for i in range(400) if table.image_path(row).read_bytes() == content(i)) for row in (0, 8, 15)]
    assert seeds == [0, 100, 107] and table.image_path(first_of_test).read_bytes() == content(300)
    assert len(kept(limits)) == 32 and imported_images(table, limits.home) == frozenset(kept(limits))
    assert f"were written to {limits.home}/imported" in codes(found)["importer"]


def test_an_attribute_of_words_beside_numbered_labels(root: Path, limits: Settings) -> None:
    features = {**FEATURES, "place": {"dtype": "string", "_type": "Value"}}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    words = ["sea", "land", None, "sea"] * 4
    write(root / "data.parquet", pets(0, 16, place=words).replace_schema_metadata(about))
    table = require(imported(root, limits, unpack="yes", attribute="place"))
    assert table.label_names == ("cat", "dog") and table.attribute_names == ("land", "sea")
    assert table.labels[:4].tolist() == [0, 1, 0, 1] and table.attributes[:4].tolist() == [1, 0, -1, 1]


@pytest.mark.parametrize("column", ["image", "label", "place"])
def test_two_columns_of_one_name_are_refused(root: Path, limits: Settings, column: str) -> None:
    table = pets(0, 16)
    write(root / "train.parquet", table)
    write(root / "test.parquet", table.append_column(column, table[column]))
    (error,) = imported(root, limits, unpack="yes", attribute="place").report.errors
    assert not missing(error.message, column)


def test_a_column_that_is_to_be_the_label_and_the_attribute_is_refused(root: Path, limits: Settings) -> None:
    (error,) = imported(hub(root), limits, unpack="yes", label="place", attribute="place").report.errors
    assert error.code == "columns" and not missing(error.message, "place", "label", "attribute")


def test_a_second_import_writes_nothing_and_gives_the_same_data_set(root: Path, limits: Settings) -> None:
    first = require(imported(hub(root), limits, unpack="yes"))
    times = {one: one.stat().st_mtime_ns for one in kept(limits)}
    assert require(imported(root, limits, unpack="yes")).fingerprint == first.fingerprint
    assert {one: one.stat().st_mtime_ns for one in kept(limits)} == times


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"),
        ("plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"),
        ("default/train/0000.parquet", "default/test/0000.parquet"),
        ("train/0000.parquet", "test/0000.parquet"),
        ("data/pets_training.parquet", "data/pets.eval.parquet"),
        ("data/train-00000-of-00001-abcdef0123456789.parquet", "data/TEST.pq"),
    ],
)
def test_splits_are_found_by_the_names_that_the_hub_uses(root: Path, limits: Settings, train: str, test: str) -> None:
    write(root / train, pets(0, 20))
    write(root / test, pets(50, 8))
    found = imported(root, limits, unpack="yes")
    table = require(found)
    assert len(table.rows("test")) == 8 and "made-val" in codes(found)


def test_one_parquet_file_is_a_data_set_whose_splits_are_made(root: Path, limits: Settings) -> None:
    write(root / "pets.parquet", pets(0, 30))
    found = imported(root / "pets.parquet", limits, unpack="yes")
    assert len(require(found)) == 30 and "made-splits" in codes(found)


def test_of_several_configurations_one_is_named(root: Path, limits: Settings) -> None:
    for name in ("large", "small"):
        write(root / name / "train-00000-of-00001.parquet", pets(0, 20 if name == "large" else 12))
    (error,) = imported(root, limits, unpack="yes").report.errors
    assert "holds the configurations large, small: name one" in error.message
    assert len(require(imported(root, limits, unpack="yes", config="small"))) == 12


def test_a_split_without_labels_and_one_of_no_known_name_are_left_out(root: Path, limits: Settings) -> None:
    hub(root)
    write(root / "data" / "test-00000-of-00001.parquet", pets(300, 8, label=[-1] * 8))
    write(root / "data" / "unlabelled-00000-of-00001.parquet", pets(400, 8))
    found = imported(root, limits, unpack="yes")
    assert len(require(found)) == 24 and "no-test" in codes(found)
    notes = " ".join(one.message for one in found.report.findings if one.code == "importer")
    assert "of the split test has a label" in notes
    assert "out, such as unlabelled-00000-of-00001.parquet" in notes


def test_a_file_that_lacks_a_column_of_the_others(root: Path, limits: Settings) -> None:
    write(root / "pets-train.parquet", pets(0, 20))
    write(root / "pets-test.parquet", pets(100, 8).drop_columns(["label", "place"]))
    found = imported(root, limits, unpack="yes", attribute="place")
    said = [finding.message for finding in found.report.findings]
    assert len(require(found)) == 20 and any("test has a label" in one for one in said)
    write(root / "pets-test.parquet", pets(100, 8).rename_columns(["picture", "label", "place"]))
    (error,) = imported(root, limits, unpack="yes").report.errors
    assert error.code == "missing-column" and not missing(error.message, "pets-test.parquet", "image")


def test_arrow_files_are_refused_with_what_to_write_from_them(root: Path, limits: Settings) -> None:
    (root / "train").mkdir()
    (root / "train" / "data-00000-of-00001.arrow").write_bytes(b"")
    (error,) = imported(root, limits).report.errors
    assert error.code == "no-metadata" and not missing(error.message, root, "to_parquet")


def test_the_first_class_label_is_the_label_and_another_column_can_be_named(root: Path, limits: Settings) -> None:
    table = pets(0, 30, kind=["tom", "rex"] * 15).drop_columns(["label"])
    write(root / "data" / "train.parquet", table)
    assert require(imported(root, limits, unpack="yes")).label_names == ("land", "sea")
    assert require(imported(root, limits, unpack="yes", label="kind")).label_names == ("rex", "tom")
    (error,) = imported(root, limits, label="species").report.errors
    assert "label among image, place, kind: name it" in error.message


def test_columns_of_bytes_and_true_or_false_are_read_without_metadata_of_datasets(root: Path, limits: Settings) -> None:
    """As pandas writes them, and those sets that have an attribute a column."""
    contents = [content(i, "PNG") for i in range(24)]
    table = pa.table({"img": contents, "label": ["a", "b"] * 12, "Male": [True, False, False, True] * 6})
    write(root / "train.parquet", table)
    table = require(imported(root, limits, unpack="yes", attribute="Male"))
    assert table.label_names == ("a", "b") and table.attribute_names == ("False", "True")
    assert table.image_path(5).suffix == ".png" and table.image_path(5).read_bytes() == contents[5]


def test_several_labels_an_image_are_refused(root: Path, limits: Settings) -> None:
    write(root / "train.parquet", pets(0, 4, label=[[0, 1]] * 4))
    (error,) = imported(root, limits).report.errors
    assert "values an image (list<" in error.message and "name another with label=COLUMN" in error.message


@pytest.mark.parametrize("has_bytes", [False, True])
def test_parquet_whose_images_are_only_named_is_read_where_they_lie(
    root: Path, limits: Settings, has_bytes: bool
) -> None:
    for i in range(24):
        (root / f"{i}.jpg").write_bytes(content(i))
    images = [{"bytes": None, "path": f"{i}.jpg"} if has_bytes else {"path": f"{i}.jpg"} for i in range(24)]
    column = pa.array(images, IMAGE) if has_bytes else pa.array(images)
    write(root / "train.parquet", pets(0, 24).set_column(0, "image", column))
    table = require(imported(root, limits))
    assert table.image_path(7) == root / "7.jpg" and not kept(limits)


def test_a_snapshot_in_the_cache_of_the_hub_is_read_through_its_links(tmp_path: Path, limits: Settings) -> None:
    cache = tmp_path / "datasets--me--pets"
    made = hub(tmp_path / "made")
    (cache / "blobs").mkdir(parents=True)
    for number, file in enumerate(sorted((made / "data").iterdir())):
        shutil.move(file, cache / "blobs" / f"{number:064d}")
        link = cache / "snapshots" / ("0" * 40) / "data" / file.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path("../../../blobs") / f"{number:064d}")
    for path in (cache, cache / "snapshots" / ("0" * 40)):
        assert len(require(imported(path, limits, unpack="yes"))) == 32


def test_a_link_from_a_folder_that_is_named_snapshots_to_elsewhere_is_not_followed(
    tmp_path: Path, limits: Settings
) -> None:
    write(tmp_path / "secret" / "train-00000-of-00001.parquet", pets(0, 20))
    link = tmp_path / "snapshots" / "train-00000-of-00001.parquet"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "secret" / link.name)
    (error,) = imported(tmp_path / "snapshots", limits, unpack="yes").report.errors
    assert "a link out" in error.message


def test_what_is_no_image_and_an_empty_cell_are_named_by_their_rows(root: Path, limits: Settings) -> None:
    cells = [{"bytes": content(i), "path": None} for i in range(24)]
    cells[4] = {"bytes": b"<!doctype html>", "path": None}
    write(root / "train.parquet", pa.table({"image": pa.array(cells, IMAGE), "label": ["a", "b"] * 12}))
    assert "1 of 24 images is broken" in codes(imported(root, limits, unpack="yes"))["broken-files"]
    cells[6] = None
    write(root / "train.parquet", pa.table({"image": pa.array(cells, IMAGE), "label": ["a", "b"] * 12}))
    assert "1 row of train.parquet names no image (row 6)" in codes(imported(root, limits, unpack="yes"))["paths"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda _: b"PAR1",
        lambda whole: whole[:2_000] + bytes(2_000) + whole[4_000:],
    ],
    ids=["cut short", "nothing", "damaged inside"],
)
def test_damaged_parquet_is_refused_by_name_and_leaves_nothing(root: Path, limits: Settings, damage) -> None:
    file = hub(root) / "data" / "train-00000-of-00002.parquet"
    file.write_bytes(damage(file.read_bytes()))
    found = imported(root, limits, unpack="yes")
    assert found.table is None and not kept(limits)
    assert any(not missing(error.message, file, "Parquet") for error in found.report.errors)


@pytest.mark.parametrize("name", ["MOST_IMAGES", "MOST_GB", "MOST_IMAGE_MB"])
def test_more_than_may_be_unpacked_is_refused_and_leaves_nothing(
    root: Path, limits: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, name, {"MOST_IMAGES": 31, "MOST_GB": 1e-6, "MOST_IMAGE_MB": 1e-4}[name])
    (error,) = imported(hub(root), limits, unpack="yes").report.errors
    assert error.code == "packed-size" and not kept(limits)


def test_a_file_that_promises_less_than_it_holds_is_stopped(
    root: Path, limits: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shard, "n_bytes", lambda *_: 1)
    monkeypatch.setattr(unpacking, "MOST_GB", 5 * len(content(0)) / 1e9)
    (error,) = imported(hub(root), limits, unpack="yes").report.errors
    assert "unpack to more" in error.message and not kept(limits)


def test_a_disk_without_room_is_asked_first_and_one_that_fills_up_is_cleared(
    root: Path, limits: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(unpacking, "FREE_GB", 10**9)
        (error,) = imported(hub(root), limits, unpack="yes").report.errors
        assert error.code == "packed-room" and "are free): free some space" in error.message
    real, calls = Path.write_bytes, []

    def full(path: Path, image: bytes) -> int:
        calls.append(path)
        if len(calls) == 9:
            raise OSError(28, "No space left on device")
        return real(path, image)

    monkeypatch.setattr(Path, "write_bytes", full)
    (error,) = imported(root, limits, unpack="yes").report.errors
    assert "(No space left on device): free some space" in error.message and not kept(limits)


def test_a_disk_that_does_not_say_its_size_is_no_disk_without_room(
    root: Path, limits: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = SimpleNamespace(f_frsize=4096, f_blocks=0, f_bfree=0, f_bavail=0)
    monkeypatch.setattr(os, "statvfs", lambda _home: unknown)
    assert imported(hub(root), limits, unpack="yes").table is not None


def test_an_import_that_is_refused_takes_nothing_from_another_of_the_same_images(limits: Settings) -> None:
    beside: list[str] = []

    def images() -> Iterator[bytes]:
        yield content(0)
        whole = Packed("whole.parquet", 1, 1, lambda: iter([content(0)]))
        beside.extend(unpacking.unpacked(whole, limits.home, allowed=True)[0])
        raise FormatRefusedError("damaged", "The second image cannot be read.")

    with pytest.raises(FormatRefusedError, match="second image"):
        unpacking.unpacked(Packed("broken.parquet", 2, 2, images), limits.home, allowed=True)
    assert kept(limits) == [Path(beside[0])] and kept(limits)[0].read_bytes() == content(0)


def test_an_import_that_is_interrupted_keeps_what_it_has_unpacked(limits: Settings) -> None:
    def images() -> Iterator[bytes]:
        yield content(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpacking.unpacked(Packed("long.parquet", 2, 2, images), limits.home, allowed=True)
    assert [path.read_bytes() for path in kept(limits)] == [content(0)]


def test_progress_is_told_while_images_are_unpacked(root: Path, limits: Settings) -> None:
    told: list[tuple[int, int, str]] = []
    options = {"unpack": "yes"}
    import_data(hub(root), settings=limits, options=options, progress=lambda *each: told.append(each))
    assert (32, 32, "Unpacking the images") in told


def test_a_value_of_the_option_that_is_neither_yes_nor_no_is_refused(root: Path, limits: Settings) -> None:
    (error,) = imported(hub(root), limits, unpack="maybe").report.errors
    assert not missing(error.message, "'maybe'")


def test_labels_that_unpack_to_gigabytes_are_refused_before_they_are_read(
    root: Path, limits: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000, pa.int32()), pa.array(["x" * 1_000_000]))
    file = pa.table({"image": [b"\xff\xd8"] * 3_000, "label": long})
    pq.write_table(file, root / "train.parquet", compression="zstd", store_schema=False)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *_, **__: pytest.fail("they were read"))
    (error,) = import_data(root, settings=limits).report.errors
    assert error.code == "size" and not missing(error.message, "train.parquet")


def test_parquet_with_paths_alone_is_still_a_table(root: Path, limits: Settings) -> None:
    for i in range(24):
        (root / f"{i}.jpg").write_bytes(content(i))
    write(root / "pets.parquet", pa.table({"path": [f"{i}.jpg" for i in range(24)], "label": ["a", "b"] * 12}))
    assert imported(root, limits).report.format == "csv"


# One image of one byte; its footer counts levels of definition that there are not. pyarrow 26 wrote it undamaged.
DAMAGED = (
    "UEFSMRUAFRYVFiwVAhUAFQYVBhw2ACgBeBgBeBERAAAAAgAAAAICAQAAAHgVBBk8NQAYBnNjaGVtYRUCADUCGAVpbWFnZRUCABUMJQAYBWJ5dGVzABYC"
    "GRwZHCYAHBUMGSUGABkoBWltYWdlBWJ5dGVzFQAWAhZQFlAmCDw2ACgBeBgBeBERABkcFQAVABUCADwWAhkGGTYAAAIAAAAWUBYCJggWUAAoIHBhcnF1"
    "ZXQtY3BwLWFycm93IHZlcnNpb24gMjYuMC4xGRwcAAAAowAAAFBBUjE="
)


def test_parquet_with_a_damaged_footer_is_a_sentence_and_does_not_end_the_process(root: Path) -> None:
    (root / "train.parquet").write_bytes(base64.b64decode(DAMAGED))
    code = (
        "import sys, pathlib\n"
        "from slim_core.data.importers.huggingface import Shard\n"
        "Shard(pathlib.Path(sys.argv[1]), 'train').n_bytes('image')"
    )
    command, roots = [sys.executable, "-c", code, str(root / "train.parquet")], {"SLIM_DATA_ROOTS": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | roots)
    assert done.returncode == 1 and "train.parquet cannot be read" in done.stderr


# As datasets itself writes them


@pytest.mark.parametrize("form", ["parquet", "image folder"])
def test_what_datasets_writes_is_read(root: Path, limits: Settings, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    for i in range(28):
        split = root / "files" / ("train" if i < 20 else "test")
        split.mkdir(parents=True, exist_ok=True)
        (split / f"{i:02d}.jpg").write_bytes(content(i))
        with (split / "metadata.jsonl").open("a") as file:
            file.write(json.dumps({"file_name": f"{i:02d}.jpg", "label": ("cat", "dog")[i % 2]}) + "\n")
    if form == "image folder":
        table = require(imported(root / "files", limits))
        assert (table.label_names, len(table.rows("test"))) == (("cat", "dog"), 8)
        return
    loaded = datasets.load_dataset("imagefolder", data_dir=str(root / "files"), cache_dir=str(root / "cache"))
    made = loaded.cast_column("label", datasets.ClassLabel(names=["cat", "dog"]))
    out = root / "out"
    for split, part in made.items():
        part.to_parquet(str(out / "data" / f"{split}-00000-of-00001.parquet"))
    table = require(imported(out, limits, unpack="yes"))
    assert (table.label_names, len(table), len(table.rows("test"))) == (("cat", "dog"), 28, 8)
    seeds = range(20, 28)
    assert [table.image_path(int(row)).read_bytes() for row in table.rows("test")] == [content(i) for i in seeds]
