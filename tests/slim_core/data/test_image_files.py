"""What reading the files of a table finds: faults, doubles, what is left out."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slim_core.data.checks import files
from slim_core.data.checks import files as duplicates
from slim_core.data.checks.files import BEGINNING, find_duplicates
from slim_core.data.importing import import_data
from slim_core.data.report import require
from tests.slim_core.data.conftest import save_image
from tests.slim_core.data.faults import faults


def names_of(folder):
    return pd.read_csv(folder / "metadata.csv")["img_filename"].tolist()


def one_error(folder, limits):
    report = import_data(folder, settings=limits).report
    assert [f.level for f in faults(report)] == ["error"]
    return report.errors[0]


def test_missing_images_are_counted_and_their_rows_named(waterbirds, limits):
    for row in (2, 9):
        (waterbirds / names_of(waterbirds)[row]).unlink()
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows, error.count) == ("missing-files", (2, 9), 2)
    assert "2 of 24 images are missing (lines 4, 11)" in error.message
    assert names_of(waterbirds)[2] in error.message


@pytest.mark.parametrize(
    ("content", "remedy"),
    [(b"", "replace the file"), (b"<html>moved</html>", "page and not an image")],
)
def test_a_broken_image_is_refused_by_name_and_row(waterbirds, limits, content, remedy):
    mask = waterbirds / "segmentations" / names_of(waterbirds)[4].replace(".jpg", ".png")
    mask.parent.mkdir(parents=True)
    Image.new("L", (40, 30), 255).save(mask)  # of which nothing is said: its image is the fault
    (waterbirds / names_of(waterbirds)[4]).write_bytes(content)
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows) == ("broken-files", (4,))
    assert error.message.startswith("1 of 24 images is broken or cut short (line 6); the first: ")
    assert names_of(waterbirds)[4] in error.message and remedy in error.message


def test_a_truncated_image_is_found_though_its_header_is_whole(waterbirds, limits):
    path = waterbirds / names_of(waterbirds)[4]
    path.write_bytes(path.read_bytes()[:-200])
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows) == ("broken-files", (4,))
    assert "cut short" in error.message


def test_an_image_of_100_megapixels_is_refused_by_its_header(waterbirds, limits):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 12_500, 8_000, 8, 2, 0, 0, 0))
    (waterbirds / names_of(waterbirds)[4]).write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows) == ("large-files", (4,))
    assert "12500 x 8000 = 100 million pixels, more" in error.message


def test_a_refused_import_changes_nothing(waterbirds, limits, tmp_path):
    (waterbirds / names_of(waterbirds)[4]).write_bytes(b"")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    assert import_data(waterbirds, settings=limits).table is None
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_the_same_content_in_two_splits_is_a_warning_with_both_rows(waterbirds, limits):
    names = names_of(waterbirds)
    shutil.copyfile(waterbirds / names[0], waterbirds / names[16])  # train and test
    shutil.copyfile(waterbirds / names[1], waterbirds / names[2])  # both train: no leak
    report = import_data(waterbirds, settings=limits).report
    assert report.ok and [f.code for f in faults(report)] == ["duplicates"]
    assert faults(report)[0].rows == (0, 16)
    assert "in another split (lines 2, 18" in faults(report)[0].message


def test_the_same_content_in_two_classes_is_a_warning_that_names_both(waterbirds, limits):
    names = names_of(waterbirds)
    shutil.copyfile(waterbirds / names[0], waterbirds / names[4])  # both train
    report = import_data(waterbirds, settings=limits).report
    assert report.ok and [f.code for f in faults(report)] == ["two-classes"]
    assert faults(report)[0].message.startswith(
        "2 images have a duplicate in another class (lines 2, 6; lines 2, 6 are 'landbird' and 'waterbird')"
    )


def test_doubles_of_two_classes_that_are_left_out_are_not_told_of(waterbirds, limits):
    names = names_of(waterbirds)
    shutil.copyfile(waterbirds / names[0], waterbirds / names[20])  # train and test
    assert [f.code for f in faults(import_data(waterbirds, settings=limits).report)] == ["duplicates", "two-classes"]
    left = import_data(waterbirds, leave_out=["duplicates"], settings=limits)
    assert [f.code for f in faults(left.report)] == ["left-out"] and len(require(left)) == 23


def test_masks_without_an_object_are_counted_and_kept(waterbirds, limits):
    """Black; black with the object in its transparency; one object, numbered 1 of 16 bits and of 8."""
    names, numbered = names_of(waterbirds), np.zeros((30, 40), np.uint8)
    numbered[5:9, 5:9] = 1
    black, inside = Image.new("L", (40, 30)), Image.fromarray(numbered * 255)
    masks = [black, Image.merge("LA", (black, inside)), Image.fromarray(numbered.astype(np.uint16))]
    for row, image in enumerate([*masks, Image.fromarray(numbered)]):
        mask = waterbirds / "segmentations" / names[row].replace(".jpg", ".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        image.save(mask)
    imported = import_data(waterbirds, settings=limits)
    (found,) = faults(imported.report)
    assert (found.code, found.level, found.rows) == ("empty-masks", "warning", (0, 1))
    assert found.message.startswith("2 of 4 decoded masks are black all over (lines 2, 3): all attention counts as ")
    assert require(imported).has_mask.tolist() == [True] * 4 + [False] * 20


def test_long_images_are_counted_and_so_are_objects_outside_what_a_network_sees(waterbirds, limits):
    """The object at the left end of a strip, in the middle of two, and at the end of an image twice as long as wide."""
    names = names_of(waterbirds)
    for row, (size, left) in enumerate([((90, 30), 0), ((90, 30), 40), ((60, 30), 0), ((90, 30), 35)]):
        save_image(waterbirds / names[row], row, size)
        mask = Image.new("L", size)
        mask.paste(255, (left, 5, left + 16, 25))
        path = waterbirds / "segmentations" / names[row].replace(".jpg", ".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)
    (found,) = faults(import_data(waterbirds, settings=limits).report)
    assert (found.code, found.level, found.rows) == ("long-images", "warning", (0, 1, 3))
    assert found.message.startswith(
        "3 of 24 images are more than twice as long as wide (lines 2, 3, 5): models see the"
    )
    assert "and boxes, 1 is outside the square" in found.message


def test_masks_that_cannot_be_used_are_left_out_and_counted(waterbirds, limits):
    names = names_of(waterbirds)
    for row, size in enumerate([(40, 30), (20, 15), (30, 40)]):  # whole, half the scale, another shape
        mask = waterbirds / "segmentations" / names[row].replace(".jpg", ".png")
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, 255).save(mask)
    mask.parent.joinpath(names[3].split("/")[1].replace(".jpg", ".png")).write_bytes(b"no mask")
    imported = import_data(waterbirds, settings=limits)
    assert [f.code for f in faults(imported.report)] == ["masks"]
    assert faults(imported.report)[0].rows == (2, 3)
    assert "are left out (lines 4, 5)" in faults(imported.report)[0].message
    assert require(imported).has_mask.tolist() == [True, True] + [False] * 22


def test_small_sets_are_decoded_whole_and_large_ones_by_a_seeded_sample():
    assert files.decode_sample(20_000).tolist() == list(range(20_000))
    sample = files.decode_sample(50_000)
    assert len(sample) == 20_000 == len(set(sample.tolist())) and sample.max() < 50_000
    assert np.array_equal(sample, files.decode_sample(50_000))


def test_the_report_says_how_thoroughly_the_files_were_read(waterbirds, limits, monkeypatch):
    assert import_data(waterbirds, settings=limits).report.checked == "All 24 images were decoded."
    monkeypatch.setattr(files, "decode_sample", lambda n: np.arange(min(n, 5)))
    report = import_data(waterbirds, settings=limits).report
    assert report.checked == "The headers of all 24 images were read; 5 sampled with seed 0 were decoded."


def test_where_no_file_is_to_be_opened_a_broken_image_is_not_found_and_the_report_says_why(waterbirds, limits):
    (waterbirds / names_of(waterbirds)[4]).write_bytes(b"")
    report = import_data(waterbirds, settings=limits, files="none").report
    assert report.ok and report.checked == "No image was opened: a missing or broken one ends a run, with its path."
    assert [one.message for one in report.findings if one.code == "unchecked-files"] == [report.checked]


def test_outside_the_sample_a_broken_header_is_still_found(waterbirds, limits, monkeypatch):
    monkeypatch.setattr(files, "decode_sample", lambda n: np.arange(min(n, 5)))
    (waterbirds / names_of(waterbirds)[23]).write_bytes(b"<html>")
    assert one_error(waterbirds, limits).rows == (23,)


def test_progress_reaches_the_number_of_images(waterbirds, limits):
    calls = []
    import_data(waterbirds, settings=limits, progress=lambda *call: calls.append(call))
    assert (24, 24, "Checking the images") in calls


def turned(path, format, orientation=6):
    """Write an image of a format whose EXIF has it shown turned by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (8, 6)).save(path, format, exif=exif)


