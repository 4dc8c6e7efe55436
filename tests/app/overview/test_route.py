"""GET /overview: the overview has two addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient


@pytest.mark.parametrize(("asked", "where"), [("", "/"), ("?dataset=d-1&x=a%20b", "/?dataset=d-1&x=a%20b")])
def test_the_overview_is_where_its_name_says_too(client: TestClient, asked: str, where: str) -> None:
    answer = client.get(f"/overview{asked}", follow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["location"] == where
