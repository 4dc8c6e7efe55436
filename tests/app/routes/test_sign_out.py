"""Signing out ends the pages that are open under that sign-in, with Streamlit's two addresses played by a small app."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import signing
from app.signing import SignOut, SignOuts
from slim_core.settings import settings
from tests.app.own_redis import redis_at


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


def a_dashboard() -> TestClient:
    routes = [WebSocketRoute("/stream", page), Route("/auth/logout", sign_out)]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(SignOut)]))


@pytest.fixture
def dashboard(empty_home: Path) -> Iterator[TestClient]:  # no Redis runs for it
    with a_dashboard() as client:
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


@pytest.fixture
def redis(empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """That of all dashboards."""
    with redis_at(tmp_path) as url:
        monkeypatch.setenv("SLIM_REDIS_URL", url)
        settings.cache_clear()
        yield url
    settings.cache_clear()


@pytest.mark.redis
@pytest.mark.usefixtures("redis")
def test_who_signs_out_at_one_dashboard_is_out_at_the_others() -> None:
    with (
        ThreadPoolExecutor(1) as thread,
        a_dashboard() as here,
        a_dashboard() as there,
        there.websocket_connect("/stream", headers=cookie("of ann")) as anns,
        there.websocket_connect("/stream", headers=cookie("of bob")) as bobs,
    ):
        here.get("/auth/logout", headers=cookie("of ann"))
        with pytest.raises(WebSocketDisconnect) as closed:
            thread.submit(anns.receive_text).result(timeout=30)
        assert closed.value.code == 1001
        bobs.send_text("still here")
        assert bobs.receive_text() == "still here"


@pytest.mark.redis
def test_a_sign_out_while_redis_is_away_is_told_once_it_is_back(redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "AGAIN_S", 0.05)
    monkeypatch.setattr(signing, "WAIT_S", 0.5)
    here, there, heard = SignOuts(), SignOuts(), Queue[str]()
    monkeypatch.setenv("SLIM_REDIS_URL", "unix:///nowhere/r.sock")
    settings.cache_clear()
    here.tell("of ann")  # neither raises nor waits
    following = [Thread(target=one.follow, args=(heard.put,)) for one in (here, there)]
    for thread in following:
        thread.start()
    monkeypatch.setenv("SLIM_REDIS_URL", redis)
    settings.cache_clear()
    assert [heard.get(timeout=30), heard.get(timeout=30)] == ["of ann", "of ann"]
    for one, thread in zip((here, there), following, strict=True):
        one.end()
        thread.join()


@pytest.mark.usefixtures("empty_home")
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
        for kind in ("websocket", "http", "lifespan"):
            await dashboard({"type": kind, **about}, receive, send)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(visit())).result()  # here, Playwright's loop may be running
    assert sent == []
