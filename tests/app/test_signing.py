"""Signing in leads back to the page; signing out is out in all tabs."""

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
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import admission
from app.admission import COOKIE, LoginRedirectMiddleware, SignOut, SignOuts
from app.routes import assets
from slim_core.settings import settings
from tests.app.own_redis import redis_at

HERE = "http://studio.example"


def login(request: Request) -> Response:
    return RedirectResponse("https://provider.example/authorize", 302)


def callback(request: Request) -> Response:
    response = RedirectResponse("/", 302)
    if request.query_params.get("code") == "good":
        response.set_cookie("_streamlit_user", "signed")
    else:
        response.delete_cookie("_streamlit_user")
    return response


@pytest.fixture
def browser() -> TestClient:
    routes = [Route("/auth/login", login), Route("/oauth2callback", callback)]
    app = Starlette(routes=routes, middleware=[Middleware(LoginRedirectMiddleware)])
    return TestClient(app, base_url=HERE, follow_redirects=False)


def test_below_a_path_both_addresses_are_found_and_whoever_comes_from_elsewhere_ends_there(monkeypatch) -> None:
    monkeypatch.setattr(assets, "_base", "/slim")
    routes = [Route("/slim/auth/login", login), Route("/slim/oauth2callback", callback)]
    browser = TestClient(
        Starlette(routes=routes, middleware=[Middleware(LoginRedirectMiddleware)]), HERE, follow_redirects=False
    )
    for came_from, ends in (
        (f"{HERE}/slim/jobs?kind=train", "/slim/jobs?kind=train"),
        ("https://other.example", "/slim/"),
    ):
        browser.get("/slim/auth/login", headers={"Referer": came_from})
        assert browser.get("/slim/oauth2callback?code=good&state=s").headers["Location"] == ends


def ends_at(browser: TestClient, came_from: str, answer: str) -> str:
    browser.get("/auth/login", headers={"Referer": came_from})
    return browser.get(f"/oauth2callback?{answer}&state=s").headers["Location"]


@pytest.mark.parametrize(
    "page", ["/", "/annotate?campaign=c-1&section=campaign", "/jobs?kind=train&about=What+changed"]
)
def test_signing_in_leads_back_to_the_page_that_asked(browser: TestClient, page: str) -> None:
    assert ends_at(browser, HERE + page, "code=good") == page
    assert COOKIE not in browser.cookies


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("error=access_denied", "refused"), ("error=server_error", "failed"), ("code=bad", "failed")],
)
def test_a_failure_leads_back_too_and_says_what_it_was(browser: TestClient, answer: str, outcome: str) -> None:
    page = f"{HERE}/annotate?campaign=c-1&sign_in=other"
    assert ends_at(browser, page, answer) == f"/annotate?campaign=c-1&sign_in={outcome}"


@pytest.mark.parametrize(
    "came_from", ["", "https://evil.example/annotate", "not an address", "http://[", f"{HERE}/{'x' * 3000}"]
)
def test_whoever_comes_from_elsewhere_ends_at_the_first_page(browser: TestClient, came_from: str) -> None:
    assert ends_at(browser, came_from, "code=good") == "/"


@pytest.mark.parametrize(
    "kept", ["//evil.example/a", "/%5Cevil.example", "https://evil.example/a", "%2F%2Fevil.example", "//%5B"]
)
def test_a_forged_cookie_leads_nowhere_else(browser: TestClient, kept: str) -> None:
    browser.cookies.set(COOKIE, kept)
    location = browser.get("/oauth2callback?code=good&state=s").headers["Location"]
    assert location.startswith("/") and not location.startswith(("//", "/\\"))


def test_a_sign_out_that_comes_back_from_the_provider_ends_at_the_first_page(browser: TestClient) -> None:
    browser.cookies.set(COOKIE, "/annotate")
    assert browser.get("/oauth2callback").headers["Location"] == "/"


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
    monkeypatch.setattr(admission, "AGAIN_S", 0.05)
    monkeypatch.setattr(admission, "WAIT_S", 0.5)
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
