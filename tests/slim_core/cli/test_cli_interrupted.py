"""Ctrl-C ends a command with 130 and a line that says what becomes of its work, and never with a traceback."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from slim_core.cli.kit.console import ReportedInterrupt
from slim_core.cli.kit.interrupt import NOTHING_WAS_DONE, WHATEVER_WAS_DONE, interrupt
from slim_core.store import Store
from tests.slim_core.cli.commands import said, slim

BEFORE = NOTHING_WAS_DONE
ANY = WHATEVER_WAS_DONE


def press(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


def test_an_import_registers_nothing_and_says_so(
    store: Store, small_demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("slim_core.data.importing.check_files", press)
    assert slim("import", small_demo, "--register") == 130
    told = said(capsys)
    assert "same command resumes" in told
    assert ANY not in told and not store.datasets.all()
    monkeypatch.undo()
    monkeypatch.setenv("SLIM_HOME", str(store.settings.home))
    assert slim("import", small_demo, "--register") == 0 and len(store.datasets.all()) == 1


def test_a_demo_set_is_not_written_in_part(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert store
    monkeypatch.setattr("slim_core.data.sets.demo_set.os.replace", press)
    assert slim("demo", tmp_path / "demo", "--train", 8, "--val", 8, "--test", 8) == 130
    assert "same command draws" in said(capsys)
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
    monkeypatch.setattr("slim_core.cli.data_sets.open_store", end)
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
    assert said(capsys) == BEFORE


def test_so_does_one_that_typer_is_still_putting_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("typer.main.get_command", press)
    assert slim("datasets") == 130
    assert said(capsys) == ANY


AS_IT_READS_A_MODULE = """if True:
    import signal, sys
    from slim_core.cli import main

    class OfOneThatExecutesText:
        def find_spec(self, name, *_):
            if name == sys.argv[1]:
                exec("import time; print('reading', flush=True); time.sleep(60)")

    sys.meta_path.insert(0, OfOneThatExecutesText())
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts with & ignores it
    main(sys.argv[2:])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line"), [("slim_core.cli.wiring", BEFORE), ("slim_core.data.importing", ANY)], ids=["at once", "later"]
)
def test_a_real_ctrl_c_within_what_a_package_executes_at_its_import_ends_an_import_of_images_with_130(
    module: str, line: str, store: Store, small_demo: Path, tmp_path: Path
) -> None:
    (tmp_path / "slim_as_it_reads.py").write_text(AS_IT_READS_A_MODULE)
    words = [module, "import", str(small_demo), "--register"]
    command = [sys.executable, "-m", "slim_as_it_reads", *words]  # with -m alone does Python end itself
    variables = {**os.environ, "SLIM_HOME": str(store.settings.home), "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    with subprocess.Popen(
        command, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "reading\n"
            child.send_signal(signal.SIGINT)
            told = child.communicate(timeout=60)[1]
        finally:
            child.kill()
    assert (child.returncode, told) == (130, f"{line}\n") and not store.datasets.all()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.default_int_handler], ids=["ignored", "as python has it"])
def test_a_command_leaves_ctrl_c_as_it_was_and_ignores_it_where_that_was_asked_for(
    handler: Callable[[int, object], object], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store
    meanwhile = list[object]()

    def noted(*_: object) -> NoReturn:
        meanwhile.append(signal.getsignal(signal.SIGINT))
        raise ReportedInterrupt

    monkeypatch.setattr("slim_core.cli.data_sets.open_store", noted)
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert slim("datasets") == 130
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert meanwhile == [signal.SIG_IGN if handler is signal.SIG_IGN else interrupt]
