"""A result that goes to standard output, with nothing else there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from slim_core.cli.kit.console import console
from tests.slim_core.cli.commands import slim


def piped(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-c", "from slim_core.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.slow
def test_a_loop_with_all_its_bars_and_tables_writes_json_alone(
    small_demo: Path, home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ("--methods", "erm", "--epochs", 1, "--model", "small-resnet", "--json", "-")
    code, out, told = piped("run", "--data", small_demo, *options)
    assert code == 0, told
    assert list(json.loads(out)["methods"]) == ["erm"]
    assert "train" in told and "erm" in told and not (tmp_path / "-").exists()
    for command in (("evaluate",), ("compare",)):
        assert slim(*command, "--json", "-") == 0
        assert json.loads(capfd.readouterr().out) and not (tmp_path / "-").exists()
    assert slim("compare", "--html", "-") == 0
    printed = capfd.readouterr()
    assert printed.out.startswith("<!doctype html>")
    assert "Models on test" in printed.err and not (tmp_path / "-").exists()


@pytest.mark.slow
def test_a_letter_that_the_locale_lacks_ends_no_command(home: Path, tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "Größe"
    folder.mkdir()
    for encoding, printed in (("ascii", "Gr\\xf6\\xdfe"), ("utf-8", "Größe")):
        monkeypatch.setenv("PYTHONIOENCODING", encoding)
        ended = subprocess.run([sys.executable, "-m", "slim_core.cli", "import", folder], capture_output=True)
        assert ended.returncode == 2 and f"{printed} is empty" in ended.stdout.decode(encoding)


def test_an_import_that_is_refused_writes_its_report_there_too(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert slim("import", folder, "--json", "-") == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out)["ok"] is False and "empty: put images" in captured.err
    console.print("told")  # what this process prints next goes where it should, in a command or not
    assert slim("import", folder) == 2
    assert "told" in (said := capsys.readouterr().out) and "empty: put images" in said
    assert not (tmp_path / "-").exists()
