"""Frames of a websocket that are no messages end it, with one line in the log and no traceback."""

from __future__ import annotations

import logging

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.proto.BackMsg_pb2 import BackMsg

from app import server
from app.websocket_frames import PROTOCOL_ERROR, WebsocketFrames


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
            await socket.send_text(message.rerun_script.page_name)

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
