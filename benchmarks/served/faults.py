"""What goes wrong while people work, one thing after another, and how long until everything answers again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.disturbance import Part
from benchmarks.served.people import Record
from benchmarks.served.site import Site
from benchmarks.served.work import Load
from slim_core.errors import SlimError

log = logging.getLogger("served")

FULL_S = 8.0  # how long the disk stays full
PATIENCE_S = 180.0  # for everything to answer again
_LOOK_S = 0.25


@dataclass
class Window:
    """A fault: from its beginning until everything answered again; seconds since the epoch."""

    fault: str
    since: float
    until: float = float("inf")
    over: float = 0.0  # when the operator had done their part: from here on it is counted where a disk was full
    back_s: dict[str, float | None] = field(default_factory=dict)  # what -> seconds; None: not within PATIENCE_S

    @property
    def seconds(self) -> float | None:
        """Until the last of it answered again."""
        values = list(self.back_s.values())
        return None if None in values else max(float(one) for one in values if one is not None)


def during(windows: Sequence[Window], since: float, until: float) -> bool:
    """Whether something that lasted so long met a fault."""
    return any(since < window.until and until > window.since for window in windows)


class Faults(Part):
    """Strikes each once, in their order, with a pause before each; ``backup`` is taken between them."""

    def __init__(
        self, site: Site, load: Load, record: Record, names: Sequence[str], *, pause_s: float, backup: Path
    ) -> None:
        super().__init__()
        self.windows: list[Window] = []
        self.backup_began: float | None = None
        self._site, self._load, self._record = site, load, record
        self._pause_s, self._backup = pause_s, backup
        self._todo = list(names)
        self._strikes: dict[str, Callable[[Window], dict[str, Callable[[], bool]]]] = {
            "redis": self._redis, "database": self._database, "app": self._app, "worker": self._worker,
            "disk": self._disk,
        }  # fmt: skip

    @property
    def are_over(self) -> bool:
        """Whether all have been struck and answered."""
        return not self._todo

    def turn(self) -> None:
        """The next one."""
        if not self._todo:
            self.ending.wait()
            return
        if self.ending.wait(self._pause_s):
            return
        if self._todo[0] == "backup":
            self._take_backup()
        else:
            self._strike(self._todo[0])
        self._todo.pop(0)

    def _take_backup(self) -> None:
        self.backup_began = time.time()
        log.info("backup: %s", self._site.slim("backup", str(self._backup)).strip())

    def _strike(self, name: str) -> None:
        window = Window(name, time.time())
        self.windows.append(window)
        log.info("fault: %s", name)
        special = self._strikes[name](window)
        self._await(window, self._usual(window) | special)
        window.until = time.time()
        log.info("back: %s %s", name, window.back_s)

    def _await(self, window: Window, conditions: dict[str, Callable[[], bool]]) -> None:
        since = window.over or window.since
        while len(window.back_s) < len(conditions):
            for what, holds in conditions.items():
                if what not in window.back_s and _safely(holds):
                    window.back_s[what] = round(time.time() - since, 1)
            if time.time() - since > PATIENCE_S:
                window.back_s |= {what: None for what in conditions if what not in window.back_s}
            time.sleep(_LOOK_S)

    def _usual(self, window: Window) -> dict[str, Callable[[], bool]]:
        """What must work after every fault: what was asked for after it."""
        since = window.over or window.since
        return {
            "ready": self._site.is_ready,
            "answers": lambda: self._record.answered_since(since),
            "runs": lambda: self._load.begun_since(since),
        }

    def _redis(self, _window: Window) -> dict[str, Callable[[], bool]]:
        self._site.restart_redis()
        return {}

    def _database(self, _window: Window) -> dict[str, Callable[[], bool]]:
        self._site.restart_database()
        return {}

    def _app(self, _window: Window) -> dict[str, Callable[[], bool]]:
        self._site.restart_app()
        return {}

    def _worker(self, _window: Window) -> dict[str, Callable[[], bool]]:
        """The one that computes now: its run must go on at another, or at the one that comes again."""
        store, running = self._site.store, self._load.running()
        pids = {one.id: one.pid for one in store.workers.alive()}
        gone = self._site.kill_worker(next((pids.get(str(run.worker)) for run in running), None))
        held = [run for run in running if pids.get(str(run.worker)) in gone]

        def goes_on() -> bool:
            now = [store.runs.fetch(run.id) for run in held]
            return all(one.ended or one.attempt > run.attempt for one, run in zip(now, held, strict=True))

        return {"its run": goes_on}

    def _disk(self, window: Window) -> dict[str, Callable[[], bool]]:
        """Counted from when there is space again."""
        self._site.fill_disk()
        time.sleep(FULL_S)
        self._site.free_disk()
        window.over = time.time()
        return {}


def _safely(holds: Callable[[], bool]) -> bool:
    """The database may be away while it is asked."""
    try:
        return holds()
    except SlimError:
        return False
