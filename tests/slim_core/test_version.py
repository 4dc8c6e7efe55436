"""Whose runs a worker may take."""

from __future__ import annotations

import os

import pytest

from slim_core import version
from slim_core.store.schema import HEAD
from slim_core.version import code_version, differs, may_take, outdated, release, source_stamp


def test_the_version_is_the_release_and_the_commit():
    assert release().endswith(f"/{HEAD}") and release().partition("/")[0] == version.package_version("slim-studio")
    assert code_version().partition(" ")[0] == release() and len(code_version()) <= 80


@pytest.mark.parametrize(
    ("worker", "submitter", "takes"),
    [
        ("0.1.0/0002 abc", "0.1.0/0002 abc", True),
        ("0.1.0/0002 abc", "0.1.0/0002 def+", True),  # commits are only shown
        ("0.1.0/0002", "0.1.0/0003", False),
        ("0.1.0/0003", "0.1.0/0002", True),
        ("0.9.0/0002", "0.10.0/0002", False),
        ("1.0.0/0002", "0.10.0/0002", True),
        ("0.1.0/0002", None, True),
        ("0.1.0/0002", "5fe4c13+", True),  # from before there were releases in it
        ("", "0.1.0/0002", False),
    ],
)
def test_a_worker_takes_what_its_own_release_or_an_older_one_has_submitted(worker, submitter, takes):
    assert may_take(worker, submitter) is takes


def test_what_is_said_about_a_worker_of_another_version_names_the_remedy():
    assert outdated("0.1.0/0002 abc", "0.1.0/0002 def") is None and differs("0.1.0/0002 abc", "0.1.0/0002 abc") is None
    assert outdated("0.1.0/0001 abc", "0.1.0/0002 def") == (
        "It runs SLIM 0.1.0/0001, older than 0.1.0/0002, and takes none of its runs: restart it: python -m workers."
    )
    assert "restart it: python -m workers" in differs("0.1.0/0002 abc", "0.1.0/0002 def")


def test_the_stamp_changes_with_a_file_of_the_code_and_with_no_other(tmp_path, monkeypatch):
    monkeypatch.setattr(version, "_ROOT", tmp_path)
    for name in ("slim_core/steps/train.py", "workers/slot.py", "app/main.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    before = source_stamp()
    os.utime(tmp_path / "app/main.py", ns=(1, 1))
    assert source_stamp() == before
    os.utime(tmp_path / "slim_core/steps/train.py", ns=(1, 1))
    changed = source_stamp()
    assert changed != before
    (tmp_path / "workers/slot.py").unlink()
    assert source_stamp() not in (before, changed)