@pytest.mark.parametrize("thoroughness", ["sample", "all"])
def test_images_that_other_programs_show_turned_are_a_warning(waterbirds, limits, monkeypatch, thoroughness):
    monkeypatch.setattr(files, "FULL_DECODE_LIMIT", 0)
    names = names_of(waterbirds)
    turned(waterbirds / names[3], "JPEG")
    turned(waterbirds / names[7], "PNG", 8)
    turned(waterbirds / names[8], "JPEG", 1)
    report = import_data(waterbirds, settings=limits, files=thoroughness).report
    (warning,) = [one for one in report.warnings if one.code == "turned-images"]
    assert report.ok and warning.rows == (3, 7)
    assert warning.message.startswith("2 images have an EXIF orientation (lines 5, 9), which SLIM ignores")
    assert "exiftran -ai" in warning.message


def grey(path, largest, dtype):
    """Write a grey ramp from 0 to its largest value."""
    Image.fromarray(np.linspace(0, largest, 48 * 64).reshape(48, 64).astype(dtype)).save(path, "PNG")


def test_images_that_are_read_as_nearly_black_are_a_warning(waterbirds, limits):
    names = names_of(waterbirds)
    for row, bits in ((2, 12), (5, 14), (6, 16)):
        grey(waterbirds / names[row], 2**bits - 1, np.uint16)
    for row, largest in ((9, 64), (10, 65)):
        grey(waterbirds / names[row], largest, np.uint8)
    spot = np.zeros((100, 100), np.uint8)
    spot[50, 3] = 255  # which no sparse sample of its pixels meets
    Image.fromarray(spot).save(waterbirds / names[12], "PNG")
    report = import_data(waterbirds, settings=limits).report
    (warning,) = [one for one in report.warnings if one.code == "dark-images"]
    assert report.ok and warning.rows == (2, 5, 9)
    assert warning.message.startswith(
        "3 of 24 decoded images are nearly black (lines 4, 7, 11): no value is above 64 of 255."
    )
    assert "12 bits: times" in warning.message


