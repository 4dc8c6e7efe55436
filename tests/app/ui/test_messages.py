"""Errors on a page: a sentence each, and a page that draws itself again once the database or Redis is back."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app import session
from app.ui import messages
from slim_core.store.database import Database, StoreUnavailableError
from slim_core.store.members import Role
from tests.app.conftest import Show, Sign

AGAIN = f"This page tries again every {messages.EVERY_S} seconds."
AWAY = "The database slim does not answer: start it, or correct SLIM_DATABASE_URL."


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No database, until the patch is undone."""

    def refuse(*_: object) -> None:
        raise StoreUnavailableError(AWAY)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "read", refuse)
        yield patch


def said(app: AppTest) -> tuple[list[str], bool]:
    """The errors of a page, and whether it tries again by itself."""
    return [one.value for one in app.error], AGAIN in [one.value for one in app.caption]


@pytest.mark.usefixtures("empty_home")
def test_a_page_that_met_no_database_tries_again_and_stops_once_there_is_one(
    show: Show, away: pytest.MonkeyPatch
) -> None:
    app = show("compare")
    assert said(app) == ([AWAY], True)
    away.undo()
    app.run()
    assert said(app) == ([], False) and not app.exception


@pytest.mark.usefixtures("empty_home")
def test_a_press_that_met_no_redis_is_drawn_again_once_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def script() -> None:
        import streamlit as st

        from app.ui.messages import errors_shown
        from slim_core.errors import QueueUnavailableError

        if st.button("Train"):
            with errors_shown():
                raise QueueUnavailableError("Redis does not answer. The run is saved.")

    def errors_while(*silences: str | None) -> list[str]:
        answers = iter(silences)
        monkeypatch.setattr(session, "queue", lambda: SimpleNamespace(silence=lambda: next(answers)))
        app = AppTest.from_function(script).run().button[0].click().run()
        assert not app.exception and not list(answers)
        return [one.value for one in app.error]

    assert errors_while("away", "away") == ["Redis does not answer. The run is saved."]
    assert errors_while("away", None) == [], "the page is drawn again: what was saved is there"
    assert errors_while(None) == ["Redis does not answer. The run is saved."], "it was not Redis that was away"


@pytest.mark.usefixtures("empty_home")
def test_a_disk_that_fails_is_a_sentence_and_nothing_to_wait_for_where_the_database_answers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script() -> None:
        from app.ui.messages import errors_shown

        with errors_shown():
            raise OSError(5, "Input/output error", "/srv/slim/maps.npy")

    app = AppTest.from_function(script).run()
    assert not app.exception
    sentence = "/srv/slim/maps.npy cannot be read or written (Input/output error): check its disk, then try again."
    assert said(app) == ([sentence], False)
    (record,) = [one for one in caplog.records if one.name == "app.ui.messages"]
    assert record.exc_info is not None, "once, with where it happened"


@pytest.mark.usefixtures("empty_home")
@pytest.mark.parametrize(("role", "named"), [("annotator", "SLIM_HOME/"), ("lead", "SLIM_HOME/"), ("admin", "")])
def test_a_full_disk_is_a_sentence_that_names_the_place_on_the_server_to_admins_alone(
    role: Role, named: str, as_person: Sign, caplog: pytest.LogCaptureFixture
) -> None:
    def script() -> None:
        from app import session
        from app.ui.messages import errors_shown
        from slim_core.store.database import StoreUnavailableError

        path = session.store().database.redacted_url
        with errors_shown():
            raise StoreUnavailableError(f"The disk of the database {path} is full: free some space.")

    session.store().members.set_role("ann@lab.org", role)
    as_person("ann@lab.org")
    path = session.store().database.redacted_url
    shown = f"{named}slim.db" if named else path
    app = AppTest.from_function(script).run()
    assert said(app) == ([f"The disk of the database {shown} is full: free some space."], False)
    assert path in caplog.text, "whoever runs the server finds it in the log"


def test_a_fragment_that_fails_shows_the_sentence_and_not_an_exception() -> None:
    def script() -> None:
        import streamlit as st

        from app.ui.reruns import fragment
        from slim_core.errors import NotFoundError

        @fragment(run_every=1)
        def poll() -> None:
            st.caption("polled")
            raise NotFoundError("There is no run r-1: it was deleted.")

        poll()
        st.caption("the rest of the page")

    app = AppTest.from_function(script).run()
    assert not app.exception
    assert [one.value for one in app.error] == ["There is no run r-1: it was deleted."]
    assert [one.value for one in app.caption] == ["polled", "the rest of the page"]
