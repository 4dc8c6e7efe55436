"""What is observed of a process from outside: of a running job by its worker, and how either of them ended."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from slim_core.signals import signal_name

_UNSEEN_S = 10.0  # two looks at a job are about a second apart


class RunningJob:
    """How long a job has run, when it last reported progress, and when it has to end. Times are monotonic seconds.

    Time without progress is counted by this process's own clock since it saw the last progress change: no clock of
    another machine has a part in it. It begins anew after a time in which nothing could be seen, as while the database
    was away: whoever waits for that reports no progress.
    """

    def __init__(self, limit_s: float) -> None:
        self.since = time.monotonic()
        self.limit_s = limit_s
        self.claimed = False  # the job has been seen to claim a run
        self.hung = False  # it was ended because it reported no progress
        self.ends_at = float("inf")
        self._renewed_at = self.since
        self._progress: tuple[datetime | None, float] = (None, self.since)
        self._looked_at = self.since
        self._oom_kills = oom_kills()

    @property
    def overdue(self) -> bool:
        """Whether it has run for longer than it may."""
        return time.monotonic() - self.since > self.limit_s

    def lease_is_due(self, every_s: float) -> bool:
        """Whether to renew the lease now."""
        if time.monotonic() - self._renewed_at < every_s:
            return False
        self._renewed_at = time.monotonic()
        return True

    def no_progress_s(self, progress_at: datetime | None) -> float:
        """Seconds since ``progress_at``, the time of the last progress as the database has it, was seen to change."""
        now = time.monotonic()
        if progress_at != self._progress[0] or now - self._looked_at > _UNSEEN_S:
            self._progress = (progress_at, now)
        self._looked_at = now
        return now - self._progress[1]

    def out_of_memory_seen(self) -> bool:
        """Whether the kernel has killed a process for want of memory since the job began."""
        return oom_kills() > self._oom_kills


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory: in our memory group, else on this machine."""
    for path in (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat")):
        try:
            lines = dict(line.split() for line in path.read_text().splitlines())
        except (OSError, ValueError):
            continue
        if "oom_kill" in lines:
            return int(lines["oom_kill"])
    return 0


def how_it_ended(code: int | None) -> str:
    """The rest of a sentence about a process. ``code``: as of subprocess, below 0 for a signal; None: unknown."""
    if code is None or code >= 0:
        return f"ended unexpectedly (exit code {'unknown' if code is None else code})"
    return f"was killed by {signal_name(-code)}"
