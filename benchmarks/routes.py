"""The dashboard's routes as a page uses them: one connection that is kept, and the token of the page."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any

from app.session import TOKEN_HEADER

IDLE_S = 4.0  # the server closes a connection that was idle for 5 s


class RouteRefusedError(RuntimeError):
    """The server has answered, but not with what was asked for."""


class Line:
    """One connection to a dashboard. As in a browser, one that was closed while it was idle is opened again."""

    def __init__(self, netloc: str, token: str, timeout_s: float = 60.0, headers: Mapping[str, str] | None = None):
        self.token = token
        self._netloc, self._timeout_s, self._headers = netloc, timeout_s, dict(headers or {})
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a route answers to a body.

        Raises:
            RouteRefusedError: with another status than 200.
            OSError, http.client.HTTPException: it does not answer.
        """
        headers = {TOKEN_HEADER: self.token, "Content-Type": "application/json"}
        answer: dict[str, Any] = json.loads(self._asked("POST", path, json.dumps(body), headers))
        return answer

    def get(self, address: str) -> bytes:
        """What is at an address; the errors are those of ``post``."""
        return self._asked("GET", address, None, {})

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _asked(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> bytes:
        is_kept = self._connection is not None and time.monotonic() - self._used_at < IDLE_S
        try:
            try:
                status, content = self._sent(method, path, body, headers, is_kept)
            except ConnectionError:
                if not is_kept:
                    raise
                status, content = self._sent(method, path, body, headers, False)
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if status != 200:
            raise RouteRefusedError(f"{path.partition('?')[0]}: {status} {content[:300].decode('utf-8', 'replace')}")
        return content

    def _sent(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str], is_kept: bool
    ) -> tuple[int, bytes]:
        if not is_kept:
            self.close()
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._netloc, timeout=self._timeout_s)
        self._connection.request(method, path, body, {**self._headers, **headers})
        response = self._connection.getresponse()
        content = response.read()
        self._used_at = time.monotonic()
        return response.status, content
