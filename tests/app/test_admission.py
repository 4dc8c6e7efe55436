"""What is let in: hosts and origins, files that a page asked for, messages that pages send."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.testing.v1 import AppTest

from app import admission, server, session
from app.admission import MOST_FILES, MOST_WIDGETS, PROTOCOL_ERROR, KnownHosts, Uploads, WebsocketFrames
from app.server import MIDDLEWARE
from slim_core.settings import Settings

HERE, SOCKET = "http://127.0.0.1:8501", "ws://127.0.0.1:8501/socket"


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


def page(request: object) -> PlainTextResponse:
    return PlainTextResponse("ours")


@pytest.fixture
def given(monkeypatch):
    """given(public_url=...): the settings of the server."""

    def use(**values):
        monkeypatch.setattr(admission, "settings", lambda: Settings(**values))

    use()
    return use


@pytest.fixture
def client(given) -> TestClient:
    routes = [Route("/", page, methods=["GET", "POST"]), WebSocketRoute("/socket", talk)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(KnownHosts)]), base_url=HERE)


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost", "LOCALHOST:9", "[::1]:8501", "localhost."])
def test_the_names_of_this_machine_are_answered(client, host) -> None:
    assert client.get("/", headers={"Host": host}).text == "ours"


@pytest.mark.parametrize(
    "host",
    ["rebind.test", "rebind.test:8501", "127.0.0.1.evil.example", "evil@127.0.0.1:8501", "", "["]
    + [f"localhost{more}" for more in ("/evil", "?evil", "#evil", ":8501/evil", ":x", ":", "\tevil", " evil", "..")]
    + ["http://localhost", "//localhost", "[localhost]", "[::1", "::1", "[::1]evil", "[127.0.0.1]"],
)
def test_another_name_is_refused_in_a_sentence(client, host) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403 and "SLIM_PUBLIC_URL" in answer.text


def test_a_websocket_under_another_name_is_refused(client) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://rebind.test/socket"):
        pass


def test_names_in_the_settings_are_answered_and_such_an_address_is_our_own(client, given) -> None:
    given(public_url="https://slim.example/studio, http://SLIM.lab, http://10.0.0.7:8501")
    for host in ("slim.lab", "10.0.0.7:8501", "slim.example"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    assert client.get("/", headers={"Host": "slim.example.evil"}).status_code == 403
    for origin, status in (("https://slim.example", 200), ("http://slim.lab", 200), ("http://slim.example", 403)):
        assert client.post("/", headers={"Origin": origin}).status_code == status


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:9999", "https://localhost:8501", "http://[", "127.0.0.1:8501"]
    + ["//127.0.0.1:8501", "file://127.0.0.1:8501", "x://127.0.0.1:8501", "http://127.0.0.1:8501/", ""],
)
def test_a_foreign_page_changes_nothing_and_opens_no_websocket(client, origin) -> None:
    assert client.post("/", headers={"Origin": origin}).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(SOCKET, headers={"Origin": origin}),
    ):
        pass


def test_our_own_page_does_both(client) -> None:
    assert client.post("/", headers={"Origin": HERE}).status_code == 200
    with client.websocket_connect(SOCKET, headers={"Origin": HERE}) as socket:
        assert socket.receive_text() == "hello"


def test_answers_may_not_be_framed_nor_guessed_at_nor_told_on(client) -> None:
    for host in ("localhost", "rebind.test"):
        headers = client.get("/", headers={"Host": host}).headers
        assert headers["Content-Security-Policy"] == "frame-ancestors 'self'"
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"


def scope(address: str, host: str) -> dict[str, object]:
    return {"type": "http", "method": "GET", "server": (address, 8501), "headers": [(b"host", host.encode())]}


def test_beyond_this_machine_nobody_is_answered_while_nobody_signs_in(given) -> None:
    assert "not configured" in str(admission.refusal(scope("192.168.1.5", "192.168.1.5:8501"), Settings()))
    told = Settings(allow_without_sign_in=True)
    assert admission.refusal(scope("192.168.1.5", "192.168.1.5:8501"), told) is None
    assert "rebind.test" in str(admission.refusal(scope("192.168.1.5", "rebind.test"), told))


def test_the_address_that_was_connected_to_is_a_name_of_ours_and_another_one_is_not() -> None:
    assert admission.refusal(scope("127.0.0.2", "127.0.0.2:8501"), Settings()) is None
    assert admission.refusal(scope("127.0.0.2", "127.0.0.3:8501"), Settings()) is not None


def test_two_hosts_are_one_too_many() -> None:
    twice = scope("127.0.0.1", "localhost") | {"headers": [(b"host", b"localhost"), (b"host", b"evil.example")]}
    assert admission.refusal(twice, Settings()) is not None


def test_a_trusted_header_that_comes_twice_is_refused(client, monkeypatch) -> None:
    monkeypatch.setattr(session, "trusted_headers", lambda: ("X-Forwarded-Email",))
    ann, boss = ("X-Forwarded-Email", "ann@slim.example"), ("x-forwarded-email", "boss@slim.example")
    assert client.get("/", headers=[ann]).status_code == 200
    refused = client.get("/", headers=[boss, ann])
    assert refused.status_code == 403 and "X-Forwarded-Email came more than" in refused.text
    raw = [(name.lower().encode(), value.encode()) for name, value in (("host", "localhost"), boss, ann)]
    socket = scope("127.0.0.1", "localhost") | {"type": "websocket", "headers": raw}
    assert "more than once" in str(admission.refusal(socket, Settings()))


CONFIG = Path(__file__).parents[2] / "app" / ".streamlit" / "config.toml"


async def keep(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture
def uploading(monkeypatch: pytest.MonkeyPatch) -> TestClient:
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
def test_a_file_that_no_page_asked_for_is_refused(uploading: TestClient, below: str) -> None:
    answer = uploading.put(f"{below}/_stcore/upload_file/somebody/f1", content=b"x" * 1_000)
    assert answer.status_code == 403 and "session asks for" in answer.text


def test_a_page_that_shows_a_file_input_may_be_sent_a_file(uploading: TestClient) -> None:
    assert not AppTest.from_function(show_input).run().exception
    (session, _) = admission._expected
    assert uploading.put(f"/_stcore/upload_file/{session}/f1", content=b"x" * 1_000).text == "1000 bytes"
    assert uploading.put("/_stcore/upload_file/another/f1", content=b"x").status_code == 403


def test_a_page_of_yesterday_may_not(uploading: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not AppTest.from_function(show_input).run().exception
    (session, _) = admission._expected
    now = admission.time.monotonic()
    monkeypatch.setattr(admission.time, "monotonic", lambda: now + admission.TOKEN_VALID_S + 60)
    assert uploading.put(f"/_stcore/upload_file/{session}/f1", content=b"x").status_code == 403


class AskedMeanwhile(float):
    """A moment at whose reading another session asks, as another thread may at any time."""

    def __rsub__(self, now: float) -> float:
        admission._expected[f"a session of {now} s, {len(admission._expected)}"] = now
        return now - float(self)


@pytest.mark.usefixtures("uploading")
def test_sessions_that_ask_at_the_same_time_do_not_disturb_each_other() -> None:
    admission._expected.update({name: AskedMeanwhile(admission.time.monotonic()) for name in ("one", "another")})
    assert not AppTest.from_function(show_input).run().exception
    assert {"one", "another", "seen by the test"} < set(admission._expected)


def test_the_server_has_the_check_and_a_small_limit_for_each_file() -> None:
    assert Uploads in [each.cls for each in MIDDLEWARE]
    assert tomllib.loads(CONFIG.read_text())["server"]["maxUploadSize"] <= 25


@pytest.fixture
def streaming() -> TestClient:
    async def page(socket: WebSocket) -> None:
        """Reads as Streamlit does: bytes that are messages, until the browser goes."""
        await socket.accept()
        while True:
            try:
                message = BackMsg.FromString(await socket.receive_bytes())
            except WebSocketDisconnect:
                return
            await socket.send_text(message.rerun_script.page_name or str(message.WhichOneof("type")))

    routes = [WebSocketRoute("/stream", page)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(WebsocketFrames)]))


def a_message() -> bytes:
    message = BackMsg()
    message.rerun_script.page_name = "jobs"
    return message.SerializeToString()


def test_messages_of_pages_pass(streaming: TestClient) -> None:
    with streaming.websocket_connect("/stream") as socket:
        for _ in range(2):
            socket.send_bytes(a_message())
            assert socket.receive_text() == "jobs"


def of_files(n: int) -> BackMsg:
    message = BackMsg()
    message.file_urls_request.file_names.extend([""] * n)
    return message


def of_widgets(n: int) -> BackMsg:
    message = BackMsg()
    for _ in range(n):
        message.rerun_script.widget_states.widgets.add()
    return message


@pytest.mark.parametrize(
    "message", [BackMsg(app_heartbeat=True), BackMsg(stop_script=True), of_files(MOST_FILES), of_widgets(9)]
)
def test_so_do_the_others_that_pages_send(streaming: TestClient, message: BackMsg) -> None:
    with streaming.websocket_connect("/stream") as socket:
        socket.send_bytes(message.SerializeToString())
        assert socket.receive_text() == message.WhichOneof("type")


@pytest.mark.parametrize(
    "message",
    [
        BackMsg(load_git_info=True),
        BackMsg(clear_cache=True),
        BackMsg(set_run_on_save=True),
        BackMsg(debug_shutdown_runtime=True),
        of_files(MOST_FILES + 1),
        of_widgets(MOST_WIDGETS + 1),
    ],
)
def test_what_no_page_sends_is_dropped_and_the_page_goes_on(streaming: TestClient, message: BackMsg) -> None:
    with streaming.websocket_connect("/stream") as socket:
        socket.send_bytes(message.SerializeToString())
        socket.send_bytes(a_message())
        assert socket.receive_text() == "jobs"


def test_what_streamlit_refuses_for_its_size_is_not_read_before(
    streaming: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(admission, "message_in", read.append)
    monkeypatch.setattr(st, "get_option", {"server.maxWidgetStateSize": 0}.__getitem__)
    with streaming.websocket_connect("/stream") as socket:
        socket.send_bytes(a_message())
        assert socket.receive_text() == "jobs" and read == []


@pytest.mark.parametrize(
    "frame", ["hello", "", b"\xff" * 40, bytes(1_000), b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 5_000]
)
def test_anything_else_ends_the_websocket_and_is_one_line_of_the_log(
    streaming: TestClient, caplog: pytest.LogCaptureFixture, frame: str | bytes
) -> None:
    with streaming.websocket_connect("/stream") as socket, caplog.at_level(logging.WARNING):
        socket.send_text(frame) if isinstance(frame, str) else socket.send_bytes(frame)
        closed = socket.receive()
    assert (closed["type"], closed["code"]) == ("websocket.close", PROTOCOL_ERROR)
    (record,) = caplog.records
    assert "not a message" in record.getMessage() and record.exc_info is None


def test_the_dashboard_checks_them() -> None:
    assert WebsocketFrames in [middleware.cls for middleware in server.MIDDLEWARE]
