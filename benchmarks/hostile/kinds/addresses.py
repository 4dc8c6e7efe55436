"""Addresses, methods, hosts, origins and raw bytes of HTTP: ways out of folders, foreign names, smuggling."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from app.access import TOKEN_HEADER
from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import Request, http_request
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio

DRAWN = 120
CLIMBS = ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..\\", "..%5c", "....//", "%252e%252e%252f", "..%c0%af", "/", "//")
TARGETS = ("outside/secret.txt", "etc/passwd", "home/token.key", "home/slim.db", ".streamlit/secrets.toml")
ROUTES = ("/api/image/d/0", "/api/next", "/api/answers", "/api/export/r/subset-csv", "/api/points/r/xy.bin", "/metrics")
FOREIGN = (
    "evil.example",
    "evil.example:8501",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "127.0.0.1@evil.example",
    "[::ffff:1.2.3.4]",
    "",
    "a b",
    "x" * 5_000,
    "0.0.0.0",
    "169.254.169.254",
    "%31%32%37.0.0.1",
)
ORIGINS = (
    "http://evil.example",
    "null",
    "https://127.0.0.1",
    "http://127.0.0.1:1",
    "file://",
    "http://localhost.evil.example",
)


def cases(studio: Studio, seed: int) -> list[Case]:  # noqa: ARG001  # as every kind
    """All refused below /api and /assets; elsewhere Streamlit may show its page, but nothing from outside."""
    made = [*_climbs(), *_methods(), *_hosts(), *_origins(), *_streamlits(), *_raw()]
    return [*made, *_drawn(seed)]


def _climbs() -> list[Case]:
    below = {"/assets/ui/": "refused", "/api/": "refused", "/": "either", "/static/": "either", "/media/": "either"}
    return [
        _get(f"{start}{climb * 6}{target}", expected)
        for start, expected in below.items()
        for climb in CLIMBS
        for target in (TARGETS if start == "/assets/ui/" else TARGETS[:2])
    ]


def _methods() -> list[Case]:
    wrong = {
        "/api/image/d/0": ("POST", "PUT", "DELETE", "PATCH"),
        "/api/next": ("GET", "PUT", "DELETE"),
        "/api/answers": ("GET", "PUT"),
    }
    made = [
        _case(f"{method} {route}", Request(route, method)) for route, methods in wrong.items() for method in methods
    ]
    made += [
        _case(f"{method} /", Request("/", method), "either") for method in ("TRACE", "CONNECT", "PROPFIND", "X" * 900)
    ]
    return [*made, *(_case(f"no ticket: {route}", Request(route)) for route in ROUTES[:-1])]


def _hosts() -> list[Case]:
    made = [
        _case(f"host {host[:50]!r}{path}", Request(path, host=host)) for host in FOREIGN for path in ("/", "/healthz")
    ]
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    made.append(_case("two hosts", Request("/", headers={"host": "evil.example"})))
    made += [
        _case(f"{name} alone", Request("/healthz", headers={name: value}), "accepted")
        for name, value in headers.items()
    ]
    return [*made, _case("forged e-mail", Request("/healthz", headers={"X-Forwarded-Email": "boss@x.org"}), "accepted")]


def _origins() -> list[Case]:
    def from_page(origin: str, route: str) -> Callable[[Studio], Outcome]:
        def send(studio: Studio) -> Outcome:
            headers = {"Origin": origin, TOKEN_HEADER: studio.token(), "Content-Type": "text/plain"}
            return http_request(studio, Request(route, "POST", headers, b"{}"))

        return send

    return [
        Case(f"a page of {origin} posts to {route}", from_page(origin, route))
        for origin in ORIGINS
        for route in ("/api/next", "/api/answers", "/_stcore/upload_file/s/f")
    ]


def _streamlits() -> list[Case]:
    uploads = [
        ("PUT", "/_stcore/upload_file/session/f"),
        ("POST", "/_stcore/upload_file/x/y"),
        ("DELETE", "/_stcore/upload_file/x/y"),
        ("PUT", "/_stcore/upload_file/..%2f..%2fx/y"),
        ("PUT", "//_stcore/upload_file/session/f"),
    ]
    made = [
        _case(f"{method} {path}", Request(path, method, body=b"x" * 1_000), "either" if path[1] == "/" else "refused")
        for method, path in uploads
    ]
    odd = (
        "/_stcore/nothing",
        "/media/x.png",
        "/component/../x/y.js",
        "/component/x/..%2f..%2fy",
        "/oauth2callback?code=x&state=y",
        "/auth/login?provider=x",
        "/auth/logout",
        "/_stcore/message?hash=../x",
        "/_stcore/bidi-components/x/../y",
    )
    return [*made, *(_get(path, "either") for path in odd)]


def _raw() -> list[Case]:
    """Requests that no browser sends."""
    twice = {"Content-Length": "5", "content-length": "50"}
    smuggled = {"Transfer-Encoding": "chunked", "Content-Length": "5"}
    return [
        _case("two lengths", Request("/api/next", "POST", twice, b"abcde")),
        _case("chunked and a length", Request("/api/next", "POST", smuggled, b"0\r\n\r\nGET /x")),
        _case("a negative length", Request("/api/next", "POST", {"Content-Length": "-1"})),
        _case("a length of words", Request("/api/next", "POST", {"Content-Length": "many"})),
        _case("a header of 2 MB", Request("/", headers={"X-Long": "x" * 2_000_000})),
        _case("10,000 headers", Request("/", headers={f"X-{i}": "x" for i in range(10_000)}), "either"),
        _case("an address of 1 MB", Request("/" + "x" * 1_000_000)),
        _case("bytes of TLS", Request(b"\x16\x03\x01\x02\x00")),
        _case("control letters", Request(b"/\x00\x01\x1b[31m")),
        _case("no address", Request(b"")),
        _case("a full address", Request("http://evil.example/api/next", host="evil.example")),
        _case("not UTF-8", Request(b"/api/image/\xff\xfe/0")),
        _case("a line in a header", Request("/healthz", headers={"X-A": "b\r\nX-Slim-Token: x"}), "accepted"),
    ]


def _drawn(seed: int) -> list[Case]:
    part = st.one_of(
        st.text(st.characters(codec="ascii", exclude_characters=" \r\n"), max_size=12),
        st.sampled_from(
            ["..", "%2e%2e", "%00", "%ff", "~", "null", "undefined", "-1", "1e9", "'--", "{}", "*", "api", "image"]
        ),
        st.integers().map(str),
    )
    path = st.tuples(
        st.sampled_from(["/api/", "/assets/", "/api/image/", "/api/points/", "/api/export/"]),
        st.lists(part, max_size=4),
    )
    addresses = drawn(path.map(lambda drawn: drawn[0] + "/".join(drawn[1])), DRAWN, of_seed=seed)
    return [_get(address, "refused", is_drawn=True) for address in addresses]


def _get(path: str, expected: Expected, *, is_drawn: bool = False) -> Case:
    return Case(f"GET {path[:90]}", lambda studio: http_request(studio, Request(path)), expected, drawn=is_drawn)


def _case(name: str, request: Request, expected: Expected = "refused") -> Case:
    return Case(name, lambda studio: http_request(studio, request), expected)
