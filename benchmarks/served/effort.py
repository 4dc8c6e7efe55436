"""Who computes, and who waits for a core meanwhile: whose fault a slow answer is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from benchmarks.disturbance import Part

EVERY_S = 2.0
Pids = Callable[[], Iterable[int]]


class Effort(Part):
    """Adds up what the kernel says of all threads of some groups of processes, which may be others after a while."""

    def __init__(self, groups: Mapping[str, Pids]) -> None:
        super().__init__()
        self.computed_s: defaultdict[str, float] = defaultdict(float)
        self.waited_s: defaultdict[str, float] = defaultdict(float)
        self._groups = groups
        self._before: dict[str, tuple[float, float]] = {}  # thread -> (computed, waited)

    def turn(self) -> None:
        """What has come since the last time; a thread that ended in between has lost its last seconds."""
        seen: dict[str, tuple[float, float]] = {}
        for name, pids in self._groups.items():
            for path in (one for pid in pids() for one in Path(f"/proc/{pid}/task").glob("*/schedstat")):
                computed_s, waited_s = seen[path.parent.name] = _spent(path)
                before = self._before.get(path.parent.name, (0.0, 0.0))
                self.computed_s[name] += max(0.0, computed_s - before[0])
                self.waited_s[name] += max(0.0, waited_s - before[1])
        self._before = seen
        self.ending.wait(EVERY_S)


def _spent(path: Path) -> tuple[float, float]:
    """Seconds of a thread on a core, and ready to run without one."""
    try:
        computed_ns, waited_ns, _ = path.read_text().split()
    except (OSError, ValueError):  # it has just ended
        return 0.0, 0.0
    return int(computed_ns) / 1e9, int(waited_ns) / 1e9
