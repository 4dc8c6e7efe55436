"""The way back from the provider, with Streamlit's two addresses played by a small app."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from app.routes import assets
from app.signing import COOKIE, LoginRedirectMiddleware

HERE = "http://studio.example"


def login(request: Request) -> Response:
    return RedirectResponse("https://provider.example/authorize", 302)


def callback(request: Request) -> Response:
    response = RedirectResponse("/", 302)
    if request.query_params.get("code") == "good":
        response.set_cookie("_streamlit_user", "signed")
    else:
        response.delete_cookie("_streamlit_user")
    return response


@pytest.fixture
def browser() -> TestClient:
    routes = [Route("/auth/login", login), Route("/oauth2callback", callback)]
    app = Starlette(routes=routes, middleware=[Middleware(LoginRedirectMiddleware)])
    return TestClient(app, base_url=HERE, follow_redirects=False)


def test_below_a_path_both_addresses_are_found_and_whoever_comes_from_elsewhere_ends_there(monkeypatch) -> None:
    monkeypatch.setattr(assets, "_base", "/slim")
    routes = [Route("/slim/auth/login", login), Route("/slim/oauth2callback", callback)]
    browser = TestClient(
        Starlette(routes=routes, middleware=[Middleware(LoginRedirectMiddleware)]), HERE, follow_redirects=False
    )
    for came_from, ends in (
        (f"{HERE}/slim/jobs?kind=train", "/slim/jobs?kind=train"),
        ("https://other.example", "/slim/"),
    ):
        browser.get("/slim/auth/login", headers={"Referer": came_from})
        assert browser.get("/slim/oauth2callback?code=good&state=s").headers["Location"] == ends


def ends_at(browser: TestClient, came_from: str, answer: str) -> str:
    browser.get("/auth/login", headers={"Referer": came_from})
    return browser.get(f"/oauth2callback?{answer}&state=s").headers["Location"]


@pytest.mark.parametrize(
    "page", ["/", "/annotate?campaign=c-1&section=campaign", "/jobs?kind=train&about=What+changed"]
)
def test_signing_in_leads_back_to_the_page_that_asked(browser: TestClient, page: str) -> None:
    assert ends_at(browser, HERE + page, "code=good") == page
    assert COOKIE not in browser.cookies


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("error=access_denied", "refused"), ("error=server_error", "failed"), ("code=bad", "failed")],
)
def test_a_failure_leads_back_too_and_says_what_it_was(browser: TestClient, answer: str, outcome: str) -> None:
    page = f"{HERE}/annotate?campaign=c-1&sign_in=other"
    assert ends_at(browser, page, answer) == f"/annotate?campaign=c-1&sign_in={outcome}"


@pytest.mark.parametrize(
    "came_from", ["", "https://evil.example/annotate", "not an address", "http://[", f"{HERE}/{'x' * 3000}"]
)
def test_whoever_comes_from_elsewhere_ends_at_the_first_page(browser: TestClient, came_from: str) -> None:
    assert ends_at(browser, came_from, "code=good") == "/"


@pytest.mark.parametrize(
    "kept", ["//evil.example/a", "/%5Cevil.example", "https://evil.example/a", "%2F%2Fevil.example", "//%5B"]
)
def test_a_forged_cookie_leads_nowhere_else(browser: TestClient, kept: str) -> None:
    browser.cookies.set(COOKIE, kept)
    location = browser.get("/oauth2callback?code=good&state=s").headers["Location"]
    assert location.startswith("/") and not location.startswith(("//", "/\\"))


def test_a_sign_out_that_comes_back_from_the_provider_ends_at_the_first_page(browser: TestClient) -> None:
    browser.cookies.set(COOKIE, "/annotate")
    assert browser.get("/oauth2callback").headers["Location"] == "/"
