"""Where Python lacks what only Unix has, as on Windows: everything imports, and the loop runs in this process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.slim_core.import_graph import PACKAGES, files, name_of

UNIX = ("fcntl", "resource", "grp", "pwd", "termios")
PROGRAMS = (".page", ".main", "__main__", "migrations.env")  # which run where they are imported
# For our own modules alone: on Linux psutil, torch and others would not import without them.
WITHOUT = f"""
import builtins
real = builtins.__import__
def guarded(name, scope=None, *rest, **more):
    if name in {UNIX!r} and (scope or {{}}).get("__name__", "").partition(".")[0] in {PACKAGES!r}:
        raise ImportError(name)
    return real(name, scope, *rest, **more)
builtins.__import__ = guarded
"""
EVERYTHING = """
import importlib
for name in {modules!r}: importlib.import_module(name)
"""
LOOP = """
import slim_core
from slim_core.runs.methods import Loop
at = slim_core.open_workbench(device="cpu")
dataset = slim_core.data_set({folder!r}, at=at)
quick = {{"epochs": 1}}
loop = Loop(at, slim_core.LoopConfig(dataset=dataset.id, model="small-resnet", size=60, train=quick))
found = loop.outcome("slim")
assert found.evaluation.status == "done" and found.evaluation.metrics["n"] > 0
print("ended")
"""


def said_by(code, **more):
    return subprocess.run([sys.executable, "-c", WITHOUT + code], capture_output=True, text=True, **more)


@pytest.mark.slow
def test_every_module_imports():
    modules = [name for name in map(name_of, files()) if not name.endswith(PROGRAMS)]
    ended = said_by(EVERYTHING.format(modules=modules))
    assert len(modules) > 100 and ended.returncode == 0, ended.stderr[-2000:]


@pytest.mark.slow
def test_the_loop_runs_in_this_process(demo_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "home"))
    ended = said_by(LOOP.format(folder=str(demo_folder)), cwd=tmp_path)
    assert ended.stdout.endswith("ended\n"), ended.stderr[-2000:]
