"""Files are taken from sessions whose page asks for one, and from no others."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from app import admission
from app.admission import Uploads
from app.server import MIDDLEWARE

CONFIG = Path(__file__).parents[2] / ".streamlit" / "config.toml"


async def keep(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setattr(admission, "_expected", {})
    routes = [
        Route("/_stcore/upload_file/{session}/{file}", keep, methods=["PUT", "DELETE"]),
        Route("/studio/_stcore/upload_file/{session}/{file}", keep, methods=["PUT"]),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(Uploads)]))


def show_input() -> None:
    from streamlit.runtime.scriptrunner import get_script_run_ctx

    from app import admission

    admission.expect_files()
    admission._expected["seen by the test"] = admission._expected[get_script_run_ctx().session_id]


@pytest.mark.parametrize("below", ["", "/studio"])
def test_a_file_that_no_page_asked_for_is_refused(client: TestClient, below: str) -> None:
    answer = client.put(f"{below}/_stcore/upload_file/somebody/f1", content=b"x" * 1_000)
    assert answer.status_code == 403 and "No page of this session asks for a file" in answer.text


def test_a_page_that_shows_a_file_input_may_be_sent_a_file(client: TestClient) -> None:
    assert not AppTest.from_function(show_input).run().exception
    (session, _) = admission._expected
    assert client.put(f"/_stcore/upload_file/{session}/f1", content=b"x" * 1_000).text == "1000 bytes"
    assert client.put("/_stcore/upload_file/another/f1", content=b"x").status_code == 403


def test_a_page_of_yesterday_may_not(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not AppTest.from_function(show_input).run().exception
    (session, _) = admission._expected
    now = admission.time.monotonic()
    monkeypatch.setattr(admission.time, "monotonic", lambda: now + admission.TOKEN_VALID_S + 60)
    assert client.put(f"/_stcore/upload_file/{session}/f1", content=b"x").status_code == 403


class AskedMeanwhile(float):
    """A moment at whose reading another session asks, as another thread may at any time."""

    def __rsub__(self, now: float) -> float:
        admission._expected[f"a session of {now} s, {len(admission._expected)}"] = now
        return now - float(self)


@pytest.mark.usefixtures("client")
def test_sessions_that_ask_at_the_same_time_do_not_disturb_each_other() -> None:
    admission._expected.update({name: AskedMeanwhile(admission.time.monotonic()) for name in ("one", "another")})
    assert not AppTest.from_function(show_input).run().exception
    assert {"one", "another", "seen by the test"} < set(admission._expected)


def test_the_server_has_the_check_and_a_small_limit_for_each_file() -> None:
    assert Uploads in [each.cls for each in MIDDLEWARE]
    assert tomllib.loads(CONFIG.read_text())["server"]["maxUploadSize"] <= 25
