"""Frames of a websocket that are no messages end it, with one line in the log and no traceback."""

from __future__ import annotations

import logging

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg

from app import admission, server
from app.admission import MOST_FILES, MOST_WIDGETS, PROTOCOL_ERROR, WebsocketFrames


@pytest.fixture
def client() -> TestClient:
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


def test_messages_of_pages_pass(client: TestClient) -> None:
    with client.websocket_connect("/stream") as socket:
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
def test_so_do_the_others_that_pages_send(client: TestClient, message: BackMsg) -> None:
    with client.websocket_connect("/stream") as socket:
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
def test_what_no_page_sends_is_dropped_and_the_page_goes_on(client: TestClient, message: BackMsg) -> None:
    with client.websocket_connect("/stream") as socket:
        socket.send_bytes(message.SerializeToString())
        socket.send_bytes(a_message())
        assert socket.receive_text() == "jobs"


def test_what_streamlit_refuses_for_its_size_is_not_read_before(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []
    monkeypatch.setattr(admission, "message_in", read.append)
    monkeypatch.setattr(st, "get_option", {"server.maxWidgetStateSize": 0}.__getitem__)
    with client.websocket_connect("/stream") as socket:
        socket.send_bytes(a_message())
        assert socket.receive_text() == "jobs" and read == []


@pytest.mark.parametrize(
    "frame", ["hello", "", b"\xff" * 40, bytes(1_000), b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 5_000]
)
def test_anything_else_ends_the_websocket_and_is_one_line_of_the_log(
    client: TestClient, caplog: pytest.LogCaptureFixture, frame: str | bytes
) -> None:
    with client.websocket_connect("/stream") as socket, caplog.at_level(logging.WARNING):
        socket.send_text(frame) if isinstance(frame, str) else socket.send_bytes(frame)
        closed = socket.receive()
    assert (closed["type"], closed["code"]) == ("websocket.close", PROTOCOL_ERROR)
    (record,) = caplog.records
    assert "is not a message of a page" in record.getMessage() and record.exc_info is None


def test_the_dashboard_checks_them() -> None:
    assert WebsocketFrames in [middleware.cls for middleware in server.MIDDLEWARE]
