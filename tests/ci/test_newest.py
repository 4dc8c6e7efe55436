"""The newest packages are tried where they are others than the tested ones, and only then."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import newest  # of .ci, by the pythonpath of pyproject.toml
import pytest


def report(**versions: str) -> dict[str, object]:
    """What pip says that it would install."""
    return {"install": [{"metadata": {"name": name, "version": version}} for name, version in versions.items()]}


def test_only_what_is_newer_or_beside_the_tested_ones_counts_under_any_spelling() -> None:
    tested = newest.pinned("# a comment, not==this\nauthlib==1.9.10\nhuggingface-hub==2.4.0\nrq==3.0.0\n")
    assert tested == {"authlib": "1.9.10", "huggingface-hub": "2.4.0", "rq": "3.0.0"}
    found = report(
        Authlib="1.9.10",
        huggingface_hub="2.4.1",
        rq="3.0.0",
        torch="9.0+cpu",
        setuptools="90",
        nvidia_cublas="13.1",
        added="0.1",
    )
    assert newest.newer(found, tested) == {"huggingface-hub": "2.4.1", "added": "0.1"}


@pytest.mark.parametrize("passes", [True, False])
def test_newer_packages_come_before_the_tested_ones_in_the_tests_and_their_outcome_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], passes: bool
) -> None:
    """By a Python that stands for pip and pytest: it installs a module, and the tests import it."""
    for name, text in (("constraints.txt", "rq==3.0.0\n"), ("report.json", json.dumps(report(rq="3.1.0")))):
        (tmp_path / name).write_text(text)
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        '#!/bin/sh\nset -e\ncase "$*" in\n'
        f'*--dry-run*) while [ "$1" != --report ]; do shift; done; cp {tmp_path}/report.json "$2";;\n'
        '*--target*) echo installs "$@"; while [ "$1" != --target ]; do shift; done\n'
        f'  mkdir "$2"; echo \'ok = {passes}\' > "$2/rq_stands_here.py";;\n'
        f"*pytest*) {sys.executable} -c 'import rq_stands_here, sys; sys.exit(not rq_stands_here.ok)';;\nesac\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(newest, "ROOT", tmp_path)
    assert newest.main(tmp_path / "venv") == int(not passes)
    told = capfd.readouterr().out
    assert "  rq 3.1.0" in told and "--no-deps" in told and told.rstrip().endswith("rq==3.1.0")


@pytest.mark.parametrize(("asks", "says"), [("exit 1", "did not answer"), ('cp {report} "$2"', "those of constraints")])
def test_where_nothing_is_newer_or_nobody_answers_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], asks: str, says: str
) -> None:
    (tmp_path / "constraints.txt").write_text("rq==3.0.0\n")
    (tmp_path / "report.json").write_text(json.dumps(report(rq="3.0.0", torch="9.0")))
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    shift = 'while [ "$1" != --report ]; do shift; done'
    python.write_text(
        f"#!/bin/sh\necho called >> {tmp_path}/calls\n{shift}\n{asks.format(report=tmp_path / 'report.json')}\n"
    )
    python.chmod(0o755)
    monkeypatch.setattr(newest, "ROOT", tmp_path)
    assert newest.main(tmp_path / "venv") == 0
    told = capfd.readouterr()
    assert says in told.out + told.err and (tmp_path / "calls").read_text() == "called\n"
