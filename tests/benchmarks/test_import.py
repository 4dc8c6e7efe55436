"""What the import is measured on has the real shape."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.import_ import _taken, measure_file_check, registered, write_celeba, write_classes
from slim_core.data.importing import import_data
from slim_core.data.report import require
from slim_core.settings import Settings


def test_the_metadata_is_read_as_celeba_with_its_groups(tmp_path: Path) -> None:
    write_celeba(tmp_path / "celeba", share=0.01)
    report = import_data(tmp_path / "celeba", files="none", settings=Settings(data_roots=(tmp_path,))).report
    assert report.format == "celeba" and report.ok
    counts = [group["n"] for group in report.groups if group["split"] == "train"]
    assert counts == [716, 669, 229, 14]


def test_class_folders_are_read_as_an_image_folder(tmp_path: Path) -> None:
    write_classes(tmp_path / "classes", 1_200)
    found = registered(tmp_path / "classes")
    assert (found["images"], found["format"]) == (1_200, "image-folder")
    table = require(import_data(tmp_path / "classes", files="none", settings=Settings(data_roots=(tmp_path,))))
    assert table.n_classes == 100


@pytest.mark.slow
def test_the_check_is_measured_against_pillow_on_the_same_files(tmp_path: Path) -> None:
    found = measure_file_check(tmp_path / "jpegs", 60, repeats=1)
    assert found["images"] == 60 and float(str(found["share_of_pillow"])) > 0


@pytest.mark.slow
def test_computing_counts_of_processes_that_have_ended_too() -> None:
    computing = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"]
    _, of_two = _taken(lambda: [subprocess.run(computing, check=True) for _ in range(2)])
    assert of_two >= 0.9  # the clock of a process counts in hundredths
    with subprocess.Popen(computing) as begun_before:
        _, cpu_s = _taken(begun_before.wait)
    assert 0 <= cpu_s < of_two
