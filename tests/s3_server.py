"""A real S3 server on 127.0.0.1 (moto's, in a process of its own), behind a gate that can be shut.

moto and s3fs need another python-dateutil than constraints.txt names (docs/decisions/0001), so they are not among the
requirements: where they are missing, these tests are skipped. CI runs them on their own (.ci/extras.py).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec

import pytest

from benchmarks.processes import end, free_port, until

MISSING = [name for name in ("s3fs", "moto") if find_spec(name) is None]
needs_s3 = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: docs/decisions/0001")
BUCKET = "slim-tests"


class Gate:
    """A port that leads to another one; while it is shut, connections are refused and those of before are cut.

    ``host``: the address of this machine that others reach it at.
    """

    def __init__(self, to: int, host: str = "127.0.0.1", port: int = 0) -> None:
        self.port, self._to, self._host = port or free_port(host), to, host
        self._listener: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.after: int | None = None  # shut it by itself once so many bytes have gone to the server

    def open(self) -> None:
        self._listener = socket.create_server((self._host, self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut(self) -> None:
        listener, self._listener, self.after = self._listener, None, None
        for one in [*([listener] if listener else []), *(each for pair in self._pairs for each in pair)]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # it is closed
            while True:
                here, _ = listener.accept()
                there = socket.create_connection(("127.0.0.1", self._to))
                self._pairs.append((here, there))
                for ends in ((here, there), (there, here)):
                    threading.Thread(target=self._copy, args=(*ends, ends[0] is here), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, is_upload: bool) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                if is_upload and self.after is not None:
                    self.after -= len(content)
                    if self.after < 0:
                        self.shut()
                        return
                target.sendall(content)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def s3_server(patch: pytest.MonkeyPatch, *, knows_keys: bool = True) -> Iterator[Gate]:
    """Its gate, open, with an empty bucket; the environment of this process names the server and its keys.

    ``knows_keys``: False lets nobody in, whatever their keys.
    """
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    strict = {} if knows_keys else {"INITIAL_NO_AUTH_ACTION_COUNT": "0"}
    process = subprocess.Popen(command, env=os.environ | strict, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    gate = Gate(port)
    try:
        until(lambda: _answers(port), "the S3 server", 60.0)
        gate.open()
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{gate.port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        if knows_keys:
            _files().mkdir(BUCKET)
        yield gate
    finally:
        gate.shut()
        end(process)


def names(under: str = BUCKET) -> list[str]:
    """What lies in a bucket."""
    return sorted(_files().find(under))


def buckets() -> list[str]:
    return sorted(_files().ls("", refresh=True))


def _files():  # s3fs is not there for whoever reads the types
    import s3fs

    return s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
