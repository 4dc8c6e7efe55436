"""What the tests of sign-in share: the provider's process, the secrets that name it, and what a person does there."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

from playwright.sync_api import Locator, Page, expect

from app import session
from benchmarks.dashboard import ROOT, environment, wait_for
from tests.browser.annotator import PATIENCE_MS
from tests.browser.identity import CLIENT_ID, CLIENT_SECRET, PASSWORD
from tests.browser.steps import settle


@contextmanager
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
