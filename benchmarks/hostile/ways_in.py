"""The ways in: the command line, HTTP as it is written on the wire, and a page over its websocket."""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException

from benchmarks.hostile.case import Outcome, Verdict
from benchmarks.hostile.studio import ROOT, Studio
from benchmarks.page_session import connected, problem_of, rerun

LONGEST_S = 30.0  # an input is given up after this long
REFUSED = 2  # exit code of `slim`
# Commands are forked from a process that has imported what they need, and what a forked process imports of its parent.
_PREFORKED = multiprocessing.get_context("forkserver")
_PREFORKED.set_forkserver_preload(
    [
        "benchmarks.hostile.__main__",
        "slim_core.cli.wiring",
        "slim_core.evaluation.comparison",
        "slim_core.steps.specs",
    ]
)


def slim(studio: Studio, *words: object, stdin: bytes = b"", **variables: str) -> Outcome:
    """A command, in a process of its own, with these environment variables beside the studio's."""
    with tempfile.TemporaryDirectory() as folder:
        given, said = Path(folder) / "stdin", Path(folder) / "said"
        given.write_bytes(stdin)
        said.touch()
        receiver, sender = _PREFORKED.Pipe(duplex=False)
        asked = ([*map(str, words)], studio.inside, given, said, studio.environment | variables, sender)
        process = _PREFORKED.Process(target=_run, args=asked)
        process.start()
        process.join(LONGEST_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            return Outcome("broken", said.read_bytes(), LONGEST_S)
        seconds, rss_mb = receiver.recv() if receiver.poll() else (0.0, 0.0)
        return Outcome(_verdict(process.exitcode, said.read_bytes()), said.read_bytes(), seconds, rss_mb=rss_mb)


def _run(words: Sequence[str], cwd: Path, given: Path, said: Path, environment: Mapping[str, str], sender: Any) -> None:
    """In the new process: the command, and what it took of processor and memory."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(given, os.O_RDONLY), 0)
    for stream in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND), stream)
    sys.stdin, sys.stdout, sys.stderr = open(0, closefd=False), open(1, "w", closefd=False), open(2, "w", closefd=False)
    code, before_s = 0, time.process_time()
    try:
        from slim_core.cli import main

        main(list(words))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    sender.send((time.process_time() - before_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    os._exit(code)


def program(studio: Studio, command: Sequence[str], **variables: str) -> Outcome:
    """A service that is to end by itself at once."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=studio.environment | variables, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate()
        return Outcome("broken", said, LONGEST_S)
    return Outcome(_verdict(process.returncode, said), said, 0.0)


def _verdict(code: int, said: bytes) -> Verdict:
    """0 is accepted, 2 with a sentence refused, all else broken."""
    if code == 0:
        return "accepted"
    return "refused" if code == REFUSED and said.strip() else "broken"


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


def visit(studio: Studio, page: str, query: str = "", first: str | bytes | None = None, **options: Any) -> Outcome:
    """Open a page over its websocket, as a browser does, and read all that it shows; ``first``: sent before.

    A page that shows an error in red counts as refused, one with an exception box as broken.
    """
    since = time.monotonic()
    try:
        if first is not None:
            with connected(studio.port, **options) as session, contextlib.suppress(TimeoutError, WebSocketException):
                session.send(first)
                session.recv(timeout=1)
        with connected(studio.port, **options) as session:
            session.send(rerun(page, query).SerializeToString())
            verdict, said = _shown(session, since + LONGEST_S)
    except TimeoutError:
        return Outcome("broken", b"", time.monotonic() - since)
    except (WebSocketException, OSError) as error:
        return Outcome("refused", str(error).encode(), time.monotonic() - since)
    return Outcome(verdict, said, time.monotonic() - since)


def _shown(session: Any, until: float) -> tuple[Verdict, bytes]:
    """Everything of one run of the script."""
    said, problems = b"", set[str | None]()
    while True:
        content = session.recv(timeout=max(0.1, until - time.monotonic()))
        said += content
        message = ForwardMsg()
        message.ParseFromString(content)
        problems.add(problem_of(message))
        if message.WhichOneof("type") == "script_finished":
            return "broken" if "exception" in problems else "refused" if "error" in problems else "accepted", said
