"""Annotators without a browser, each with a page of their own: its websocket, its ticket, its images, its answers."""

from __future__ import annotations

import http.client
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import WebSocketException

from app.routes.images import ROW
from benchmarks.disturbance import Part
from benchmarks.page_session import PageSession
from benchmarks.routes import Line, RouteRefusedError

HEADER = "X-Forwarded-Email"  # by which the proxy in front of the dashboard names people
AHEAD = 12  # images a page holds
TIMEOUT_S = 15.0  # as in app/annotate/static/connection.js, and the pauses between its tries
RETRY_S = (0.5, 1.0, 2.0, 5.0)
ASK_AGAIN_S = 2.5  # while there is no image to show
REOPEN_S = 1.0
LAST_S = 90.0  # how long the last answer may take
FAILED = (OSError, http.client.HTTPException, RouteRefusedError, ValueError)  # of a request; ValueError: no JSON
CLOSED = (OSError, WebSocketException)  # of a page's websocket; OSError includes that nothing came in time


@dataclass
class Answer:
    """One that somebody has given; seconds since the epoch."""

    id: str
    who: str
    at: float
    acknowledged: float | None = None

    @property
    def ms(self) -> float:
        """From the press of the key to the acknowledgement."""
        return 1000 * ((self.acknowledged or time.time()) - self.at)


@dataclass(frozen=True)
class Trouble:
    """Something that somebody was refused, was not answered, or was shown as an error."""

    since: float
    until: float
    who: str
    said: str


@dataclass
class Record:
    """What everybody has done and met; filled by many threads."""

    answers: list[Answer] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def acknowledged(self, before: float = float("inf")) -> set[str]:
        """Ids of the answers that were acknowledged before a moment."""
        return {one.id for one in list(self.answers) if one.acknowledged is not None and one.acknowledged < before}

    def answered_since(self, moment: float) -> bool:
        """Whether an answer that was given after a moment is acknowledged."""
        return any(one.acknowledged is not None and one.at > moment for one in list(self.answers))


@dataclass(frozen=True)
class Room:
    """Where people work."""

    port: int
    campaign: str
    pace_s: float  # mean seconds that a person looks at an image


class Person(Part):
    """One annotator with one tab, at the pace of the room."""

    def __init__(self, room: Room, who: str, seed: int, record: Record) -> None:
        super().__init__()
        self.who = who
        self._room, self._record, self._random = room, record, random.Random(seed)
        self._headers = {HEADER: who}
        self._page: PageSession | None = None
        self._was_open = 0.0  # seconds since the epoch, when the page was last known to be
        self._line = Line(f"127.0.0.1:{room.port}", "", TIMEOUT_S, self._headers)
        self._tab, self._after = secrets.token_hex(12), -1
        self._items: list[dict[str, Any]] = []

    def turn(self) -> None:
        """One image: fetch it, look at it, answer it."""
        if self._page is None and not self._opened():
            self.ending.wait(REOPEN_S)
            return
        item = self._next()
        if item is None:
            self._look(ASK_AGAIN_S)
            return
        self._fetch_pictures(item)
        self._look(self._random.expovariate(1 / self._room.pace_s))
        self._answer(item)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._line.close()
        if self._page is not None:
            self._page.close()

    def _opened(self) -> bool:
        """The page is there."""
        page = PageSession(self._room.port, "annotate", f"campaign={self._room.campaign}", self._headers,
                           "slim_annotator", problems=_Noted(self.who, self._record))  # fmt: skip
        with self._noted("page") as done:
            page.open()
            if not page.data:
                raise ValueError("the page has no annotator")
            done.append(True)
        if not done:
            return False
        self._page, self._line.token = page, page.data["token"]
        self._was_open = time.time()
        return True

    def _look(self, seconds: float) -> None:
        """The tab is open meanwhile; a page that is closed by the server is opened again, beside the answers."""
        until = time.monotonic() + seconds
        if self._page is None:
            self.ending.wait(seconds)
            return
        try:
            self._page.follow(until)
            self._was_open = time.time()
        except CLOSED as error:  # it may have been closed while this person waited for an answer
            self._note(self._was_open, f"websocket: {error!r}")
            self._page = None

    def _next(self) -> dict[str, Any] | None:
        if len(self._items) <= AHEAD // 3:
            body = {"campaign": self._room.campaign, "session": self._tab, "n": AHEAD, "after": self._after}
            with self._noted("next"):
                held = self._line.post("/api/next", body)["items"]
                self._items = held
                self._after = max([self._after, *(one["position"] for one in held)])
        return self._items.pop(0) if self._items else None

    def _fetch_pictures(self, item: dict[str, Any]) -> None:
        assert self._page is not None
        for kind in ("image", "heat"):
            with self._noted(kind):
                self._line.get(self._page.data[kind].replace(ROW, str(item["row"])))

    def _answer(self, item: dict[str, Any]) -> None:
        """Press the key, and send until it is acknowledged, as the outbox does."""
        answer = Answer(secrets.token_hex(12), self.who, time.time())
        self._record.answers.append(answer)
        value = self._random.choice((1, 1, 0, -1))
        given = [{"id": answer.id, "item": item["id"], "value": value, "seen": {}, "ms": 1000}]
        body = {"campaign": self._room.campaign, "session": self._tab, "answers": given}
        tries, last = 0, None
        while answer.acknowledged is None:
            with self._noted("answer"):
                if answer.id in self._line.post("/api/answers", body)["ids"]:
                    answer.acknowledged = time.time()
                    return
                raise ValueError("the answer is not among those that are kept")
            if self.ending.is_set():
                last = last or time.monotonic() + LAST_S
                if time.monotonic() > last:
                    return
            time.sleep(RETRY_S[min(tries, len(RETRY_S) - 1)])
            tries += 1

    @contextmanager
    def _noted(self, what: str) -> Iterator[list[bool]]:
        """A request whose failure is written down and mended by the next try."""
        since, done = time.time(), list[bool]()
        try:
            yield done
        except (*FAILED, WebSocketException) as error:
            self._note(since, f"{what}: {error!r}")

    def _note(self, since: float, said: str) -> None:
        self._record.troubles.append(Trouble(since, time.time(), self.who, said[:300]))


class _Noted(list[str]):
    """The errors that a page shows go straight into the record."""

    def __init__(self, who: str, record: Record) -> None:
        self._who, self._record = who, record

    def append(self, said: str) -> None:
        now = time.time()
        self._record.troubles.append(Trouble(now, now, self._who, said))
