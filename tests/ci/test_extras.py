"""What .ci/extras.py installs is what the extras of pyproject.toml are, and it comes before what is there already."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import extras  # of .ci, by the pythonpath of pyproject.toml
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.ci.test_newest import newest

PROJECT = tomllib.loads((extras.ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("name", ["onnx", "s3"])
def test_the_packages_of_an_extra_are_tested_in_a_version_that_it_allows(name: str) -> None:
    tested = newest.pinned(extras.PACKAGES.read_text())
    for each in map(Requirement, PROJECT["optional-dependencies"][name]):
        assert each.specifier.contains(tested[canonicalize_name(each.name)]), each


def test_the_tests_that_it_runs_are_there() -> None:
    assert all((extras.ROOT / one).exists() for one in extras.TESTS)


@pytest.mark.slow
def test_its_environment_sees_the_packages_of_the_other_one_behind_its_own(tmp_path: Path) -> None:
    python = extras.beside(Path(sys.prefix), tmp_path / "venv")
    places = "import numpy, pip; print(numpy.__file__); print(pip.__file__)"
    found = subprocess.run([python, "-c", places], check=True, capture_output=True, text=True).stdout.split()
    assert Path(found[0]).is_relative_to(sys.prefix) and Path(found[1]).is_relative_to(tmp_path)
