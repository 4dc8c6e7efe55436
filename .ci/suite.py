"""Runs the suite once, and those tests alone that kill real processes and failed a second time, by name.

    python3 .ci/suite.py make test

The command must hand PYTEST_ARGS to pytest as make does. This file is also the pytest plugin by which the outcome comes
here: make turns every exit code of pytest into 2.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MARKER = "kills_processes"  # such a test can lose a race on a busy machine
MOST_AGAIN = 2
OUTCOME = "SLIM_TEST_OUTCOME"  # the file into which the plugin writes
FAILED = 1  # pytest's code for: all ran to the end, some failed


class Outcome:
    """The plugin: how pytest ended, and how each test did."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.passed: set[str] = set()
        self.failed: dict[str, bool] = {}  # id -> whether the test is marked

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Called for the set-up, the call and the tear-down of each test; one that failed has failed."""
        if report.failed:
            self.failed[report.nodeid] = MARKER in report.keywords
        elif report.passed and report.when == "call":
            self.passed.add(report.nodeid)

    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        """Called at the end, also at that of an aborted run."""
        ended = None if session.shouldstop or session.shouldfail else int(exitstatus)
        passed = sorted(self.passed - self.failed.keys())
        self.path.write_text(json.dumps({"exit": ended, "failed": self.failed, "passed": passed}))


def pytest_configure(config: Any) -> None:
    """Entry point of the plugin; the processes of pytest-xdist report to the one that started them."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcome(Path(os.environ[OUTCOME])))


def run(command: list[str], folder: Path) -> dict[str, Any]:
    """Run the command; what the plugin wrote, or nothing where pytest did not come to its end."""
    outcome = folder / "outcome.json"
    outcome.unlink(missing_ok=True)
    search = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    ours = {OUTCOME: str(outcome), "PYTEST_PLUGINS": "suite", "PYTHONPATH": search}
    code = subprocess.run(command, env={**os.environ, **ours}, check=False).returncode
    found: dict[str, Any] = json.loads(outcome.read_text()) if outcome.exists() else {"exit": None}
    if code and not found["exit"]:  # the command failed, whatever pytest says
        found["exit"] = None
    return found


def verdict(first: dict[str, Any]) -> str:
    """Why a run cannot be saved by a second one; empty if it can."""
    if first["exit"] != FAILED:
        return "pytest did not run to its end"
    if others := [name for name, marked in first["failed"].items() if not marked]:
        return f"{len(others)} of the failed tests kill no process"
    if len(first["failed"]) > MOST_AGAIN:
        return f"{len(first['failed'])} tests that kill processes failed, more than {MOST_AGAIN}"
    return ""


def main(command: list[str]) -> int:
    """0 if all passed, some perhaps at the second time."""
    with tempfile.TemporaryDirectory() as folder:
        first = run(command, Path(folder))
        if first["exit"] == 0:
            return 0
        if why := verdict(first):
            print(f"\nThe suite failed: {why}.", file=sys.stderr)
            return 1
        names = list(first["failed"])
        print("\nRun again, since they kill processes:", *names, sep="\n  ", flush=True)
        listed = Path(folder) / "names.txt"
        listed.write_text("\n".join(names))
        second = run([*command, f"PYTEST_ARGS=@{listed}"], Path(folder))
        missing = set(names) - set(second.get("passed", ()))
        if second["exit"] != 0 or missing:
            print("\nThe suite failed, also at the second time:", *sorted(missing), sep="\n  ", file=sys.stderr)
            return 1
        print(f"\nPassed at the second time: {len(names)} of the suite.", *names, sep="\n  ", flush=True)
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
