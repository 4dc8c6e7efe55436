"""Which code a run was done by."""

from __future__ import annotations

from pathlib import Path

import pytest

from slim_core import version
from slim_core.store.schema import HEAD
from slim_core.version import code_version, release


@pytest.mark.parametrize(("git", "added"), [("echo 5fe4c13+", " 5fe4c13+"), ("exit 128", "")])
def test_the_version_is_the_release_and_the_commit_where_git_knows_it(
    git: str, added: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert release() == f"{version.package_version('slim-studio')}/{HEAD}"
    (tmp_path / "git").write_text(f"#!/bin/sh\n{git}\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(version, "_ROOT", tmp_path)
    asked = code_version.__wrapped__  # each time anew
    assert asked() == release(), "no checkout"
    (tmp_path / ".git").mkdir()
    assert asked() == release() + added