def test_a_dark_scene_among_hundreds_is_a_note(waterbirds, limits, monkeypatch):
    monkeypatch.setattr(files, "FEW_DARK", 0.05)
    grey(waterbirds / names_of(waterbirds)[2], 40, np.uint8)
    report = import_data(waterbirds, settings=limits).report
    (note,) = [one for one in report.findings if one.code == "dark-images"]
    assert note.level == "note" and note.rows == (2,)
    assert note.message == (
        "1 of 24 decoded images is nearly black (line 4): no value is above 40 of 255. "
        "Take such images out if they show nothing."
    )


def test_an_image_whose_header_alone_is_read_is_not_called_dark(waterbirds, limits, monkeypatch):
    monkeypatch.setattr(files, "decode_sample", lambda _: np.arange(0))
    grey(waterbirds / names_of(waterbirds)[2], 9, np.uint8)
    assert "dark-images" not in [one.code for one in import_data(waterbirds, settings=limits).report.findings]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp"])
def test_images_of_several_frames_are_a_warning_and_of_one_are_none(data, limits, suffix):
    for number in range(24):
        path = data / "stacks" / ("cell", "dust")[number % 2] / f"{number}{suffix}"
        save_image(path.with_suffix(".png"), number)
        with Image.open(path.with_suffix(".png")) as image:
            frames = [image.rotate(90)] if number in (4, 8) else []
            image.save(path, save_all=True, append_images=frames)
        path.with_suffix(".png").unlink()
    (warning,) = [f for f in faults(import_data(data / "stacks", settings=limits).report) if f.level == "warning"]
    assert warning.code == "more-frames" and warning.paths == (f"cell/4{suffix}", f"cell/8{suffix}")
    assert "2 of 24 GIF, TIFF and" in warning.message


