"""What a browser loads: the document, and files of pages."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from plotly.offline import get_plotlyjs
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.routes import assets
from app.routes.assets import IndexHtmlMiddleware, asset_url, static

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_a_file_is_sent_compressed_and_kept_for_good(client: TestClient) -> None:
    with client.stream("GET", asset_url("space/plot.js")) as answer:
        sent = b"".join(answer.iter_raw())
    ours = static("space/plot.js").read_bytes()
    assert gzip.decompress(sent) == ours
    assert len(sent) < len(ours) / 2
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"].endswith("max-age=31536000, immutable")


def test_all_files_are_kept_compressed_at_once(client: TestClient) -> None:
    names = [f"{path.parts[-3]}/{path.name}" for path in assets.APP.glob("*/static/*")]
    assets._zipped.cache_clear()
    for name in [*names, *names]:
        client.get(asset_url(name))
    assert assets._zipped.cache_info().misses == len(names)


def test_plotly_comes_from_its_package_and_is_compressed_for_a_browser_alone(client: TestClient) -> None:
    assets._zipped.cache_clear()
    address = asset_url(assets.PLOTLY)
    assert assets._zipped.cache_info().misses == 0, "a page that names it does not wait for that"
    answer = client.get(address)
    assert answer.text == get_plotlyjs()
    assert answer.headers["cache-control"].endswith("immutable")


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


DOCUMENT = "<html><head><title>Streamlit</title></head><body><div id=root></div></body></html>"
PAGE = {"Accept": "text/html,application/xhtml+xml"}
REPORT = 'attachment; filename="report.html"'


def document(request: Request) -> Response:
    if request.headers.get("if-none-match") == '"theirs"':
        return Response(status_code=304)
    return HTMLResponse(DOCUMENT, headers={"ETag": '"theirs"'})


@pytest.fixture
def browser() -> TestClient:
    routes = [
        Route("/", document),
        Route("/api", lambda _: JSONResponse({"text": "</body>"})),
        Route("/media/report.html", lambda _: HTMLResponse(DOCUMENT, headers={"Content-Disposition": REPORT})),
    ]
    return TestClient(Starlette(routes=routes, middleware=[Middleware(IndexHtmlMiddleware)]))


def test_the_document_comes_with_our_title_and_style_so_that_nothing_moves_later(browser: TestClient) -> None:
    answer = browser.get("/", headers=PAGE)
    assert "<title>SLIM Studio</title>" in answer.text
    assert ".stMainBlockContainer" in answer.text.partition("<div id=root>")[2], "after Streamlit's own styles"
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_streamlit_is_told_where_its_server_is_before_its_code_runs(browser: TestClient) -> None:
    head = browser.get("/", headers=PAGE).text.partition("</head>")[0]
    assert 'BACKEND_BASE_URL: location.origin + "/"' in head


def test_a_copy_that_was_kept_without_the_style_is_not_confirmed(browser: TestClient) -> None:
    answer = browser.get("/", headers=PAGE | {"If-None-Match": '"theirs"'})
    assert answer.status_code == 200
    assert "etag" not in answer.headers


def test_what_is_no_document_passes_as_it_is(browser: TestClient) -> None:
    assert browser.get("/api", headers=PAGE).json() == {"text": "</body>"}
    assert browser.get("/", headers={"Accept": "*/*"}).text == DOCUMENT


def test_a_report_that_is_downloaded_is_the_file_that_was_made(browser: TestClient) -> None:
    assert browser.get("/media/report.html", headers=PAGE).text == DOCUMENT
