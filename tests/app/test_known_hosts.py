"""Foreign hosts, foreign pages and frames: refused before Streamlit sees them."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from app import access, admission
from app.admission import KnownHosts
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
        monkeypatch.setattr(admission, "current_settings", lambda: Settings(**values))

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
    "host", ["rebind.test", "rebind.test:8501", "127.0.0.1.evil.example", "evil@127.0.0.1:8501", "", "["]
)
def test_another_name_is_refused_in_a_sentence(client, host) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403 and "SLIM_PUBLIC_URL" in answer.text


def test_a_websocket_under_another_name_is_refused(client) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://rebind.test/socket"):
        pass


def test_names_in_the_settings_are_answered(client, given) -> None:
    given(public_url="https://slim.example/studio, http://SLIM.lab, http://10.0.0.7:8501")
    for host in ("slim.lab", "10.0.0.7:8501", "slim.example"):
        assert client.get("/", headers={"Host": host}).status_code == 200
    assert client.get("/", headers={"Host": "slim.example.evil"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://localhost:8501", "http://["]
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


def test_behind_a_proxy_the_public_address_is_our_own(client, given) -> None:
    given(public_url="https://slim.example,https://slim.lab")
    for own in ("https://slim.example", "https://slim.lab"):
        assert client.post("/", headers={"Origin": own}).status_code == 200
    assert client.post("/", headers={"Origin": "http://slim.example"}).status_code == 403


def test_answers_may_not_be_framed_nor_guessed_at_nor_told_on(client) -> None:
    headers = client.get("/").headers
    assert headers["Content-Security-Policy"] == "frame-ancestors 'self'"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "same-origin"


def scope(address: str, host: str) -> dict[str, object]:
    return {"type": "http", "method": "GET", "server": (address, 8501), "headers": [(b"host", host.encode())]}


def test_beyond_this_machine_nobody_is_answered_while_nobody_signs_in(given) -> None:
    assert "Nobody signs in" in str(admission.refusal(scope("192.168.1.5", "192.168.1.5:8501"), Settings()))
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
    monkeypatch.setattr(access, "trusted_headers", lambda: ("X-Forwarded-Email",))
    ann, boss = ("X-Forwarded-Email", "ann@slim.example"), ("x-forwarded-email", "boss@slim.example")
    assert client.get("/", headers=[ann]).status_code == 200
    refused = client.get("/", headers=[boss, ann])
    assert refused.status_code == 403 and "X-Forwarded-Email came more than once" in refused.text
    raw = [(name.lower().encode(), value.encode()) for name, value in (("host", "localhost"), boss, ann)]
    socket = scope("127.0.0.1", "localhost") | {"type": "websocket", "headers": raw}
    assert "more than once" in str(admission.refusal(socket, Settings()))
