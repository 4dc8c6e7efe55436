"""Ctrl-C ends a command with 130 and a line that says what becomes of its work, and never with a traceback."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from slim_core.cli.kit.console import ReportedInterrupt
from slim_core.store import Store
from tests.slim_core.cli.commands import said, slim

ANY = "Interrupted. What was finished is kept and nothing is half done: the same command can be given again."


def press(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def test_an_import_registers_nothing_and_says_so(
    store: Store, small_demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("slim_core.data.importing.check_files", press)
    assert slim("import", small_demo, "--register") == 130
    told = said(capsys)
    assert "Interrupted: nothing was registered. The same command resumes the check of many images." in told
    assert ANY not in told and not store.datasets.all()
    monkeypatch.undo()
    monkeypatch.setenv("SLIM_HOME", str(store.settings.home))
    assert slim("import", small_demo, "--register") == 0 and len(store.datasets.all()) == 1


def test_a_demo_set_is_not_written_in_part(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert store
    monkeypatch.setattr("slim_core.data.sets.demo_set.os.replace", press)
    assert slim("demo-data", tmp_path / "demo", "--train", 8, "--val", 8, "--test", 8) == 130
    assert "Interrupted: no set was written. The same command draws it from the beginning." in said(capsys)
    assert not [path for path in tmp_path.iterdir() if "demo" in path.name]


@pytest.mark.parametrize(("raised", "line"), [(KeyboardInterrupt, ANY), (ReportedInterrupt, "")])
def test_any_other_command_says_a_line_unless_it_has_said_what_becomes_of_its_work(
    raised: Callable[[], BaseException],
    line: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def end(*_: object) -> NoReturn:
        raise raised()

    assert store
    monkeypatch.setattr("slim_core.cli.data.importing.open_store", end)
    assert slim("datasets") == 130
    assert said(capsys) == line


def test_so_does_one_whose_modules_are_still_being_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load = builtins.__import__

    def read(name: str, *rest: object, **named: object) -> object:
        if name == "slim_core.cli.wiring":
            raise KeyboardInterrupt
        return load(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", read)
    assert slim("datasets") == 130
    assert said(capsys) == "Interrupted before anything was done: the same command can be given again."
