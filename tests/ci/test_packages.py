"""The versions that were tested, and the licences that may come in."""

from __future__ import annotations

import os
import subprocess
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import packages  # of .ci, by the pythonpath of pyproject.toml
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def package(**about: str) -> SimpleNamespace:
    """A distribution that states this of itself."""
    message = EmailMessage()
    for name, value in about.items():
        message[name.replace("_", "-")] = value
    return SimpleNamespace(metadata=message, version="1.0")


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_every_package_of_the_ranges_has_a_tested_version_inside_its_range_but_torch() -> None:
    versions = pinned()
    for asked in packages._required(ROOT / "requirements.txt"):
        name = canonicalize_name(asked.name)
        if name in ("torch", "torchvision"):
            assert name not in versions
        else:
            assert asked.specifier.contains(versions[name], prereleases=True), f"{asked} and {versions[name]}"


def test_install_takes_the_tested_versions_and_the_newest_on_request() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installing = [
        line for line in makefile.splitlines() if line.strip().startswith("$(PIP)") and "--no-deps" not in line
    ]
    assert len(installing) == 3 and all(line.endswith("-c $(CONSTRAINTS)") for line in installing)
    assert "CONSTRAINTS ?= constraints.txt" in makefile
    assert "-c constraints.txt" in (ROOT / "Dockerfile").read_text()


@pytest.mark.slow
def test_other_versions_are_installed_though_an_environment_is_there(tmp_path: Path) -> None:
    """What make would do: the list of versions is newer than the stamp of the environment."""
    newest = max((ROOT / name).stat().st_mtime for name in ("requirements.txt", "constraints.txt", "pyproject.toml"))
    for at, name in enumerate((".base", ".installed", "oldest.txt"), 1):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (newest + at, newest + at))

    def would_do(*given: str) -> str:
        command = ["make", "--dry-run", "install", f"VENV={tmp_path}", *given]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "Nothing to be done" in would_do() and "Nothing to be done" in would_do("CONSTRAINTS=/dev/null")
    oldest = tmp_path / "oldest.txt"
    assert f"-r requirements.txt -c {oldest}" in would_do(f"CONSTRAINTS={oldest}")


def test_the_oldest_releases_are_those_that_the_ranges_begin_with() -> None:
    oldest = [Requirement(line) for line in packages.oldest()]
    asked = {canonicalize_name(one.name): one for one in packages._required(ROOT / "requirements.txt")}
    assert [canonicalize_name(one.name) for one in oldest] == list(asked)
    for one in oldest:
        (version,) = (part.version for part in one.specifier)
        (first,) = (part.version for part in asked[canonicalize_name(one.name)].specifier if part.operator == ">=")
        assert version.removesuffix(".*") == first


def test_what_is_installed_here_is_listed_and_decided_on() -> None:
    tested = (ROOT / "constraints.txt").read_text().splitlines()
    if not os.environ.get("CI") and list(packages.constraints()) != tested:
        pytest.skip("other versions than those of constraints.txt are installed")
    assert packages.refusals(packages.packages(), packages.LICENCES.read_text()) == []


@pytest.mark.parametrize(
    "about",
    [
        {"License_Expression": "GPL-3.0-or-later"},
        {"License": "GNU AGPL v3"},
        {"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"},
        {"License_Expression": "MIT AND LGPL-2.1-only"},
        {},
    ],
)
def test_copyleft_and_silence_are_refused(about: dict[str, str]) -> None:
    (refusal,) = packages.refusals({"newcomer": package(**about)}, "")
    assert refusal.startswith("newcomer is under ") and "decide on it in .ci/packages.py" in refusal


@pytest.mark.parametrize(
    "about", [{"License_Expression": "MIT OR GPL-2.0-only"}, {"License": "BSD"}, {"License_Expression": "Apache-2.0"}]
)
def test_permissive_licences_only_have_to_be_listed(about: dict[str, str]) -> None:
    found = {"newcomer": package(**about)}
    licence = packages.licence_of(found["newcomer"])
    assert packages.refusals(found, "") == [f"newcomer is not in docs/licences.md as {licence}: make licences."]
    assert packages.refusals(found, f"| newcomer | {licence} |  |") == []


def test_requirements_of_other_platforms_are_left_out() -> None:
    assert not packages._applies(Requirement("x; sys_platform == 'nowhere'"), set())
    assert packages._applies(Requirement("x; extra == 'auth'"), {"auth"})
