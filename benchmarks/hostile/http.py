"""What hypothesis draws for each route of the app, tickets that are not good, and requests that no browser sends."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock
from urllib.parse import quote

from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from app import session
from app.server import ROUTES
from app.session import TOKEN_HEADER
from benchmarks.hostile.case import Case, Expected, drawn
from benchmarks.hostile.studio import Results, Studio
from benchmarks.hostile.ways_in import Request, http_request
from slim_core.export.writing import FORMS

DRAWN = 600
QUERY = ("size", "kind", "opacity", "run", "map_of")
TEXTS = ("", "..", "../../outside/secret.txt", "..%2f..%2fetc%2fpasswd", "%00", "%ff", "' OR 1=1 --", "-1", "nan",
         "1e309", "1" * 400, "x" * 3_000, "=HYPERLINK(1)", "[/]", "٤٢")  # fmt: skip
FOREIGN = ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "", "a b",
           "x" * 5_000, "0.0.0.0", "169.254.169.254")  # fmt: skip
ORIGINS = ("http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "file://")
FORGED: dict[str, Callable[[Studio], str]] = {
    "none": lambda _: "",
    "a word": lambda _: "admin",
    "of another key": lambda _: _signed_by(secrets.token_bytes(32)),
    "of an empty key": lambda _: _signed_by(b""),
    "of another salt": lambda studio: _signed_by((studio.settings.home / "token.key").read_bytes(), salt="x"),
    "14 hours old": lambda studio: _signed_at(studio, time.time() - 14 * 3600),
    "of tomorrow": lambda studio: _signed_at(studio, time.time() + 24 * 3600),
    "cut": lambda studio: studio.token()[:-1],
    "another's payload": lambda studio: f"{studio.token(name='boss').split('.')[0]}.{studio.token().split('.', 1)[1]}",
    "60 kB": lambda _: "x" * 60_000,
    "of another campaign": lambda studio: studio.token(campaigns=("c-x",)),
    "a viewer's": lambda studio: studio.token("viewer"),
}  # fmt: skip
RAW: dict[str, tuple[Request, Expected]] = {
    "two lengths": (Request("/api/next", "POST", {"Content-Length": "5", "content-length": "50"}, b"abcde"), "refused"),
    "chunked and a length": (
        Request("/api/next", "POST", {"Transfer-Encoding": "chunked", "Content-Length": "5"}, b"0\r\n\r\nGET /x"),
        "refused",
    ),
    "a negative length": (Request("/api/next", "POST", {"Content-Length": "-1"}), "refused"),
    "a header of 2 MB": (Request("/", headers={"X-Long": "x" * 2_000_000}), "refused"),
    "10,000 headers": (Request("/", headers={f"X-{i}": "x" for i in range(10_000)}), "either"),
    "an address of 1 MB": (Request("/" + "x" * 1_000_000), "refused"),
    "bytes of TLS": (Request(b"\x16\x03\x01\x02\x00"), "refused"),
    "control letters": (Request(b"/\x00\x01\x1b[31m"), "refused"),
    "not UTF-8": (Request(b"/api/image/\xff\xfe/0"), "refused"),
    "a full address": (Request("http://evil.example/api/next", host="evil.example"), "refused"),
    "two hosts": (Request("/", headers={"host": "evil.example"}), "refused"),
    "a line in a header": (Request("/healthz", headers={"X-A": "b\r\nX-Slim-Token: x"}), "accepted"),
    "a method of 900 letters": (Request("/", "X" * 900), "either"),
    "an upload that no page asked for": (Request("/_stcore/upload_file/s/f", "PUT", body=b"x" * 1_000), "refused"),
    "an upload beside its folder": (Request("/_stcore/upload_file/..%2f..%2fx/y", "PUT", body=b"x"), "refused"),
    **{f"host {host[:40]!r}": (Request("/healthz", host=host), "refused") for host in FOREIGN},
    **{
        f"{start} {climb}": (Request(f"{start}{climb * 6}outside/secret.txt"), expected)
        for start, expected in {"/assets/ui/": "refused", "/api/": "refused", "/": "either"}.items()
        for climb in ("../", "..%2f", "%2e%2e/", "..\\", "%252e%252e%252f", "..%c0%af", "//")
    },
}  # fmt: skip
BODIES = (b"", b"hello", b"[]", b"5", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b'{"n": NaN}',
          b'{"n": ' + b"9" * 5_000 + b"}", b'{"a": "' + b"x" * 2_000_000 + b'"}', b'{"campaign": "c')  # fmt: skip


def cases(studio: Studio, seed: int) -> Iterator[Case]:
    """Nothing without a good ticket comes through; with one, whatever is drawn is in order."""
    for name, (request, expected) in RAW.items():
        yield _case(name, request, expected)
    posts = [route.path for route in ROUTES if "POST" in (route.methods or ()) and "{" not in route.path]
    for path in posts:
        yield from (_case(f"{path} {body[:20]!r}", _posted(studio, path, body)) for body in BODIES)
        for origin in ORIGINS:
            headers = {"Origin": origin, "Content-Type": "text/plain"}
            yield _case(f"{path} from {origin}", _posted(studio, path, b"{}", **headers))
    yield from _tickets(studio, seed)
    for request in drawn(requests(studio), DRAWN, of_seed=seed):
        yield Case(_short(request), _sending(request), "either", drawn=True)


def _tickets(studio: Studio, seed: int) -> Iterator[Case]:
    at = studio.results
    asked = json.dumps({"campaign": at.campaign, "session": "tab", "n": 1}).encode()
    texts = st.text(st.characters(codec="ascii", exclude_characters=" \r\n#&%"), max_size=80)
    made = {name: make(studio) for name, make in FORGED.items()}
    for payload in drawn(_junk() | st.lists(_junk(), min_size=5, max_size=5), 40, of_seed=seed):
        made[f"payload {payload!r}"[:60]] = str(session._serializer(studio.settings.home).dumps(payload))
    for name, token in [*made.items(), *((f"drawn {text!r}", text) for text in drawn(texts, 40, of_seed=seed))]:
        is_drawn = name.startswith(("drawn", "payload"))
        request = Request("/api/next", "POST", {TOKEN_HEADER: token}, asked)
        yield Case(f"POST with {name}", _sending(request), drawn=is_drawn)
        if name not in ("of another campaign", "a viewer's"):  # who may see images
            yield Case(
                f"GET with {name}", _sending(Request(f"/api/image/{at.dataset}/0?token={token}")), drawn=is_drawn
            )
    for cookie in ("_streamlit_user=x", "slim-name=boss", "a=" + "x" * 7_000):
        yield _case(f"cookie {cookie[:30]}", Request(f"/api/image/{at.dataset}/0", headers={"Cookie": cookie}))


def requests(studio: Studio) -> st.SearchStrategy[Request]:
    """Of any route with a ticket: good ids among what is none, in its path, its query and its body."""
    token = studio.token()
    return st.sampled_from(ROUTES).flatmap(lambda route: _of(route, token, studio.results))


def _of(route: Any, token: str, at: Results) -> st.SearchStrategy[Request]:
    parts = {name: _values(name, at) for name in route.param_convertors}
    path = st.fixed_dictionaries(parts).map(lambda given: _filled(route.path, given))
    if "POST" not in (route.methods or ()):
        query = st.dictionaries(st.sampled_from(QUERY), _texts(at), max_size=3)
        return st.tuples(path, query).map(lambda drawn: Request(_address(*drawn, token)))
    answer = st.fixed_dictionaries(
        {"item": st.sampled_from(at.items) | _junk()},
        optional={name: _junk() for name in ("id", "value", "seen", "ms", "skip")},
    )
    fields = st.fixed_dictionaries(
        {},
        optional={
            "campaign": st.just(at.campaign) | _junk(),
            "dataset": st.just(at.dataset) | _junk(),
            "answers": st.lists(answer, max_size=2) | _junk(),
            **{name: _junk() for name in ("session", "n", "was", "after", "before", "row", "id", "shapes", "version")},
        },
    )
    headers = {TOKEN_HEADER: token, "Content-Type": "application/json"}
    return st.tuples(path, fields).map(lambda drawn: Request(drawn[0], "POST", headers, json.dumps(drawn[1]).encode()))


def _junk() -> st.SearchStrategy[Any]:
    """Whatever JSON can hold."""
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TEXTS)
    return st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    )


def _texts(at: Results) -> st.SearchStrategy[str]:
    ids = st.sampled_from([value for value in vars(at).values() if isinstance(value, str)])
    return ids | st.sampled_from(TEXTS) | st.text(max_size=16) | st.integers().map(str)


def _values(name: str, at: Results) -> st.SearchStrategy[str]:
    if name in ("row", "position"):
        return st.integers(0, 10**19).map(str) | st.sampled_from(["0", "1", "-1", "1.5", "0x1", *TEXTS])
    known = {"form": [*FORMS], "name": ["points", "xy", "page.css"], "folder": ["ui", "space"]}.get(name, ["x"])
    return _texts(at) | st.sampled_from(known)


def _filled(path: str, given: dict[str, str]) -> str:
    for name, value in given.items():
        start, _, rest = path.partition("{" + name)
        path = start + _quoted(value) + rest.partition("}")[2]
    return path


def _address(path: str, query: dict[str, str], token: str) -> str:
    return path + "?" + "&".join(f"{name}={_quoted(value)}" for name, value in ({**query, "token": token}).items())


def _quoted(value: str) -> str:
    """As a browser sends it; what is percent-encoded, or climbs, already stays as it is."""
    return value if value.startswith(("%", "..")) else quote(value.encode("utf-8", "surrogatepass"), safe="")


def _signed_by(key: bytes, salt: str = "routes") -> str:
    return str(URLSafeTimedSerializer(key, salt=salt).dumps(["boss", "admin", None, None, ""]))


def _signed_at(studio: Studio, moment: float) -> str:
    with mock.patch("app.session.time.time", return_value=moment):
        return studio.token()


def _posted(studio: Studio, path: str, body: bytes, **headers: str) -> Request:
    return Request(path, "POST", {TOKEN_HEADER: studio.token(), "Content-Type": "application/json"} | headers, body)


def _short(request: Request) -> str:
    return f"{request.method} {str(request.target).split('token=')[0]} {request.body!r}"[:160]


def _sending(request: Request) -> Callable[[Studio], Any]:
    return lambda studio: http_request(studio, request)


def _case(name: str, request: Request, expected: Expected = "refused") -> Case:
    return Case(name, _sending(request), expected)
