"""The ways in: the command line, HTTP as it is written on the wire, and a page over its websocket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from app.access import TOKEN_HEADER
from benchmarks.hostile.case import Outcome, Verdict
from benchmarks.hostile.studio import ROOT, Ending, Studio, ended
from benchmarks.page_session import connected, problem_of, rerun

LONGEST_S = 30.0  # an input is given up after this long
START_S = 0.5  # of a command that was forked with its imports done
START_OF_SERVICE_S = 4.0  # of a dashboard or a worker service
REFUSED = 2  # exit code of `slim`


def slim(studio: Studio, *words: object, stdin: bytes = b"", **variables: str) -> Outcome:
    """A command, in a process of its own, with these environment variables beside the studio's."""
    with tempfile.NamedTemporaryFile() as given, tempfile.NamedTemporaryFile() as said:
        given.write(stdin)
        given.flush()
        request = {"words": [*map(str, words)], "cwd": str(studio.inside), "stdin": given.name, "said": said.name}
        command = Command(studio.zygote, request | {"environment": studio.environment | variables})
        return _outcome(command, said, START_S)


def program(studio: Studio, command: list[str], **variables: str) -> Outcome:
    """A service that is to end by itself at once."""
    with tempfile.NamedTemporaryFile() as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=studio.environment | variables, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        return _outcome(process, said, START_OF_SERVICE_S)


class Command:
    """A process that the zygote has forked."""

    def __init__(self, zygote: subprocess.Popen[bytes], request: Mapping[str, object]) -> None:
        assert zygote.stdin is not None and zygote.stdout is not None
        self._said = zygote.stdout
        zygote.stdin.write(json.dumps(request).encode() + b"\n")
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        """Its exit code, once it has ended."""
        return int(self._said.readline()) if select.select([self._said], [], [], 0)[0] else None

    def kill(self) -> None:
        """End it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _outcome(process: Ending, said: IO[bytes], start_s: float) -> Outcome:
    """0 is accepted, 2 with a sentence refused, all else broken. One that had to be killed took all of its time."""
    code, rss_mb, computed_s = ended(process, time.monotonic() + start_s + LONGEST_S)
    printed = Path(said.name).read_bytes()
    seconds = LONGEST_S if code == -signal.SIGKILL else max(0.0, computed_s - start_s)
    return Outcome(_verdict(code, printed), printed, seconds, rss_mb=rss_mb)


def _verdict(code: int, printed: bytes) -> Verdict:
    if code == 0:
        return "accepted"
    return "refused" if code == REFUSED and printed.strip() else "broken"


class Request(NamedTuple):
    """A request of HTTP/1.1, written as it stands here."""

    target: str | bytes
    method: str = "GET"
    headers: Mapping[str, str] = {}
    body: bytes = b""
    host: str | None = None


def http_request(studio: Studio, request: Request) -> Outcome:
    """What the dashboard answers; a connection that it closes without a word counts as refused."""
    since = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", studio.port), timeout=LONGEST_S) as connection:
            connection.sendall(_on_the_wire(studio, request))
            response = http.client.HTTPResponse(connection, method=request.method)
            response.begin()
            said, status = response.read(), response.status
    except (http.client.HTTPException, ConnectionError):
        return Outcome("refused", b"", time.monotonic() - since)
    except TimeoutError:
        return Outcome("broken", b"", time.monotonic() - since)
    verdict: Verdict = "accepted" if status < 400 else "refused" if status < 500 else "broken"
    return Outcome(verdict, said, time.monotonic() - since, status)


def _on_the_wire(studio: Studio, request: Request) -> bytes:
    target = request.target if isinstance(request.target, bytes) else request.target.encode("utf-8", "surrogatepass")
    host = f"127.0.0.1:{studio.port}" if request.host is None else request.host
    headers = {"Host": host, "Connection": "close"} | dict(request.headers)
    if request.body or request.method == "POST":
        headers = {"Content-Length": str(len(request.body))} | headers
    lines = b"".join(f"{name}: {value}\r\n".encode("utf-8", "surrogatepass") for name, value in headers.items())
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (request.method.encode(), target, lines, request.body)


def post(studio: Studio, route: str, body: object, token: str | None = None) -> Outcome:
    """A body to a route, as JSON unless it is bytes; by an annotator unless another token is given."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {TOKEN_HEADER: studio.token() if token is None else token, "Content-Type": "application/json"}
    return http_request(studio, Request(f"/api/{route}", "POST", headers, content))


def visit(studio: Studio, page: str, query: str = "", **options: Any) -> Outcome:
    """Open a page over its websocket, as a browser does, and read all that it shows.

    A page that shows an error in red counts as refused, one with an exception box as broken.
    """
    since = time.monotonic()
    try:
        with opened(studio, **options) as session:
            session.send(rerun(page, query).SerializeToString())
            said, exceptions, alerts = _shown(session, since + LONGEST_S)
    except TimeoutError:
        return Outcome("broken", b"", time.monotonic() - since)
    except (WebSocketException, OSError) as error:
        return Outcome("refused", str(error).encode(), time.monotonic() - since)
    verdict: Verdict = "broken" if exceptions else "refused" if alerts else "accepted"
    return Outcome(verdict, said, time.monotonic() - since)


def opened(studio: Studio, **options: Any) -> ClientConnection:
    """A websocket of a session; ``options`` of benchmarks.page_session.connected."""
    return connected(studio.port, **options)


def _shown(session: Any, until: float) -> tuple[bytes, int, int]:
    """Everything of one run of the script; how many exceptions, how many errors in red."""
    said, exceptions, alerts = b"", 0, 0
    while True:
        content = session.recv(timeout=max(0.1, until - time.monotonic()))
        said += content
        message = ForwardMsg()
        message.ParseFromString(content)
        exceptions += problem_of(message) == "exception"
        alerts += problem_of(message) == "error"
        if message.WhichOneof("type") == "script_finished":
            return said, exceptions, alerts
