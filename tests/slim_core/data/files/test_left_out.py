"""Images that are left out on request: named by line and path, and only for the causes that were asked for."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from slim_core.data.importing import import_data
from slim_core.data.report import require


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
    monkeypatch.setattr("slim_core.data.files.probe.probe_file", lambda *_: pytest.fail("a file was probed"))
    report = import_data(folder, files="none", settings=limits).report
    assert report.ok and report.n_images == 24
    assert report.checked == "No image was opened: a missing or broken one ends a run, with its path."


def test_where_no_image_is_left_that_alone_is_said(waterbirds, limits):
    for image in waterbirds.rglob("*.jpg"):
        image.unlink()
    imported = import_data(waterbirds, leave_out=["missing"], settings=limits)
    (error,) = imported.report.errors
    assert error.code == "no-images" and "has no image left: put the files where it names them" in error.message
    assert not imported.report.warnings
