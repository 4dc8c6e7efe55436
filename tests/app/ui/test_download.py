"""Files that are made when their buttons are pressed: in a thread of the server, for whoever saw the button."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context

import pytest
import streamlit as st

from app import session
from app.ui import export
from slim_core.errors import ForbiddenError
from tests.app.conftest import Show, Sign

ADMIN = "ada@example.org"
Made = dict[str, Callable[[], bytes]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What the pages that are drawn from here on offer to download: label -> what makes it."""
    found: Made = {}
    draw = st.download_button

    def kept(label: str, data: object, *args: object, **options: object) -> bool:
        if callable(data):
            found[label] = data
        return draw(label, data, *args, **options)

    monkeypatch.setattr(st, "download_button", kept)
    return found


def in_the_server(monkeypatch: pytest.MonkeyPatch, make: Callable[[], bytes]) -> bytes:
    """As Streamlit calls it: in a thread without a session, where nobody is signed in."""
    with monkeypatch.context() as patch, ThreadPoolExecutor(1) as pool:
        patch.setattr(st, "user", {})
        return pool.submit(Context().run, make).result()


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize(
    ("page", "part"),
    [
        ("activity", {}),
        ("annotate", {"section": "campaign"}),
        ("compare", {}),
        ("space", {}),
        ("jobs", {"run": "newest"}),
    ],
)
def test_what_an_admin_may_see_an_admin_may_download(
    page: str, part: dict[str, str], show: Show, as_person: Sign, offered: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.store().members.set_role(ADMIN, "admin", by="root")
    as_person(ADMIN)
    named = {"newest": session.store().runs.all()[0].id}
    show(page, **{name: named.get(value, value) for name, value in part.items()})
    assert offered
    for make in offered.values():
        in_the_server(monkeypatch, make)  # which refuses by raising


@pytest.mark.usefixtures("empty_home")
def test_what_somebody_may_not_see_is_refused(as_person: Sign, offered: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    session.store().members.set_role("vera@example.org", "viewer", by="root")
    as_person("vera@example.org")
    export.download_button("File", lambda: session.acting_as("admin").encode(), "a.txt", "text/plain", icon="download")
    with pytest.raises(ForbiddenError, match="viewer"):
        in_the_server(monkeypatch, offered["File"])
