"""What reading the files of a table finds: faults, doubles, what is left out; and how they are read."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from benchmarks.processes import command_of
from slim_core.data.checks import files
from slim_core.data.checks.files import BEGINNING, NOT_SQUARE, Prober, find_duplicates
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.settings import Settings
from tests.refusals import missing
from tests.slim_core.data.conftest import save_image
from tests.slim_core.data.faults import faults

N = 12


@pytest.fixture(autouse=True)
def unseen(monkeypatch):
    """Nothing has been seen of any file."""
    monkeypatch.setattr(files, "_kept", {})


def names_of(folder):
    return pd.read_csv(folder / "metadata.csv")["img_filename"].tolist()


def report_on(folder, limits, **how):
    return import_data(folder, settings=limits, **how).report


def one_error(folder, limits):
    report = report_on(folder, limits)
    assert [f.level for f in faults(report)] == ["error"]
    return report.errors[0]


def put_mask(folder, row, image):
    path = folder / "segmentations" / names_of(folder)[row].replace(".jpg", ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def huge_png():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 12_500, 8_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"")


def test_missing_images_are_counted_and_their_rows_named(waterbirds, limits):
    names = names_of(waterbirds)
    for row in (2, 9):
        (waterbirds / names[row]).unlink()
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows, error.count, error.lines) == ("missing-files", (2, 9), 2, (4, 11))
    assert not missing(error.message, 2, 24, "4, 11", names[2])


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (lambda _: b"", "broken-files", "JPEG"),
        (lambda _: b"<html>moved</html>", "broken-files", "web page"),
        (lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "broken-files", "Git LFS"),
        (lambda whole: whole[:-200], "broken-files", "cut short"),  # its header is whole
        (lambda _: huge_png(), "large-files", "12500 x 8000 = 100 million"),
    ],
    ids=["empty", "web page", "pointer", "cut short", "100 megapixels"],
)
def test_an_image_that_cannot_be_used_is_refused_by_name_and_row(waterbirds, limits, content, code, told):
    path = waterbirds / names_of(waterbirds)[4]
    put_mask(waterbirds, 4, Image.new("L", (40, 30), 255))  # of which nothing is said: its image is the fault
    path.write_bytes(content(path.read_bytes()))
    before = {p: p.stat().st_mtime_ns for p in waterbirds.rglob("*")}
    error = one_error(waterbirds, limits)
    assert (error.code, error.rows, error.lines) == (code, (4,), (6,))
    assert not missing(error.message, path, told)
    assert {p: p.stat().st_mtime_ns for p in waterbirds.rglob("*")} == before, "a refused import changes nothing"


def test_the_same_content_in_two_splits_is_a_warning_with_both_rows(waterbirds, limits):
    names = names_of(waterbirds)
    shutil.copyfile(waterbirds / names[0], waterbirds / names[16])  # train and test
    shutil.copyfile(waterbirds / names[1], waterbirds / names[2])  # both train: no leak
    (found,) = faults(report_on(waterbirds, limits))
    assert (found.code, found.level, found.rows) == ("duplicates", "warning", (0, 16))


def test_the_same_content_in_two_classes_is_a_warning_unless_one_of_them_is_left_out(waterbirds, limits):
    names = names_of(waterbirds)
    shutil.copyfile(waterbirds / names[0], waterbirds / names[4])  # both train
    (found,) = faults(report_on(waterbirds, limits))
    assert (found.code, found.level, found.rows) == ("two-classes", "warning", (0, 4))
    assert not missing(found.message, "'landbird'", "'waterbird'")
    save_image(waterbirds / names[4], 99)
    shutil.copyfile(waterbirds / names[0], waterbirds / names[20])  # train and test
    assert [f.code for f in faults(report_on(waterbirds, limits))] == ["duplicates", "two-classes"]
    left = import_data(waterbirds, leave_out=["duplicates"], settings=limits)
    assert [f.code for f in faults(left.report)] == ["left-out"] and len(require(left)) == 23


def test_masks_without_an_object_are_counted_and_kept(waterbirds, limits):
    """Black; black with the object in its transparency; one object, numbered 1 of 16 bits and of 8."""
    numbered = np.zeros((30, 40), np.uint8)
    numbered[5:9, 5:9] = 1
    black, inside = Image.new("L", (40, 30)), Image.fromarray(numbered * 255)
    masks = [black, Image.merge("LA", (black, inside)), Image.fromarray(numbered.astype(np.uint16))]
    for row, image in enumerate([*masks, Image.fromarray(numbered)]):
        put_mask(waterbirds, row, image)
    imported = import_data(waterbirds, settings=limits)
    (found,) = faults(imported.report)
    assert (found.code, found.level, found.rows) == ("empty-masks", "warning", (0, 1))
    assert require(imported).has_mask.tolist() == [True] * 4 + [False] * 20


def test_masks_that_cannot_be_used_are_left_out_and_counted(waterbirds, limits):
    for row, size in enumerate([(40, 30), (20, 15), (30, 40)]):  # whole, half the scale, another shape
        put_mask(waterbirds, row, Image.new("L", size, 255))
    put_mask(waterbirds, 3, Image.new("L", (40, 30))).write_bytes(b"no mask")
    imported = import_data(waterbirds, settings=limits)
    (found,) = faults(imported.report)
    assert (found.code, found.rows, found.lines) == ("masks", (2, 3), (4, 5))
    assert require(imported).has_mask.tolist() == [True, True] + [False] * 22


def grey(path, largest, dtype):
    """Write a grey ramp from 0 to its largest value."""
    Image.fromarray(np.linspace(0, largest, 48 * 64).reshape(48, 64).astype(dtype)).save(path, "PNG")


def turned(path, format, orientation):
    """Write an image of a format whose EXIF has it shown turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (8, 6), "white").save(path, format, exif=exif)


