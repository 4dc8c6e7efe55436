"""A test that never ends, as one that waits in the browser may."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TESTS = """
import threading

def test_before(): pass

def test_endless():
    threading.Event().wait()

def test_after(): pass
"""


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_test_that_never_ends_fails_by_its_name_and_the_others_are_run(tmp_path: Path, processes: str) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text("from tests.shares import pytest_xdist_make_scheduler")
    ours = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-o", f"pythonpath={ROOT}"]
    command = [sys.executable, "-m", "pytest", *ours, "-o", "faulthandler_timeout=3", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    run = subprocess.run(
        [*command, "-n", processes, "--dist", "loadfile", "test_it.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "crashed while running 'test_it.py::test_endless'" in run.stdout
    assert "1 failed, 2 passed" in run.stdout
    assert "in test_endless" in run.stderr, "where it stands"
