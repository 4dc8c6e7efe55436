"""The document of a visit, with Streamlit played by a small app."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.routes.assets import IndexHtmlMiddleware

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
