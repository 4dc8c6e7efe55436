"""One address for several dashboards, as a proxy in front of them has it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
from threading import Thread


class Forwarder(socketserver.ThreadingTCPServer):
    """Each connection goes to the port that ``send_to`` named last."""

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
