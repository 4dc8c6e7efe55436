"""Which of our files run, and when: a profiler that notes each call into app, slim_core and workers.

``traced(folder)`` gives the environment under which every Python process, those that it forks or starts included, notes
its calls in a file of that folder; ``between`` reads them. Code that runs while a module is imported is left out.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).parents[1]
ROOMS = tuple(str(ROOT / room) + os.sep for room in ("app", "slim_core", "workers"))
FOLDER = "SLIM_BENCHMARK_ENTERED"  # of the environment
QUIET_S = 0.001  # a file is noted again after this long
_START = "from benchmarks.entered import record; record()\n"
_IMPORTING = threading.local()


def traced(folder: Path) -> dict[str, str]:
    """What to add to the environment of a process: its calls, and those of its children, are noted in ``folder``."""
    hook = folder / "hook"
    hook.mkdir(parents=True)
    (hook / "sitecustomize.py").write_text(_START)  # which every interpreter imports first
    path = os.pathsep.join([str(hook), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {FOLDER: str(folder), "PYTHONPATH": path}


def between(folder: Path, since: float, until: float) -> set[str]:
    """Files, relative to the repository, of which a line ran in that time (``time.monotonic``), in whatever process."""
    found = set()
    for notes in folder.glob("*.entered"):
        for line in notes.read_text().splitlines():
            at, _, name = line.partition(" ")
            if since <= float(at) <= until:
                found.add(name)
    return found


def record(environ: Mapping[str, str] = os.environ) -> None:
    """Note the calls of this process from now on, in all threads that it starts."""
    if FOLDER in environ:
        noted = _Noted(Path(environ[FOLDER]))
        threading.setprofile(noted)
        sys.setprofile(noted)


def _is_imported(module: FrameType) -> bool:
    """Whether a module runs because something imports it; not as a page of Streamlit or by ``python -m``."""
    return module.f_back is not None and module.f_back.f_code.co_filename.startswith("<frozen importlib")


class _Noted:
    """The profiler: one line per file and millisecond, "<monotonic seconds> <file>"."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[CodeType, str | None] = {}
        self._last: dict[str, float] = {}
        self._pid, self._to = 0, -1

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event not in ("call", "return"):
            return
        code = frame.f_code
        if code.co_name == "<module>" and _is_imported(frame):
            _IMPORTING.depth = max(0, getattr(_IMPORTING, "depth", 0) + (1 if event == "call" else -1))
        elif event == "call" and not getattr(_IMPORTING, "depth", 0) and (name := self._name(code)):
            self._note(name)

    def _name(self, code: CodeType) -> str | None:
        if code not in self._names:
            is_ours = code.co_filename.startswith(ROOMS)
            self._names[code] = os.path.relpath(code.co_filename, ROOT) if is_ours else None
        return self._names[code]

    def _note(self, name: str) -> None:
        now, pid = time.monotonic(), os.getpid()
        if pid != self._pid:  # the first call, or a forked process
            path = self._folder / f"{pid}.entered"
            self._pid, self._last = pid, {}
            self._to = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if now - self._last.get(name, 0.0) > QUIET_S:
            self._last[name] = now
            os.write(self._to, f"{now:.6f} {name}\n".encode())
