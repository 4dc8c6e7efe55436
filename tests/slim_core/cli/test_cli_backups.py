"""slim backup, and back with --restore, as people type them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from slim_core.cli import main
from slim_core.settings import settings
from slim_core.store import Store


def slim(home: Path, monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """The exit code of a command on this home."""
    monkeypatch.setenv("SLIM_HOME", str(home))
    settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    settings.cache_clear()
    return int(ended.value.code or 0)


def test_a_backup_is_put_into_a_new_home(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup.zip"
    assert slim(tmp_path / "old", monkeypatch, "import", small_demo, "--register", "--name", "kept") == 0
    assert slim(tmp_path / "old", monkeypatch, "backup", file) == 0
    assert "0 runs, 0 campaigns, 0 answers" in capsys.readouterr().out
    assert slim(tmp_path / "another", monkeypatch, "backup", file) == 2
    assert "there already: name" in " ".join(capsys.readouterr().err.split())
    assert slim(tmp_path / "old", monkeypatch, "backup", file, "--overwrite") == 0
    assert slim(tmp_path / "new", monkeypatch, "backup", file, "--restore") == 0
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "new"))
    store = Store.open()
    assert [one.name for one in store.datasets.all()] == ["kept"]
    store.close()
    settings.cache_clear()
    capsys.readouterr()
    assert slim(tmp_path / "new", monkeypatch, "backup", file, "--restore") == 2
    assert "name an empty" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("artifacts", "sentence"),
    [
        ("{}/shared", "into {}/shared: runs/"),
        ("memory://bucket/slim", "into memory://bucket (SLIM_ARTIFACTS_URL): runs/"),
    ],
)
def test_it_is_said_where_the_files_that_are_missing_belong(
    small_demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    artifacts: str,
    sentence: str,
) -> None:
    options = ("--model", "small-resnet", "--epochs", 1, "--device", "cpu")
    assert slim(tmp_path / "old", monkeypatch, "train", "--data", small_demo, *options) == 0
    assert slim(tmp_path / "old", monkeypatch, "backup", tmp_path / "backup.zip") == 0
    monkeypatch.setenv("SLIM_ARTIFACTS_URL", artifacts.format(tmp_path))
    assert slim(tmp_path / "new", monkeypatch, "backup", tmp_path / "backup.zip", "--restore") == 0
    assert sentence.format(tmp_path) in " ".join(capsys.readouterr().err.split())


def test_a_backup_that_cannot_be_written_or_read_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert slim(tmp_path / "home", monkeypatch, "backup", tmp_path / "missing" / "backup.zip") == 2
    assert slim(tmp_path / "home", monkeypatch, "backup", tmp_path / "nothing.zip", "--restore") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "cannot be written" in said and "is no file" in said and "Traceback" not in said


@pytest.mark.parametrize("command", ["runs", "backup"])
def test_of_a_home_of_another_schema_every_command_says_how_its_answers_are_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    home, file = tmp_path / "home", tmp_path / "backup.zip"
    assert slim(home, monkeypatch, "backup", file) == 0
    with closing(sqlite3.connect(home / "slim.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0017'")
        database.commit()
    assert slim(home, monkeypatch, command, *([file, "--restore"] if command == "backup" else [])) == 2
    assert "slim answers export" in " ".join(capsys.readouterr().err.split())
