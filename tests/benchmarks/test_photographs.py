"""The photographs of the study are copied from where the packages put them, all of them or none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.accuracy import photographs

STAMPS = ("birds/owl.png", "mammals/fox.png", "mammals/seals/seal.png", "mammals/kitten.png")  # the last one is drawn


def copied(root: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are there afterwards."""
    monkeypatch.setattr(sys, "argv", ["photographs", str(into), "--root", str(root)])
    photographs.main()
    return sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file())


def test_photographs_are_copied_by_what_they_show_and_nothing_where_a_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, into = tmp_path / "root", tmp_path / "into"
    for file in (file for files in photographs.SCENES.values() for file in files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    with pytest.raises(SystemExit):
        copied(root, into, monkeypatch)
    assert "stamps/animals/birds/*.png" in capsys.readouterr().err and not into.exists(), "the stamps are missing"
    for file in STAMPS:
        (root / photographs.STAMPS / file).parent.mkdir(parents=True, exist_ok=True)
        (root / photographs.STAMPS / file).touch()
    found = copied(root, into, monkeypatch)
    assert [one for one in found if one.startswith("objects/")] == [
        "objects/bird/owl.png",
        "objects/mammal/fox.png",
        "objects/mammal/seal.png",
    ]
    assert len(found) == 3 + 12
