"""The folder of an installation is its owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from slim_core.errors import PathRefusedError
from slim_core.settings import Settings
from slim_core.store import Store
from slim_core.store.home import require_outside
from tests.refusals import refusal


def modes(home: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in (home, *home.iterdir())}


def opened(home: Path) -> dict[str, int]:
    Store.open(Settings(home=home, database_url=None, artifacts_url=None)).close()
    return modes(home)


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_home_and_its_database_are_read_by_their_owner_alone(tmp_path: Path):
    files = dict.fromkeys(("slim.db", "slim.db.migrate"), 0o600)
    assert opened(tmp_path / "home") == {"home": 0o700} | files


def test_a_home_that_others_could_read_is_closed_to_others_when_it_is_opened(tmp_path: Path):
    home = tmp_path / "home"
    opened(home)
    for name in ("runs", "datasets"):
        (home / name).mkdir()
    (home / "workers.log").touch()
    (home / "slim.db").chmod(0o644)
    (home / "mine.txt").touch()  # not ours: behind the home's own mode
    home.chmod(0o755)
    closed = {"home": 0o700, "slim.db": 0o600, "runs": 0o700, "datasets": 0o700, "workers.log": 0o600}
    assert opened(home) == closed | {"slim.db.migrate": 0o600} | {"mine.txt": 0o644}


def test_a_home_that_its_group_may_write_stays_the_groups(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o775)
    assert opened(home)["home"] == 0o770


def test_a_folder_like_tmp_and_what_a_link_leads_to_are_left_as_they_are(tmp_path: Path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    (home / "runs").symlink_to(elsewhere)
    opened(home)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    home.chmod(0o1777)
    assert opened(home)["home"] == 0o1777


def test_of_the_home_only_the_folders_of_images_are_data(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "data"
    (home / "runs" / "r-1").mkdir(parents=True)
    folder.mkdir()
    for name in ("uploads", "demo-data", "imported"):
        (home / name / "set").mkdir(parents=True)
        require_outside(home, home / name / "set", [str(home / name / "set" / "1.png")])
    require_outside(home, folder, [str(folder / "1.png")])
    (folder / "way").symlink_to(home / "runs")
    for asked in (home, home / "runs", home / "slim.db", home / "uploads" / ".." / "runs", folder / "way" / "r-1"):
        with refusal(PathRefusedError, asked):
            require_outside(home, asked)
    for file in (home / "runs" / "r-1" / "1.png", folder / "way" / "r-1" / "metrics.json"):
        with refusal(PathRefusedError, folder):
            require_outside(home, folder, [str(file)])
