"""Websockets: foreign pages and names, bytes that are no messages, and every page under hostile parameters."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote, urlencode

from hypothesis import strategies as st
from websockets.exceptions import WebSocketException

from app.navigation import PAGES
from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import opened, visit
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio

DRAWN = 40
NAMES = [name for entries in PAGES.values() for name, _ in entries]
PARAMETERS = ("dataset", "run", "space", "campaign", "section", "selection", "split", "group", "page")
HOSTILE = (
    "../../outside",
    "<script>alert(1)</script>",
    "' OR 1=1 --",
    "1" * 60,
    "\x00",
    "nan",
    "[/]",
    "x" * 3_000,
    "\u202e",
)
FOREIGN = (
    "http://evil.example",
    "null",
    "https://127.0.0.1",
    "http://127.0.0.1:1",
    "http://localhost.evil.example",
    "file://",
)
HOSTS = ("evil.example", "evil.example:8501", "127.0.0.1.evil.example", "169.254.169.254")


def cases(studio: Studio, seed: int) -> list[Case]:
    """Pages may show an error, never an exception."""
    made = [
        Case(f"from {origin}", lambda studio, origin=origin: visit(studio, "", origin=origin)) for origin in FOREIGN
    ]
    made += [Case(f"under the name {host}", lambda studio, host=host: visit(studio, "", host=host)) for host in HOSTS]
    made += [Case(f"at {path}", lambda studio, path=path: visit(studio, "", path=path))
             for path in ("/_stcore/other", "/../_stcore/stream", "/api/next", "/x/_stcore/nothing")]  # fmt: skip
    made += [_sent(name, content) for name, content in MESSAGES.items()]
    made += [_page(page, {name: value}) for page in NAMES for name, value in zip(PARAMETERS, HOSTILE, strict=True)]
    at = studio.results
    mixed = {"dataset": at.model, "run": at.campaign, "space": at.attention, "campaign": at.dataset}
    made += [_page(page, mixed) for page in NAMES]
    made += [Case(f"page {page!r}", lambda studio, page=page: visit(studio, page), "either")
             for page in ("nothing", "../jobs", "jobs/page.py", "x" * 3_000, "\x00")]  # fmt: skip
    parameters = st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=20), min_size=1, max_size=4)
    asked = drawn(st.tuples(st.sampled_from(NAMES), parameters), DRAWN, of_seed=seed)
    return [*made, *(_page(page, query, is_drawn=True) for page, query in asked)]


def _page(page: str, query: dict[str, str], expected: Expected = "either", *, is_drawn: bool = False) -> Case:
    text = urlencode({name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}, quote_via=quote)
    return Case(f"/{page}?{text[:100]}", lambda studio: visit(studio, page, text), expected, drawn=is_drawn)


MESSAGES: dict[str, str | bytes] = {
    "text": "hello",
    "nothing": b"",
    "noise": bytes(range(256)) * 10,
    "a cut message": b"\x0a\xff\xff\xff\xff\x0f",
    "1 MB": bytes(1_000_000),
    "nested fields": b"\x0b" * 5_000,
}


def _sent(name: str, content: str | bytes) -> Case:
    """Whatever the server makes of it, it goes on to serve others: a page is opened afterwards."""
    return Case(f"message: {name}", _sending(content), "accepted")


def _sending(content: str | bytes) -> Callable[[Studio], Outcome]:
    def send(studio: Studio) -> Outcome:
        since = time.monotonic()
        try:
            with opened(studio) as session:
                session.send(content)
                session.recv(timeout=1)
        except (TimeoutError, WebSocketException):
            pass
        then = visit(studio, "jobs")
        return Outcome(then.verdict, then.said, time.monotonic() - since)

    return send
