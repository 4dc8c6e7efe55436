"""Tickets of the routes: none, forged, cut, of others, of another time or shape, for something else; and cookies."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from unittest import mock

from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from app import access
from app.access import TOKEN_HEADER, Viewer
from benchmarks.hostile.case import Case, Expected, Outcome
from benchmarks.hostile.clients import Request, http_request, post
from benchmarks.hostile.drawn import drawn
from benchmarks.hostile.studio import Studio

DRAWN = 60
DAY_S = 86_400
Make = Callable[[Studio], str]


def cases(studio: Studio, seed: int) -> list[Case]:
    """Each asks for an image, by its address, or for images to answer, by a header."""
    made = [_image(name, make) for name, make in FORGED.items()]
    made += [_header(name, make) for name, make in FORGED.items()]
    made += [_payload(payload) for payload in PAYLOADS]
    made += [_tampered(position) for position in range(0, 60, 6)]
    made += [_drawn(text) for text in drawn(_texts(), DRAWN, of_seed=seed)]
    return [*made, *_narrowed(studio), *_cookies()]


def _other_key(viewer: Viewer) -> str:
    fields = [viewer.name, viewer.role, viewer.datasets, viewer.campaigns, ""]
    return str(URLSafeTimedSerializer(secrets.token_bytes(32), salt="routes").dumps(fields))


def _at(studio: Studio, moment: float) -> str:
    with mock.patch("app.access.time.time", return_value=moment):
        return studio.token()


def _unsigned(studio: Studio) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(["boss", "admin", None, None, ""]).encode()).rstrip(b"=").decode()
    return f"{payload}.{studio.token().split('.', 1)[1]}"


FORGED: dict[str, Make] = {
    "none": lambda _: "",
    "a word": lambda _: "admin",
    "dots": lambda _: "a.b.c",
    "many dots": lambda _: "." * 10_000,
    "of another key": lambda _: _other_key(Viewer("boss", "admin")),
    "of an empty key": lambda _: str(
        URLSafeTimedSerializer(b"", salt="routes").dumps(["boss", "admin", None, None, ""])
    ),
    "of another salt": lambda studio: str(
        URLSafeTimedSerializer((studio.settings.home / "token.key").read_bytes(), salt="x").dumps(
            ["b", "admin", None, None]
        )
    ),
    "14 hours old": lambda studio: _at(studio, time.time() - 14 * 3600),
    "a year old": lambda studio: _at(studio, time.time() - 365 * DAY_S),
    "of tomorrow": lambda studio: _at(studio, time.time() + DAY_S),
    "another's payload": _unsigned,
    "cut": lambda studio: studio.token()[:-1],
    "twice": lambda studio: studio.token() * 2,
    "with a NUL": lambda studio: studio.token() + "%00",
    "500 kB": lambda _: "x" * 60_000,
    "a JWT without signature": lambda _: "eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.",
}
PAYLOADS: tuple[object, ...] = (
    None,
    5,
    "admin",
    [],
    {},
    ["ann"],
    ["ann", "emperor", None, None, ""],
    [5, "admin", None, None, ""],
    ["ann", "admin", "all", None, ""],
    ["ann", "admin", [5], None, ""],
    ["ann", ["admin"], None, None, ""],
    {"name": "ann", "role": "admin"},
    ["ann", "admin", None, None, None],
)


def _target(studio: Studio) -> str:
    return f"/api/image/{studio.results.dataset}/0"


def _image(name: str, make: Make, expected: Expected = "refused") -> Case:
    return Case(
        f"{name}, in the address",
        lambda studio: http_request(studio, Request(f"{_target(studio)}?token={make(studio)}")),
        expected,
    )


def _header(name: str, make: Make) -> Case:
    return Case(f"{name}, in a header", lambda studio: _asking(studio, make(studio)))


def _asking(studio: Studio, token: str) -> Outcome:
    return post(studio, "next", {"campaign": studio.results.campaign, "session": "tab", "n": 1}, token)


def _payload(payload: object) -> Case:
    """Rightly signed, which takes the key, but of another shape."""
    return _image(f"payload {payload!r}", lambda studio: str(access._serializer(studio.settings.home).dumps(payload)))


def _tampered(position: int) -> Case:
    def make(studio: Studio) -> str:
        token = studio.token()
        at = position % len(token)
        return token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]

    return _image(f"letter {position} changed", make)


def _texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="ascii", exclude_characters=" \r\n#&%"), max_size=80)


def _drawn(text: str) -> Case:
    return Case(
        f"drawn {text[:40]!r}",
        lambda studio: http_request(studio, Request(f"{_target(studio)}?token={text}")),
        drawn=True,
    )


def _narrowed(studio: Studio) -> list[Case]:
    """Good tickets, but for another role, data set or campaign."""
    at = studio.results

    def narrow(**limits: tuple[str, ...]) -> Make:
        return lambda studio: studio.token(**limits)

    elsewhere = narrow(datasets=(at.other_dataset,))
    stolen = f"/api/image/{at.other_dataset}/0?kind=overlay&run={at.attention}"
    of_others = (
        _target(studio),
        f"/api/points/{at.space}/points.bin",
        f"/api/points/{at.space}/at/0",
        f"/api/export/{at.subset}/subset-csv",
        f"/api/export/{at.campaign}/answers-csv",
    )
    made = [_asked(f"of another data set: {path.split('/')[2]}", path, elsewhere) for path in (*of_others, stolen)]
    made.append(
        _asked("of another campaign: export", f"/api/export/{at.campaign}/answers-csv", narrow(campaigns=("c-x",)))
    )
    made += [
        Case(f"{who}: {route}", lambda studio, route=route, token=token: _posted(studio, route, token(studio)))
        for who, token in (
            ("of another campaign", narrow(campaigns=("c-x",))),
            ("a viewer's", lambda s: s.token("viewer")),
        )
        for route in ("next", "answers", "given", "release")
    ]
    made.append(
        Case(
            "in the address of a POST",
            lambda studio: http_request(studio, Request(f"/api/next?token={studio.token()}", "POST", body=b"{}")),
        )
    )
    return made


def _asked(name: str, path: str, make: Make) -> Case:
    return Case(name, lambda studio: http_request(studio, Request(path, headers={TOKEN_HEADER: make(studio)})))


def _posted(studio: Studio, route: str, token: str) -> Outcome:
    body = {"campaign": studio.results.campaign, "session": "tab", "n": 1, "answers": []}
    return post(studio, route, body, token)


def _cookies() -> list[Case]:
    """Cookies give no access to a route."""
    forged = (
        "_streamlit_user=x",
        "_streamlit_user=2|1:0|10:1|15:_streamlit_user|4:e30=|abc",
        "slim-name=boss",
        "a=" + "x" * 7_000,
    )
    return [
        Case(
            f"cookie {cookie[:40]}",
            lambda studio, cookie=cookie: http_request(studio, Request(_target(studio), headers={"Cookie": cookie})),
        )
        for cookie in forged
    ]