def written(folder: Path, contents: list[bytes]) -> tuple[list[str], list[int]]:
    """(paths, sizes)"""
    paths = [folder / str(i) for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths], [len(content) for content in contents]


def read(monkeypatch, how: str) -> list[str]:
    """The names of the files that are read in this way, as they come."""
    names: list[str] = []
    digest = getattr(duplicates, how)
    monkeypatch.setattr(duplicates, how, lambda path: names.append(Path(path).name) or digest(path))
    return names


def test_only_files_whose_size_occurs_in_two_splits_are_read(tmp_path, monkeypatch):
    paths, sizes = written(tmp_path, [b"aa", b"aa", b"bb", b"ccc", b"dddd"])
    begun, whole = read(monkeypatch, "_beginning"), read(monkeypatch, "_whole")
    splits = np.array(["train", "test", "test", "train", "test"])
    assert find_duplicates(paths, sizes, splits) == [[0, 1]]
    assert (sorted(begun), whole) == (["0", "1", "2"], [])


def test_large_files_are_read_to_their_end_only_where_they_begin_alike(tmp_path, monkeypatch):
    start = b"x" * BEGINNING
    paths, sizes = written(tmp_path, [start + b"aa", start + b"aa", start + b"bb", b"y" + start + b"a"])
    whole = read(monkeypatch, "_whole")
    assert find_duplicates(paths, sizes, np.array(["train", "test", "test", "train"])) == [[0, 1]]
    assert sorted(whole) == ["0", "1", "2"], "of one size are all four"


