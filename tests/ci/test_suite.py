"""What CI makes of a run of the suite: only tests that kill processes are run again, once, and at most two of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each starts pytest, some with processes of its own

SUITE = Path(__file__).parents[2] / ".ci" / "suite.py"
MAKEFILE = "test:\n\t@$(PYTHON) -m pytest -q $(PYTEST_ARGS)\n"
INI = "[pytest]\nmarkers = kills_processes\naddopts = --strict-markers -p no:cacheprovider\n"

# Fails the first so many times, as the file that counts its runs says.
FAILING = """
import pathlib, pytest

def fails(name, times):
    count = pathlib.Path(__file__).with_name(f"{name}.count")
    runs = len(count.read_text()) if count.exists() else 0
    count.write_text("x" * (runs + 1))
    assert runs >= times

def test_well():
    fails("well", 0)
"""
KILLS = "\n@pytest.mark.kills_processes\n@pytest.mark.parametrize('word', ['a $b \"c\"'])\n"
ONCE, ALWAYS = 1, 9
TWO = "-p xdist -n 2"


def failing(name: str, times: int, mark: str = KILLS) -> str:
    """The text of a test that fails so many times."""
    argument = "word" if mark else ""
    return f"{mark}\ndef test_{name}({argument}):\n    fails({name!r}, {times})\n"


class Project:
    """A small project whose `make test` is judged as the suite's is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "Makefile").write_text(MAKEFILE)
        (folder / "pytest.ini").write_text(INI)

    def judged(self, *tests: str, args: str = "") -> subprocess.CompletedProcess[str]:
        """The end of CI's run of these tests."""
        (self.folder / "test_it.py").write_text(FAILING + "".join(tests))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those of this suite have no part in it
        command = [sys.executable, str(SUITE), "make", "test", f"PYTHON={sys.executable}", f"PYTEST_ARGS={args}"]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def runs(self, name: str) -> int:
        """How often a test was run."""
        count = self.folder / f"{name}.count"
        return len(count.read_text()) if count.exists() else 0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_suite_that_passes_is_run_once(project: Project) -> None:
    assert project.judged(failing("kills", 0)).returncode == 0
    assert project.runs("well") == project.runs("kills") == 1


@pytest.mark.parametrize("args", ["", TWO])
def test_one_that_kills_processes_and_fails_once_is_run_again_alone_and_named(project: Project, args: str) -> None:
    done = project.judged(failing("kills", ONCE), args=args)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.runs("well"), project.runs("kills")) == (1, 2)
    assert 'test_it.py::test_kills[a $b "c"]' in done.stdout.partition("Passed at the second time: 1")[2]


def test_one_that_fails_always_fails_the_suite(project: Project) -> None:
    done = project.judged(failing("kills", ALWAYS))
    assert done.returncode == 1 and project.runs("kills") == 2
    assert "also at the second time" in done.stderr and "test_kills" in done.stderr


def test_one_that_kills_no_process_is_not_run_again(project: Project) -> None:
    done = project.judged(failing("plain", ONCE, mark=""), failing("kills", ONCE))
    assert done.returncode == 1 and project.runs("plain") == project.runs("kills") == 1
    assert "1 of the failed tests kill no process" in done.stderr


@pytest.mark.parametrize(("n", "code", "runs"), [(2, 0, 2), (3, 1, 1)])
def test_three_that_fail_are_no_accident(project: Project, n: int, code: int, runs: int) -> None:
    done = project.judged(*[failing(f"kills{number}", ONCE) for number in range(n)])
    assert done.returncode == code and project.runs("kills0") == runs, done.stdout + done.stderr


ABORTED = {
    "a module that cannot be imported": ("import nowhere\n", ""),
    "an interrupt": ("\ndef test_last():\n    raise KeyboardInterrupt\n", ""),
    "a process that is gone": ("\ndef test_last():\n    import os; os._exit(0)\n", ""),
    "an option that is unknown": ("", "--nonsense"),
    "a stop at the first failure": ("", "-x"),
}


@pytest.mark.parametrize("how", ABORTED)
def test_an_aborted_run_fails_though_what_failed_would_pass(project: Project, how: str) -> None:
    text, args = ABORTED[how]
    done = project.judged(failing("kills", ONCE), text, failing("after", 0), args=args)
    assert done.returncode == 1 and project.runs("kills") <= 1, done.stdout + done.stderr
    assert "pytest did not run to its end" in done.stderr


def test_a_worker_that_dies_under_its_test_fails_the_suite(project: Project) -> None:
    text = "\n@pytest.mark.kills_processes\ndef test_dies():\n    import os; os._exit(1)\n"
    done = project.judged(text, args=TWO)
    assert done.returncode == 1 and "kill no process" in done.stderr


def test_a_command_that_fails_after_pytest_has_passed_fails(project: Project) -> None:
    (project.folder / "Makefile").write_text(MAKEFILE + "\t@false\n")
    assert project.judged(failing("kills", 0)).returncode == 1
