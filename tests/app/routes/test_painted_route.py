"""POST /api/painted: the browser's word that a page is on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import access, deferred_charts
from app.access import Viewer, sign

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient


def test_the_browsers_word_ends_the_wait(client: TestClient, empty_home: Path) -> None:
    token = sign(Viewer("eve", "viewer"))
    with deferred_charts.awaited() as page, deferred_charts.awaited() as other:
        reply = client.post("/api/painted", json={"page": page.id}, headers={access.TOKEN_HEADER: token})
        assert reply.status_code == 200 and page.painted.is_set() and not other.painted.is_set()


def test_a_page_that_nobody_waits_for_is_no_error(client: TestClient, empty_home: Path) -> None:
    token = sign(Viewer("eve", "viewer"))
    assert client.post("/api/painted", json={"page": "gone"}, headers={access.TOKEN_HEADER: token}).status_code == 200


def test_without_a_token_nothing_is_marked(client: TestClient, empty_home: Path) -> None:
    with deferred_charts.awaited() as page:
        assert client.post("/api/painted", json={"page": page.id}).status_code == 401
        assert not page.painted.is_set()
