"""GET /assets: our own files, compressed once."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from app.routes import assets
from app.routes.assets import asset_url, static

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_a_file_is_sent_compressed_and_kept_for_good(client: TestClient) -> None:
    with client.stream("GET", asset_url("space/plot.js")) as answer:
        sent = b"".join(answer.iter_raw())
    ours = static("space/plot.js").read_bytes()
    assert gzip.decompress(sent) == ours
    assert len(sent) < len(ours) / 2
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_all_files_are_kept_compressed_at_once() -> None:
    names = [f"{path.parts[-3]}/{path.name}" for path in assets.APP.glob("*/static/*")]
    assets._load.cache_clear()
    for name in [*names, *names]:
        asset_url(name)
    assert assets._load.cache_info().misses == len(names)


def test_without_its_hash_an_asset_is_asked_for_again(client: TestClient) -> None:
    answer = client.get("/assets/ui/icon.svg")
    assert answer.headers["cache-control"] == "no-cache"
    assert client.get("/assets/ui/icon.svg", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    "name",
    ["nothing.js", "..%2Fserver.py", "ui/..%2F__init__.py", "nowhere/icon.svg", "ui/%2Fetc%2Fpasswd", "ui/.hidden"],
)
def test_nothing_else_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404