def test_long_turned_and_dark_images_are_warnings(waterbirds, limits):
    names = [waterbirds / name for name in names_of(waterbirds)]
    for row, size in enumerate([(90, 30), (60, 30), (30, 90)]):
        save_image(names[row], row, size)
    for row, format, orientation in ((3, "JPEG", 6), (7, "PNG", 8), (8, "JPEG", 1)):
        turned(names[row], format, orientation)
    for row, largest, dtype in (
        (9, 2**12, np.uint16),
        (10, 2**16 - 1, np.uint16),
        (11, 64, np.uint8),
        (12, 65, np.uint8),
    ):
        grey(names[row], largest, dtype)
    spot = np.zeros((100, 100), np.uint8)
    spot[50, 3] = 255  # which no sparse sample of its pixels meets
    Image.fromarray(spot).save(names[13], "PNG")
    report = report_on(waterbirds, limits)
    found = {one.code: one for one in faults(report)}
    assert found[NOT_SQUARE].count == 23
    assert report.ok and {code: one.rows[:6] for code, one in found.items()} == {
        "turned-images": (3, 7),
        NOT_SQUARE: (0, 2, 1, 3, 4, 9),  # one of each size, the longest first
        "dark-images": (9, 11),
    }
    (dark,) = [one for one in report.warnings if one.code == "dark-images"]
    assert not missing(dark.message, 64, "12 bits")


def test_of_headers_alone_nothing_is_called_dark_and_one_dark_scene_among_hundreds_is_none(
    waterbirds, limits, monkeypatch
):
    grey(waterbirds / names_of(waterbirds)[2], 9, np.uint8)
    turned(waterbirds / names_of(waterbirds)[3], "JPEG", 6)
    monkeypatch.setattr(files, "FEW_DARK", 0.05)
    assert [one.code for one in faults(report_on(waterbirds, limits))] == ["turned-images"]
    monkeypatch.setattr(files, "FULL_DECODE_LIMIT", 0)
    monkeypatch.setattr(files, "FEW_DARK", 0)
    assert [one.code for one in faults(report_on(waterbirds, limits))] == ["turned-images", "dark-images"], "kept"
    monkeypatch.setattr(files, "_kept", {})
    assert [one.code for one in faults(report_on(waterbirds, limits))] == ["turned-images"]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".webp"])
def test_images_of_several_frames_are_a_warning_and_of_one_are_none(data, limits, suffix):
    for number in range(24):
        path = data / "stacks" / ("cell", "dust")[number % 2] / f"{number}{suffix}"
        save_image(path.with_suffix(".png"), number)
        with Image.open(path.with_suffix(".png")) as image:
            frames = [image.rotate(90)] if number in (4, 8) else []
            image.save(path, save_all=True, append_images=frames)
        path.with_suffix(".png").unlink()
    (warning,) = [f for f in faults(report_on(data / "stacks", limits)) if f.level == "warning"]
    assert warning.code == "more-frames" and warning.paths == (f"cell/4{suffix}", f"cell/8{suffix}")


# How thoroughly


def test_small_sets_are_decoded_whole_and_of_large_ones_all_headers_are_read(waterbirds, limits, monkeypatch):
    assert files.decode_sample(20_000).tolist() == list(range(20_000))
    sample = files.decode_sample(50_000)
    assert len(sample) == 20_000 == len(set(sample.tolist())) and sample.max() < 50_000
    assert np.array_equal(sample, files.decode_sample(50_000))
    assert not missing(report_on(waterbirds, limits).checked, 24)
    monkeypatch.setattr(files, "decode_sample", lambda n: np.arange(min(n, 5)))
    assert not missing(report_on(waterbirds, limits).checked, 24, 5)
    (waterbirds / names_of(waterbirds)[23]).write_bytes(b"<html>")
    assert one_error(waterbirds, limits).rows == (23,)


