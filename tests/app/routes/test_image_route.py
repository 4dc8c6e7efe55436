"""GET /api/image: pixels by address."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from app import access, session
from app.access import Viewer
from app.routes import guard
from app.routes.images import image_url
from slim_core.data.table import ImageTable
from slim_core.store import Dataset
from tests.slim_core.store.store_makers import statements

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_an_image_comes_as_webp_of_the_size_asked_for(client: TestClient, dataset: Dataset) -> None:
    answer = client.get(image_url(dataset.id, 3, session.token(), size=80))
    assert answer.headers["content-type"] == "image/webp"
    assert pixels(answer.content).shape == (80, 80, 3)
    assert "immutable" in answer.headers["cache-control"]
    assert "private" in answer.headers["cache-control"]


def test_a_known_etag_is_answered_without_the_image(client: TestClient, dataset: Dataset) -> None:
    url = image_url(dataset.id, 3, session.token())
    etag = client.get(url).headers["etag"]
    again = client.get(url, headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""
    other = client.get(image_url(dataset.id, 4, session.token()))
    assert other.headers["etag"] != etag


def test_a_mask_leaves_the_object_bright_and_dims_the_rest(client: TestClient, dataset: Dataset) -> None:
    whole = pixels(client.get(image_url(dataset.id, 0, session.token(), size=64)).content).astype(float)
    masked = pixels(client.get(image_url(dataset.id, 0, session.token(), size=64, kind="mask")).content)
    ratio = masked.sum(axis=2) / np.maximum(1, whole.sum(axis=2))
    assert (ratio < 0.4).mean() > 0.5
    assert (ratio > 0.8).mean() > 0.02


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_without_a_valid_token_nothing_is_served(client: TestClient, dataset: Dataset, token: str) -> None:
    answer = client.get(image_url(dataset.id, 0, token))
    assert answer.status_code == 401
    assert "Reload the page" in answer.json()["error"]


def test_a_token_of_another_data_set_does_not_reach_this_one(client: TestClient, dataset: Dataset) -> None:
    answer = client.get(image_url(dataset.id, 0, session.token(dataset="d-other")))
    assert answer.status_code == 404


@pytest.mark.parametrize(("change", "status", "sentence"), [
    ({"row": 40}, 404, "has no image 40: its rows are 0..39"),
    ({"size": 5000}, 400, "size 16..1024"),
    ({"kind": "portrait"}, 400, "kind is one of"),
    ({"kind": "overlay"}, 400, "needs run="),
    ({"kind": "overlay", "run": "r-none"}, 404, "r-none"),
    ({"dataset": "d-none"}, 404, "d-none"),
    ({"row": "9" * 5_000}, 404, "There is no GET"),
])  # fmt: skip
def test_a_wrong_request_is_refused_in_one_sentence(
    client: TestClient, dataset: Dataset, change: dict, status: int, sentence: str
) -> None:
    asked = {"dataset": dataset.id, "row": 0, "token": session.token()} | change
    answer = client.get(image_url(**asked))
    assert answer.status_code == status
    assert sentence in answer.json()["error"]


def test_a_broken_image_is_refused_with_its_path(
    client: TestClient, dataset: Dataset, tmp_path: Path, monkeypatch
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    monkeypatch.setattr(ImageTable, "image_path", lambda _table, _row: broken)
    answer = client.get(image_url(dataset.id, 0, session.token()))
    assert answer.status_code == 400
    assert "broken.png" in answer.json()["error"]


def test_a_missing_image_is_not_found_and_the_reason_is_told(client: TestClient, dataset: Dataset, monkeypatch) -> None:
    monkeypatch.setattr(ImageTable, "image_path", lambda table, _row: table.root / "gone.png")
    answer = client.get(image_url(dataset.id, 0, session.token()))
    assert answer.status_code == 404
    assert "gone.png is missing: put the file back" in answer.json()["error"]


def test_the_ticket_of_a_role_that_was_taken_away_shows_no_more_images(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "signs_in", lambda: True)
    monkeypatch.setattr(guard, "ROLE_KEPT_S", 0.01)
    members = session.store().members
    members.set_role("ann@example.org", "annotator")
    ticket = access.sign(Viewer("ann@example.org", "annotator"))
    assert client.get(image_url(dataset.id, 0, ticket)).status_code == 200
    members.remove("ann@example.org")
    time.sleep(0.02)
    refused = client.get(image_url(dataset.id, 0, ticket))
    assert refused.status_code == 401
    assert refused.json()["error"] == "Your role has changed since this page was loaded. Reload the page."
    assert client.get(image_url(dataset.id, 0, access.sign(Viewer("ann@example.org", "viewer")))).status_code == 200


def test_the_role_is_not_looked_up_for_each_of_many_images(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "signs_in", lambda: True)
    monkeypatch.setattr(guard, "ROLE_KEPT_S", 3_600.0)
    session.store().members.set_role("ann@example.org", "annotator")
    ticket = access.sign(Viewer("ann@example.org", "annotator"))
    with statements(session.store().database) as sent:
        for row in range(10):
            assert client.get(image_url(dataset.id, row, ticket)).status_code == 200
    assert 1 <= sum("FROM members" in statement for statement in sent) <= 2