def test_a_task_compares_many_files_and_all_are_told_of(tmp_path, monkeypatch):
    """202,599 tasks, one for each file of CelebA, took more memory than the table of the import."""
    monkeypatch.setattr(duplicates, "CHUNK", 20)
    paths, sizes = written(tmp_path, [b"%03d" % (i // 2) for i in range(90)])
    tasks: list[object] = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *args, **options):
            tasks.append(args)
            return super().submit(*args, **options)

    monkeypatch.setattr(duplicates, "ThreadPoolExecutor", Pool)
    told: list[tuple[int, int, str]] = []
    found = find_duplicates(paths, sizes, np.array(["train", "val"] * 45), lambda *state: told.append(state))
    assert found == [[i, i + 1] for i in range(0, 90, 2)]
    assert len(tasks) == 5
    assert [(done, n) for done, n, _ in told] == [(20, 90), (40, 90), (60, 90), (80, 90), (90, 90)]


@pytest.fixture
def spoilt(waterbirds):
    """Rows 2 (train) missing, 9 (val) broken, 20 (test) the double of row 0 (train)."""
    names = pd.read_csv(waterbirds / "metadata.csv")["img_filename"].tolist()
    (waterbirds / names[2]).unlink()
    (waterbirds / names[9]).write_bytes(b"<html>moved</html>")
    shutil.copyfile(waterbirds / names[0], waterbirds / names[20])
    return waterbirds, names


def test_missing_and_broken_images_are_left_out_and_named_by_their_lines(spoilt, limits):
    folder, names = spoilt
    imported = import_data(folder, leave_out=["missing", "broken"], settings=limits)
    table = require(imported)
    assert len(table) == imported.report.n_images == 22
    assert not {names[2], names[9]} & set(table.frame["path"])
    facts = {one.cause: (one.count, one.lines, one.paths) for one in imported.report.left_out}
    assert facts == {"missing": (1, (4,), (names[2],)), "broken": (1, (11,), (names[9],))}
    messages = [finding.message for finding in imported.report.findings if finding.code == "left-out"]
    assert messages == [
        "1 image is left out: missing (line 4).",
        "1 image is left out: broken (line 11).",
    ]
    assert json.loads(json.dumps(imported.report.to_json()))["left_out"][0]["lines"] == [4]


def test_of_doubles_the_one_in_test_stays(spoilt, limits):
    folder, names = spoilt
    imported = import_data(folder, leave_out=["missing", "broken", "duplicates"], settings=limits)
    paths = set(require(imported).frame["path"])
    assert names[20] in paths and names[0] not in paths
    assert "duplicates" not in [finding.code for finding in imported.report.findings]


def test_what_was_not_asked_for_still_refuses(spoilt, limits):
    folder, _ = spoilt
    report = import_data(folder, leave_out=["missing"], settings=limits).report
    assert [(finding.code, finding.lines) for finding in report.errors] == [("broken-files", (11,))]


def test_a_class_that_is_left_out_as_a_whole_is_found(waterbirds, limits):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    for name in frame[(frame["split"] == 1) & (frame["y"] == 1)]["img_filename"]:
        (waterbirds / name).unlink()
    report = import_data(waterbirds, leave_out=["missing"], settings=limits).report
    assert [finding.code for finding in report.errors] == ["split-without-class"]


def test_after_leaving_out_the_lines_of_other_findings_are_still_those_of_the_file(spoilt, limits):
    folder, names = spoilt
    frame = pd.read_csv(folder / "metadata.csv")
    frame.loc[15, "img_filename"] = names[14]
    frame.to_csv(folder / "metadata.csv", index=False)
    report = import_data(folder, leave_out=["missing", "broken"], settings=limits).report
    (repeated,) = (finding for finding in report.findings if finding.code == "repeated-paths")
    assert "(line 17)" in repeated.message and repeated.lines == (17,) and repeated.paths == (names[14],)


def test_a_cause_that_is_none_is_refused_with_those_that_are(waterbirds, limits):
    (error,) = import_data(waterbirds, leave_out=["ugly"], settings=limits).report.errors
    assert error.message == (
        "Images cannot be left out for 'ugly': use one or more of missing, broken, large, duplicates."
    )


def test_no_image_is_opened_where_that_is_asked_for(spoilt, limits, monkeypatch):
    folder, _ = spoilt
    monkeypatch.setattr("slim_core.data.checks.files.probe_file", lambda *_: pytest.fail("a file was probed"))
    report = import_data(folder, files="none", settings=limits).report
    assert report.ok and report.n_images == 24
    assert report.checked == "No image was opened: a missing or broken one ends a run, with its path."


def test_where_no_image_is_left_that_alone_is_said(waterbirds, limits):
    for image in waterbirds.rglob("*.jpg"):
        image.unlink()
    imported = import_data(waterbirds, leave_out=["missing"], settings=limits)
    (error,) = imported.report.errors
    assert error.code == "no-images" and "image left: put" in error.message
    assert not imported.report.warnings
