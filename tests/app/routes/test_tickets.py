"""Whose ticket a route takes: that of the sign-in, or of the person whom the proxy names, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import streamlit as st
from starlette.testclient import TestClient

from app import session
from app.routes.images import image_url
from app.session import Viewer
from slim_core.store import Dataset

ANN = "ann@example.org"
MINE, OTHERS = {"_streamlit_user": "2|ann|signed"}, {"_streamlit_user": "2|bob|signed"}
LONG = {"_streamlit_user": "chunks-2", "_streamlit_user_1": "2|ann", "_streamlit_user_2": "|signed"}


def status(client: TestClient, dataset: Dataset, ticket: str, cookies: dict[str, str] | None = None, **headers) -> int:
    client.cookies.clear()
    client.cookies.update(cookies or {})
    return client.get(image_url(dataset.id, 0, ticket), headers=headers).status_code


@pytest.mark.parametrize("cookies", [MINE, LONG])
def test_a_ticket_is_worth_nothing_in_another_browser_and_after_signing_out(
    client: TestClient, dataset: Dataset, cookies: dict[str, str]
) -> None:
    ticket = session.sign(Viewer(ANN, "viewer"), sign_in=session.sign_in_of(cookies))
    assert status(client, dataset, ticket, cookies | {"_xsrf": "of another tab"}) == 200
    for others in (OTHERS, {}, {"_streamlit_user": "chunks-2"}, {"_streamlit_user_tokens": MINE["_streamlit_user"]}):
        assert status(client, dataset, ticket, others) == 401, others


def test_a_ticket_from_before_the_sign_in_is_worth_nothing_after_it(client: TestClient, dataset: Dataset) -> None:
    ticket = session.sign(Viewer(ANN, "viewer"))
    assert status(client, dataset, ticket) == 200
    assert status(client, dataset, ticket, MINE) == 401


def test_a_page_signs_for_the_sign_in_of_its_own_websocket(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(st.context), "cookies", MINE)
    ticket = session.token(dataset=dataset.id)
    assert session.token(dataset=dataset.id) == ticket, "the browser keeps images by their address"
    assert status(client, dataset, ticket, MINE) == 200
    assert status(client, dataset, ticket, OTHERS) == 401


@pytest.fixture
def behind_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"server.trustedUserHeaders": {"X-Forwarded-Email": "email", "X-Forwarded-Name": "name"}}
    usual: Callable[[str], object] = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: options.get(name) or usual(name))


@pytest.mark.usefixtures("behind_proxy")
def test_behind_a_proxy_a_ticket_is_taken_from_the_person_whom_the_proxy_names(
    client: TestClient, dataset: Dataset
) -> None:
    ticket, guest = session.sign(Viewer(ANN, "viewer")), session.sign(Viewer(session.GUEST, "viewer"))
    assert status(client, dataset, ticket, **{"X-Forwarded-Email": "Ann@Example.org"}) == 200
    assert status(client, dataset, guest, **{"X-Forwarded-Email": "not-verified@example.org"}) == 200
    for named in ({"X-Forwarded-Email": "bob@example.org"}, {"X-Forwarded-Name": ANN}, {}):
        assert status(client, dataset, ticket, **named) == 401, named
    assert status(client, dataset, guest) == 401


@pytest.mark.usefixtures("behind_proxy")
def test_behind_a_proxy_a_ticket_works_in_another_browser_of_the_same_person_who_gets_an_equal_one_there(
    client: TestClient, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(st, "user", {"email": ANN})
    tickets = []
    for cookies in ({"_oauth2_proxy": "of one browser"}, {"_oauth2_proxy": "of another"}):
        monkeypatch.setattr(type(st.context), "cookies", cookies)
        tickets.append(session.token(dataset=dataset.id))
        assert status(client, dataset, tickets[0], cookies, **{"X-Forwarded-Email": ANN}) == 200
        assert status(client, dataset, tickets[0], cookies, **{"X-Forwarded-Email": "bob@example.org"}) == 401
        assert status(client, dataset, tickets[0], cookies) == 401, "the proxy has signed nobody in"
    assert tickets[0] == tickets[1], "nothing is won by carrying it over"
