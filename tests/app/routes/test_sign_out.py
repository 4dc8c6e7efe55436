"""Signing out ends the pages that are open under that sign-in, with Streamlit's two addresses played by a small app."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app.routes.sign_out import SignOut


async def page(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


def sign_out(request: Request) -> Response:
    response = Response("signed out")
    response.delete_cookie("_streamlit_user")
    return response


@pytest.fixture
def dashboard() -> Iterator[TestClient]:
    routes = [WebSocketRoute("/stream", page), Route("/auth/logout", sign_out)]
    with TestClient(Starlette(routes=routes, middleware=[Middleware(SignOut)])) as client:
        yield client


def cookie(value: str) -> dict[str, str]:
    return {"Cookie": f"_streamlit_user={value}; slim-name=ann"}


def test_all_pages_of_a_sign_in_end_with_it_and_no_others(dashboard: TestClient) -> None:
    with (
        dashboard.websocket_connect("/stream", headers=cookie("of ann")) as one,
        dashboard.websocket_connect("/stream", headers=cookie("of ann")) as two,
        dashboard.websocket_connect("/stream", headers=cookie("of bob")) as bobs,
        dashboard.websocket_connect("/stream") as nobodys,
    ):
        dashboard.get("/auth/logout")  # by somebody without a sign-in
        one.send_text("still here")
        assert one.receive_text() == "still here"
        dashboard.get("/auth/logout", headers=cookie("of ann"))
        for ended in (one, two):
            with pytest.raises(WebSocketDisconnect) as closed:
                ended.receive_text()
            assert closed.value.code == 1001
        for other in (bobs, nobodys):
            other.send_text("still here")
            assert other.receive_text() == "still here"


def test_a_page_that_has_gone_is_not_remembered() -> None:
    sent: list[str] = []

    async def end(scope: Scope, receive: Receive, send: Send) -> None:
        """What it is asked for is over at once."""

    async def receive() -> Message:
        raise AssertionError("nobody asks")

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def visit() -> None:
        dashboard = SignOut(end)
        about = {"path": "/auth/logout", "headers": [(b"cookie", b"_streamlit_user=ann")]}
        for kind in ("websocket", "http"):
            await dashboard({"type": kind, **about}, receive, send)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(visit())).result()  # here, Playwright's loop may be running
    assert sent == []
