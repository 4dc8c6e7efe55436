"""Websockets: foreign pages and names, bytes that are no messages, and every page under drawn parameters."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from app.navigation import PAGES
from benchmarks.hostile.case import Case, drawn
from benchmarks.hostile.http import FOREIGN, ORIGINS, TEXTS
from benchmarks.hostile.studio import Studio
from benchmarks.hostile.ways_in import visit

DRAWN = 150
NAMES = [name for entries in PAGES.values() for name, _ in entries]
PARAMETERS = ("dataset", "run", "space", "campaign", "section", "selection", "split", "group", "page")
MESSAGES: dict[str, str | bytes] = {
    "text": "hello",
    "nothing": b"",
    "noise": bytes(range(256)) * 10,
    "a cut message": b"\x0a\xff\xff\xff\xff\x0f",
    "1 MB": bytes(1_000_000),
    "nested fields": b"\x0b" * 5_000,
}


def cases(studio: Studio, seed: int) -> Iterator[Case]:
    """Pages may show an error, never an exception; whatever is sent, the server goes on to serve others."""
    for origin in ORIGINS:
        yield Case(f"from {origin}", lambda studio, origin=origin: visit(studio, "", origin=origin))
    for host in FOREIGN[:4]:
        yield Case(f"under the name {host}", lambda studio, host=host: visit(studio, "", host=host))
    for path in ("/_stcore/other", "/../_stcore/stream", "/api/next"):
        yield Case(f"at {path}", lambda studio, path=path: visit(studio, "", path=path))
    for name, content in MESSAGES.items():
        yield Case(f"message: {name}", lambda studio, content=content: visit(studio, "jobs", first=content), "accepted")
    for page in ("nothing", "../jobs", "x" * 3_000, "\x00"):
        yield Case(f"page {page[:20]!r}", lambda studio, page=page: visit(studio, page), "either")
    ids = [value for value in vars(studio.results).values() if isinstance(value, str)]
    values = st.sampled_from([*ids, *TEXTS, "<script>alert(1)</script>", "\u202e"]) | st.text(max_size=20)
    parameters = st.dictionaries(st.sampled_from(PARAMETERS), values, min_size=1, max_size=4)
    for page, query in drawn(st.tuples(st.sampled_from(NAMES), parameters), DRAWN, of_seed=seed):
        encoded = {name: value.encode("utf-8", "surrogatepass") for name, value in query.items()}
        text = urlencode(encoded, quote_via=quote)
        yield Case(
            f"/{page}?{text[:100]}",
            lambda studio, page=page, text=text: visit(studio, page, text),
            "either",
            drawn=True,
        )
