"""Who takes part in benchmarks.chaos: an operator who keeps a dashboard running, a killer, a watch, an annotator."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import re
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Self
from urllib.error import URLError

import psutil

from app import session
from benchmarks.dashboard import command
from benchmarks.postgres import IMMEDIATE, Cluster
from benchmarks.processes import end, free_port, is_alive, until
from slim_core.settings import Settings
from slim_core.store import CampaignSettings, Store
from workers.local import environment

log = logging.getLogger("chaos")

ROOT = Path(__file__).parents[1]
PATIENCE_S = 120.0
FROZEN, CUT_OFF = "redis frozen", "database cut off"
_AWAY_S = (1.0, 10.0)  # how long a frozen or cut off one stays so: longer than a lease at the most
_WAIT_S = 15.0  # for a process of the sort that is to be killed next
_LOG = re.compile(r"/(r-[a-z0-9]+)/attempt-\d+/log\.txt$")


class Part(threading.Thread):
    """A thread that works until the block that started it ends."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ending = threading.Event()
        self.trouble: BaseException | None = None

    def run(self) -> None:
        """Take turns."""
        try:
            while not self.ending.is_set():
                self.turn()
        except BaseException as error:  # told to whoever ends the block
            self.trouble = error

    def turn(self) -> None:
        """One turn."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ending.set()
        self.join(PATIENCE_S)
        if self.trouble is not None:
            raise RuntimeError(f"{type(self).__name__} came to grief") from self.trouble


class Operator(Part):
    """Keeps a dashboard running on a home: started again whenever it has died."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings, self.port = settings, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, psutil.Process] = {}

    def turn(self) -> None:
        """Start the dashboard where it does not run; remember who belongs to it."""
        if self.process is None or self.process.poll() is not None:
            self._start()
        self.family()
        self.ending.wait(0.1)

    def __enter__(self) -> Self:
        super().__enter__()
        until(self.answers, "the dashboard to start", PATIENCE_S)
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self.process is not None:
            self.family()
            end(self.process, 60)

    def family(self) -> list[psutil.Process]:
        """The dashboard and all its descendants that run now, nearest first."""
        if self.process is None or self.process.poll() is not None:
            return []
        try:
            root = psutil.Process(self.process.pid)
            found = [root, *root.children(recursive=True)]
        except psutil.Error:
            return []
        self._seen |= {each.pid: each for each in found}
        return found

    def answers(self) -> bool:
        """Whether the dashboard answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_stcore/health", timeout=2):
                return True
        except (URLError, OSError):
            return False

    def left(self) -> int:
        """Processes of the family that still run, a moment after the end."""
        deadline = time.monotonic() + 20
        while (alive := [each for each in self._seen.values() if is_alive(each)]) and time.monotonic() < deadline:
            time.sleep(0.2)
        return len(alive)

    def _start(self) -> None:
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with (self.settings.home / "dashboard.log").open("ab") as output:
            self.process = subprocess.Popen(
                command(self.port), cwd=ROOT, env=environment(self.settings), stdout=output, stderr=subprocess.STDOUT
            )


class Killer(Part):
    """Strikes one process of the family after another, of a random sort, after random pauses.

    Most are killed with -9. Redis may also be frozen (SIGSTOP) for some seconds, and PostgreSQL, where the family uses
    a server of its own, cut off: it ends at once with all its connections, and takes none until it is started again.
    """

    SORTS = ("job", "worker", "service", "redis", "dashboard", FROZEN)

    def __init__(
        self, operator: Operator, *, kills: int, seed: int, pause_s: float, database: Cluster | None = None
    ) -> None:
        super().__init__()
        self.killed: list[str] = []
        self.done = threading.Event()
        self._operator, self._kills, self._pause_s, self._database = operator, kills, pause_s, database
        self._sorts = self.SORTS if database is None else (*self.SORTS, CUT_OFF)
        self._random = random.Random(seed)

    def run(self) -> None:
        """Strike until all is done; whoever waits for that goes on, too, where the killer has come to grief."""
        try:
            super().run()
        finally:
            self.done.set()

    def turn(self) -> None:
        """Pause, choose a sort, wait a while for one of it to be there, strike it."""
        self.ending.wait(self._random.expovariate(1 / self._pause_s))
        sort = self._random.choice(self._sorts)
        if sort == CUT_OFF and self._database is not None:
            self._cut_off(self._database)
        else:
            self._strike(sort)
        if len(self.killed) >= self._kills:
            self.ending.set()

    def counts(self) -> dict[str, int]:
        """How many of each sort were struck."""
        return dict(Counter(self.killed))

    def _strike(self, sort: str) -> None:
        deadline = time.monotonic() + _WAIT_S
        while not (found := self._living().get(sort)) and time.monotonic() < deadline:
            if self.ending.wait(0.05):
                return
        if not found:
            return
        process = self._random.choice(found)
        try:
            self._freeze(process) if sort == FROZEN else process.kill()  # both check that the id is still its own
        except psutil.NoSuchProcess:
            return
        self._count(sort, process.pid)

    def _freeze(self, process: psutil.Process) -> None:
        process.suspend()
        try:
            self.ending.wait(self._random.uniform(*_AWAY_S))
        finally:
            process.resume()

    def _cut_off(self, database: Cluster) -> None:
        database.stop(IMMEDIATE)
        self.ending.wait(self._random.uniform(*_AWAY_S))
        database.start()
        self._count(CUT_OFF, 0)

    def _count(self, sort: str, pid: int) -> None:
        self.killed.append(sort)
        log.info("kill %d: %s (%d)", len(self.killed), sort, pid)

    def _living(self) -> dict[str, list[psutil.Process]]:
        """Processes by sort; a dashboard counts once it has a worker, for killing it before disturbs nothing."""
        found: dict[str, list[psutil.Process]] = {}
        for process in self._operator.family():
            try:
                found.setdefault(_sort(process), []).append(process)
            except psutil.Error:
                continue
        if "worker" not in found:
            found.pop("dashboard", None)
        return found | {FROZEN: found.get("redis", [])}


class Watch(Part):
    """Sees runs on which two living processes work at once: both hold the log of an attempt at it open."""

    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self.doubled: set[str] = set()
        self._operator = operator
        self._before: set[str] = set()

    def turn(self) -> None:
        """Look; twice in a row counts, for between two looks at two processes the one may have ended."""
        at_work: Counter[str] = Counter()
        for process in self._operator.family():
            at_work.update(_runs_of(process))
        now = {run for run, n in at_work.items() if n > 1}
        self.doubled |= now & self._before
        self._before = now
        self.ending.wait(0.1)


class Annotator(Part):
    """Answers images over HTTP, keeping each answer until the dashboard has acknowledged it, as the page does."""

    def __init__(self, store: Store, operator: Operator | None, seed: int) -> None:
        """Without an operator answers go straight into the store."""
        super().__init__()
        self._store, self._operator, self._seed = store, operator, seed
        self._sent: dict[str, set[str]] = {}  # campaign -> ids
        self._campaign: str | None = None
        self._todo: list[int] = []

    @property
    def n_sent(self) -> int:
        """Answers that the dashboard has acknowledged."""
        return sum(len(ids) for ids in self._sent.values())

    def answer(self, campaign_id: str) -> int:
        """Answer a whole campaign now, the same way whoever asks: right for about half of the images."""
        items = self._store.campaigns.items(campaign_id)
        for item in items:
            self._send(campaign_id, item.id, item.row)
        self._open_large(campaign_id)
        return len(items)

    def turn(self) -> None:
        """One image of the large campaign, at the pace of a fast annotator."""
        self.ending.wait(0.2)
        if self._campaign is not None and self._todo:
            item = self._todo.pop()
            self._send(self._campaign, item, item)

    def finish(self) -> None:
        """Answer no more."""
        self._todo.clear()

    def lost(self) -> int:
        """Answers that are not in the database exactly once."""
        missing = 0
        for campaign, ids in self._sent.items():
            kept = Counter(self._store.answers.frame(campaign)["id"])
            missing += sum(kept[each] != 1 for each in ids)
        return missing

    def _open_large(self, like: str) -> None:
        """A campaign about every image, so that answers are under way at every kill."""
        if self._operator is None or self._campaign is not None:
            return
        first = self._store.campaigns.fetch(like)
        rows = self._store.datasets.table(first.dataset_id).rows(first.split)
        settings = CampaignSettings(split=first.split, seed=self._seed, strategy="all")
        large = self._store.campaigns.create(
            "every image", first.dataset_id, first.space_run_id, rows, "chaos", settings
        )
        self._todo = [item.id for item in self._store.campaigns.items(large.id)][::-1]
        self._campaign = large.id

    def _send(self, campaign: str, item: int, row: int) -> None:
        name = hashlib.sha256(f"{campaign} {item} {self._seed}".encode()).hexdigest()[:32]
        value = int(hashlib.sha256(f"image {row}".encode()).digest()[0] % 2)
        answer = {"id": name, "item": item, "value": value, "seen": {}, "ms": 200}
        deadline = time.monotonic() + PATIENCE_S
        while not self._deliver(campaign, answer):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the dashboard did not take an answer within {PATIENCE_S:.0f} s")
            time.sleep(0.2)
        self._sent.setdefault(campaign, set()).add(name)

    def _deliver(self, campaign: str, answer: dict[str, object]) -> bool:
        if self._operator is None:
            return self._keep(campaign, answer)
        token = session.sign(session.Viewer("chaos", "annotator"), self._operator.settings.home)
        body = json.dumps({"campaign": campaign, "answers": [answer]}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._operator.port}/api/answers",
            body,
            {"X-Slim-Token": token, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return answer["id"] in json.load(response)["ids"]
        except (URLError, OSError, ValueError):  # killed, starting, or killed while it answered
            return False

    def _keep(self, campaign: str, answer: dict[str, object]) -> bool:
        from slim_core.store import AnswerIn

        given = AnswerIn(str(answer["id"]), int(str(answer["item"])), int(str(answer["value"])), {}, 200)
        return bool(self._store.answers.save(campaign, "chaos", [given]).ids)


def _sort(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "streamlit" in command:
        return "dashboard"
    if "-server unixsocket:" in command:
        return "redis"
    if "-m workers.worker" in command:
        parent = process.parent()
        if parent is None or "-m workers.worker" not in " ".join(parent.cmdline()):
            return "worker"
        return "job"
    return "service" if "-m workers" in command else "other"


def _runs_of(process: psutil.Process) -> set[str]:
    try:
        paths = [each.path for each in process.open_files()]
    except (psutil.Error, OSError):
        return set()
    return {match.group(1) for path in paths if (match := _LOG.search(path))}