def test_where_no_file_is_to_be_opened_none_is_and_the_report_says_so(waterbirds, limits, monkeypatch):
    (waterbirds / names_of(waterbirds)[4]).write_bytes(b"")
    monkeypatch.setattr(files, "probe_file", lambda *_: pytest.fail("a file was probed"))
    report = report_on(waterbirds, limits, files="none")
    assert report.ok and report.n_images == 24
    assert [one.message for one in report.findings if one.code == "unchecked-files"] == [report.checked]


def test_progress_reaches_the_number_of_images(waterbirds, limits):
    calls = []
    import_data(waterbirds, settings=limits, progress=lambda *call: calls.append(call[:2]))
    assert (24, 24) in calls


# Doubles


def written(folder: Path, contents: list[bytes]) -> tuple[list[str], list[int]]:
    """(paths, sizes)"""
    paths = [folder / str(i) for i in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return [str(path) for path in paths], [len(content) for content in contents]


def test_only_files_of_a_size_that_begin_alike_are_read_to_their_end(tmp_path, monkeypatch):
    start, whole = b"x" * BEGINNING, []
    contents = [start + b"aa", start + b"aa", start + b"bb", b"y" + start + b"a", b"ccc"]
    paths, sizes = written(tmp_path, contents)
    real = files._whole
    monkeypatch.setattr(files, "_whole", lambda path: whole.append(Path(path).name) or real(path))
    splits = np.array(["train", "test", "test", "train", "test"])
    assert find_duplicates(paths, sizes, splits) == [[0, 1]]
    assert sorted(whole) == ["0", "1", "2"]


def test_a_task_compares_many_files_and_all_are_told_of(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CHUNK", 20)
    paths, sizes = written(tmp_path, [b"%03d" % (i // 2) for i in range(90)])
    told: list[tuple[int, int, str]] = []
    found = find_duplicates(paths, sizes, np.array(["train", "val"] * 45), lambda *state: told.append(state))
    assert found == [[i, i + 1] for i in range(0, 90, 2)]
    assert [(done, n) for done, n, _ in told] == 2 * [(20, 90), (40, 90), (60, 90), (80, 90), (90, 90)]


# Left out


@pytest.fixture
def spoilt(waterbirds):
    """Rows 2 (train) missing, 9 (val) broken, 20 (test) the double of row 0 (train)."""
    names = names_of(waterbirds)
    (waterbirds / names[2]).unlink()
    (waterbirds / names[9]).write_bytes(b"<html>moved</html>")
    shutil.copyfile(waterbirds / names[0], waterbirds / names[20])
    return waterbirds, names


def test_missing_and_broken_images_are_left_out_and_named_by_their_lines(spoilt, limits):
    folder, names = spoilt
    frame = pd.read_csv(folder / "metadata.csv")
    frame.loc[15, "img_filename"] = names[14]
    frame.to_csv(folder / "metadata.csv", index=False)
    imported = import_data(folder, leave_out=["missing", "broken"], settings=limits)
    table, report = require(imported), imported.report
    assert len(table) == report.n_images == 22 and not {names[2], names[9]} & set(table.frame["path"])
    facts = {one.cause: (one.count, one.lines, one.paths) for one in report.left_out}
    assert facts == {"missing": (1, (4,), (names[2],)), "broken": (1, (11,), (names[9],))}
    assert [one.lines for one in report.findings if one.code == "left-out"] == [(4,), (11,)]
    assert json.loads(json.dumps(report.to_json()))["left_out"][0]["lines"] == [4]
    (repeated,) = (finding for finding in report.findings if finding.code == "repeated-paths")
    assert repeated.lines == (17,) and repeated.paths == (names[14],), "of the file, not of what is left"


def test_of_doubles_the_one_in_test_stays(spoilt, limits):
    folder, names = spoilt
    imported = import_data(folder, leave_out=["missing", "broken", "duplicates"], settings=limits)
    paths = set(require(imported).frame["path"])
    assert names[20] in paths and names[0] not in paths
    assert "duplicates" not in [finding.code for finding in imported.report.findings]


def test_what_was_not_asked_for_still_refuses(spoilt, limits):
    report = report_on(spoilt[0], limits, leave_out=["missing"])
    assert [(finding.code, finding.lines) for finding in report.errors] == [("broken-files", (11,))]


def test_a_class_or_all_images_that_are_left_out_as_a_whole_are_found(waterbirds, limits):
    frame = pd.read_csv(waterbirds / "metadata.csv")
    for name in frame[(frame["split"] == 1) & (frame["y"] == 1)]["img_filename"]:
        (waterbirds / name).unlink()
    assert [one.code for one in report_on(waterbirds, limits, leave_out=["missing"]).errors] == ["split-without-class"]
    for image in waterbirds.rglob("*.jpg"):
        image.unlink()
    report = report_on(waterbirds, limits, leave_out=["missing"])
    assert [one.code for one in report.errors] == ["no-images"] and not report.warnings


def test_a_cause_that_is_none_is_refused_with_those_that_are(waterbirds, limits):
    (error,) = report_on(waterbirds, limits, leave_out=["ugly"]).errors
    assert not missing(error.message, "'ugly'", "missing, broken, large, duplicates")


# Probes


@pytest.fixture
def paths(tmp_path) -> list[str]:
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(N):
        Image.fromarray(np.full((8, 6, 3), i, np.uint8)).save(folder / f"{i}.png")
    (folder / "3.png").write_bytes(b"<html>")
    (folder / "5.png").unlink()
    return [str(folder / f"{i}.png") for i in range(N)]


@pytest.fixture
def prober(tmp_path, monkeypatch) -> Prober:
    """A dozen files are many."""
    monkeypatch.setattr(files, "MANY", 10)
    monkeypatch.setattr(files, "CHUNK", 4)
    return Prober(Settings(home=tmp_path / "home", data_roots=(tmp_path,)))


def watched(monkeypatch) -> list[str]:
    """The files that are probed from here on, by this process."""
    seen: list[str] = []
    real = files.probe_file
    monkeypatch.setattr(files, "probe_file", lambda path, *rest: seen.append(path) or real(path, *rest))
    monkeypatch.setattr(files, "MANY", 1_000)
    return seen


def test_processes_see_what_threads_see_and_leave_soon_after_a_check(prober, paths, monkeypatch):
    """A process that joins all that it has started, would wait for them at its end."""
    full, before = np.ones(N, bool), set(psutil.Process().children(recursive=True))
    by_processes = prober.probe(paths, full, "Checking")
    _, left = psutil.wait_procs(set(psutil.Process().children(recursive=True)) - before, timeout=30)
    assert not [process for process in left if "popen_loky" in command_of(process)]
    monkeypatch.setattr(files, "MANY", 1_000)
    monkeypatch.setattr(files, "_kept", {})
    assert prober.probe(paths, full, "Checking") == by_processes
    assert [one.fault for one in by_processes if one.fault] == ["broken-files", "missing-files"]
    assert (by_processes[0].width, by_processes[0].height) == (6, 8)


def test_a_second_check_reads_only_what_has_changed_or_could_not_be_kept(prober, paths, monkeypatch):
    seen, full = watched(monkeypatch), np.ones(N, bool)
    Path(paths[5]).symlink_to(paths[4])
    headers = prober.probe(paths, np.zeros(N, bool), "Checking")
    first = prober.probe(paths, full, "Checking")
    assert sorted(seen) == sorted(2 * paths) and headers[0] != first[0], "all pixels are asked for"
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(paths[7])
    os.utime(paths[7], ns=(1, 1))
    seen.clear()
    second = prober.probe(paths, full, "Checking")
    assert sorted(seen) == [paths[3], paths[5], paths[7]], "the broken one, the link and the changed one"
    assert second[7].width == 20 and second[:7] == first[:7] and second[8:] == first[8:]


def test_a_file_that_the_system_refused_is_read_again(prober, paths, monkeypatch):
    """Neither its size nor its time changes when the right to read it is given, or its disk comes back."""
    watched(monkeypatch)
    opened = os.open

    def refused(path: str, *rest: int) -> int:
        if path == paths[7]:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return opened(path, *rest)

    with monkeypatch.context() as refusing:
        refusing.setattr(os, "open", refused)
        first = prober.probe(paths, np.ones(N, bool), "Checking")[7]
    assert first.fault == "broken-files" and not missing(first.detail, paths[7], "Permission denied")
    assert prober.probe(paths, np.ones(N, bool), "Checking")[7].fault == ""


def test_a_check_that_was_interrupted_resumes_where_it_was(prober, paths, monkeypatch):
    seen, told, full = watched(monkeypatch), [], np.ones(N, bool)

    def interrupt(done: int, _total: int, _what: str) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Prober(prober.settings, interrupt).probe(paths, full, "Checking")
    seen.clear()
    Prober(prober.settings, lambda done, *_: told.append(done)).probe(paths, full, "Checking")
    assert not set(seen) & {*paths[:3], paths[4], paths[6]} and told[-1] == N


def test_no_more_probes_are_kept_than_memory_is_meant_for(prober, paths, monkeypatch):
    monkeypatch.setattr(files, "MOST_KEPT", 4)
    prober.probe(paths, np.ones(N, bool), "Checking")
    assert len(files._kept) <= 4
