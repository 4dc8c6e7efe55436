"""What the tests of sign-in share: the provider's process, the secrets that name it, and what a person does there."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError

from playwright.sync_api import Locator, Page, expect

from app import session
from benchmarks.dashboard import ROOT, environment, wait_for
from tests.browser.annotator import PATIENCE_MS
from tests.browser.identity import CLIENT_ID, CLIENT_SECRET, PASSWORD
from tests.browser.steps import settle


@contextlib.contextmanager
def provider(port: int, redirect_uri: str, log: Path) -> Iterator[str]:
    """The issuer's address of a provider in a process of its own, which ends with the block."""
    command = [sys.executable, "-m", "tests.browser.identity", str(port), redirect_uri]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}/.well-known/openid-configuration", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def auth_in(path: Path, redirect_uri: str, issuer_port: int) -> Path:
    """A secrets file with all that docs/operations.md asks for."""
    auth = {
        "redirect_uri": redirect_uri,
        "cookie_secret": "no secret, but long enough",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "server_metadata_url": f"http://127.0.0.1:{issuer_port}/.well-known/openid-configuration",
    }
    path.write_text("[auth]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in auth.items()))
    return path


def slim(home: Path, *words: str) -> None:
    """What whoever runs the server types."""
    done = subprocess.run(
        [sys.executable, "-m", "slim_core.cli", *words], cwd=ROOT, env=environment(home), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def signed_out(page: Page) -> Locator:
    """The button of the page that asks to sign in; the page is no other."""
    button = page.get_by_test_id("stMain").get_by_role("button", name="Sign in")
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    settle(page)
    return button


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    """From the page that asks for it through the provider's form."""
    signed_out(page).click()
    page.get_by_label("E-mail").fill(email, timeout=PATIENCE_MS)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Continue").click()


def is_shown(page: Page, text: str) -> None:
    expect(page.get_by_test_id("stApp").get_by_text(text).first).to_be_visible(timeout=PATIENCE_MS)


def post(address: str, route: str, token: str, body: dict[str, object]) -> tuple[int, dict[str, object]]:
    """What a route answers to somebody with that token."""
    headers = {session.TOKEN_HEADER: token, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/{route}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, json.load(reply)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


class Forwarder(socketserver.ThreadingTCPServer):
    """A proxy in front of several dashboards: each connection goes to the port that ``send_to`` named last."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self._port, self._host = 0, host
        self._requests: set[socket.socket] = set()  # connections that may carry another request
        super().__init__((host, port), _Connection)
        Thread(target=self.serve_forever, daemon=True).start()

    def send_to(self, port: int) -> None:
        """From now on; open websockets stay where they are, and no connection is kept for later requests."""
        self._port = port
        for one in list(self._requests):
            _close(one)

    def open(self, first: bytes, client: socket.socket) -> socket.socket:
        """Where this client's bytes go."""
        if b"upgrade: websocket" not in first.lower():
            self._requests.add(client)
        return socket.create_connection((self._host, self._port))

    def forget(self, client: socket.socket) -> None:
        self._requests.discard(client)

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Connection(socketserver.BaseRequestHandler):
    server: Forwarder

    def handle(self) -> None:
        first = self.request.recv(65536)  # a browser sends the head of its request at once
        if not first:
            return
        with self.server.open(first, self.request) as dashboard:
            dashboard.sendall(first)
            back = Thread(target=_copy, args=(dashboard, self.request), daemon=True)
            back.start()
            _copy(self.request, dashboard)
            back.join()
        self.server.forget(self.request)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """All that comes, until either side ends."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    _close(source)
    _close(target)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
