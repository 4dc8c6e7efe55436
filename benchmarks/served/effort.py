"""How much the dashboard computes, and how long its threads wait for a core: whose fault a slow answer is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.disturbance import Part

EVERY_S = 1.0


class Effort(Part):
    """Adds up what the kernel says of all threads of a process, which may be another one after a while."""

    def __init__(self, pid: Callable[[], int]) -> None:
        super().__init__()
        self.computed_s = self.waited_s = 0.0
        self._pid = pid
        self._before: dict[str, tuple[float, float]] = {}  # thread -> (computed, waited)

    def turn(self) -> None:
        """What has come since the last time; a thread that ended in between has lost its last second."""
        now = {path.parent.name: _spent(path) for path in Path(f"/proc/{self._pid()}/task").glob("*/schedstat")}
        for thread, (computed_s, waited_s) in now.items():
            before = self._before.get(thread, (0.0, 0.0))
            self.computed_s += computed_s - before[0]
            self.waited_s += waited_s - before[1]
        self._before = now
        self.ending.wait(EVERY_S)


def _spent(path: Path) -> tuple[float, float]:
    """Seconds of a thread on a core, and ready to run without one."""
    try:
        computed_ns, waited_ns, _ = path.read_text().split()
    except (OSError, ValueError):  # it has just ended
        return 0.0, 0.0
    return int(computed_ns) / 1e9, int(waited_ns) / 1e9
