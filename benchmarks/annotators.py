"""Annotators without a browser: they ask for images, answer and wait over HTTP as app/annotate/static does."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from app import session
from benchmarks.routes import Line
from slim_core.store import Store, schema

AHEAD = 12  # images a page holds
ASK_AGAIN_S = 0.2  # how soon a page that has nothing to show asks again
PATIENCE_S = 300.0


@dataclass
class Seat:
    """One browser tab of one annotator."""

    address: str  # http://127.0.0.1:<port>
    token: str
    campaign: str
    tab: str
    seed: int
    answered: list[int] = field(default_factory=list)  # items, in order
    saved_ms: list[float] = field(default_factory=list)  # from the press of the key to the acknowledgement
    over_quota: int = 0
    told_done: bool = False

    def work(self, is_done: Callable[[], bool]) -> bool:
        """Answer until the server says that all is done; True where it said so too early (by ``is_done``)."""
        self._line = Line(urlsplit(self.address).netloc, self.token)
        with contextlib.closing(self._line):
            return self._work(is_done)

    def _work(self, is_done: Callable[[], bool]) -> bool:
        pick, until = random.Random(self.seed), time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            reply = self._post("/api/next", {"n": AHEAD})
            if not reply["items"]:
                progress = reply["progress"]
                if progress["done"] == progress["total"]:
                    self.told_done = True
                    return not is_done()
                if progress["total"] - progress["done"] == progress["answered"] and not progress["held"]:
                    return False  # the rest needs other people, and the page says so
                time.sleep(ASK_AGAIN_S)
            for item in reply["items"][: pick.randint(1, AHEAD)]:
                self._answer(item["id"], pick)
        raise TimeoutError(f"{self.tab} was still waiting after {PATIENCE_S:.0f} s")

    def _answer(self, item: int, pick: random.Random) -> None:
        """One key; sometimes it is undone and pressed again, sometimes its acknowledgement is lost and it is resent."""
        names = [f"{self.tab}-{item}-{time.monotonic_ns()}-{k}" for k in range(3)]
        values: list[int | None] = [1] if pick.random() > 0.05 else [0, None, 1]
        given = [
            {"id": name, "item": item, "value": value, "ms": 50} for name, value in zip(names, values, strict=False)
        ]
        started = time.perf_counter()
        receipt = self._post("/api/answers", {"answers": given})
        self.saved_ms.append(1000 * (time.perf_counter() - started))
        if pick.random() < 0.1:
            self._post("/api/answers", {"answers": given})
        self.over_quota += len(receipt["over_quota"])
        self.answered.append(item)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._line.post(path, {"campaign": self.campaign, "session": self.tab, **body})


@dataclass(frozen=True)
class Race:
    """What became of a campaign that a team answered at once."""

    double: int  # answers that count beyond the overlap, or by one person twice
    left: int  # items that still need somebody
    false_done: int  # tabs that were told "all done" too early
    surplus: int  # answers kept, but not counted
    saved_ms: list[float]


def race(
    store: Store,
    addresses: Sequence[str],
    campaign: str,
    n_people: int,
    n_tabs: int,
    beside: Callable[[], None] = lambda: None,
) -> Race:
    """A team answers a campaign at once, each tab at one of the servers; ends when nobody finds anything to do.

    ``beside`` is called while they work, in this thread.
    """

    def is_done() -> bool:
        return not _left(store, campaign)

    seats = []
    for k in range(n_people * n_tabs):
        name = f"annotator {k // n_tabs}"
        token = session.sign(session.Viewer(name, "annotator"), Path(store.settings.home))
        seats.append(Seat(addresses[k % len(addresses)], token, campaign, f"{name} tab {k % n_tabs}", seed=k))
    early, failures = [], []

    def run(seat: Seat) -> None:
        try:
            early.append(seat.work(is_done))
        except (OSError, RuntimeError, http.client.HTTPException) as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(seat,)) for seat in seats]
    for thread in threads:
        thread.start()
    beside()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Race(
        double=_double(store, campaign),
        left=_left(store, campaign),
        false_done=sum(early),
        surplus=sum(seat.over_quota for seat in seats),
        saved_ms=[ms for seat in seats for ms in seat.saved_ms],
    )


def _left(store: Store, campaign: str) -> int:
    items = schema.items
    query = sa.select(sa.func.count()).where(items.c.campaign_id == campaign, items.c.done.is_(sa.false()))
    with store.database.read() as connection:
        return int(connection.execute(query).scalar_one())


def _double(store: Store, campaign: str) -> int:
    """Answers beyond the overlap, counted from the append-only rows, surplus ones included."""
    overlap = store.campaigns.fetch(campaign).overlap
    rows = store.answers.frame(campaign)
    standing = rows.assign(change=rows["value"].notna().map({True: 1, False: -1}))
    per_person = standing.groupby(["item_id", "annotator"])["change"].sum()
    per_item = per_person.clip(upper=1).groupby("item_id").sum()
    return int((per_person - 1).clip(lower=0).sum() + (per_item - overlap).clip(lower=0).sum())
