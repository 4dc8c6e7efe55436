"""Who looks at a page: the name a browser was given, or the person who signed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import session
from app.annotate import forms
from app.session import Viewer
from slim_core.errors import NameRefusedError
from slim_core.store.database import Database, StoreUnavailableError
from tests.app.conftest import Show, Sign

MAIN = str(Path(__file__).parents[2] / "app" / "main.py")
pytestmark = pytest.mark.usefixtures("empty_home")


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The cookies of the browser."""
    kept: dict[str, str] = {}
    monkeypatch.setattr(type(st.context), "cookies", kept)
    monkeypatch.setattr(st, "session_state", {})
    return kept


def test_a_browser_without_a_name_is_the_local_user(cookies: dict[str, str]) -> None:
    assert session.viewer() == Viewer("local", "admin") and session.given_name() is None


def test_the_name_of_the_cookie_is_who_looks(cookies: dict[str, str]) -> None:
    cookies["slim-name"] = "J%C3%BCrgen%20%20M"
    assert session.viewer() == Viewer("Jürgen M", "admin")


@pytest.mark.parametrize("kept", ["", "%20", "a%00b", "x" * 61])
def test_a_cookie_that_is_no_name_is_as_good_as_none(cookies: dict[str, str], kept: str) -> None:
    cookies["slim-name"] = kept
    assert session.given_name() is None


def test_a_new_name_counts_at_once_and_an_impossible_one_changes_nothing(cookies: dict[str, str]) -> None:
    cookies["slim-name"] = "Ann"
    session.give_name(" Ben ")
    for name, shown in (("\n", r"\\n"), ("A\u200bnn", r"A\\u200bnn"), ("x" * 61, "x" * 60)):
        with pytest.raises(NameRefusedError, match=f"{shown} is not .* 1 to 60 "):
            session.give_name(name)
    assert session.viewer().name == "Ben"


def test_a_name_that_is_given_in_a_run_of_a_page_counts_in_the_rest_of_it(cookies: dict[str, str]) -> None:
    cookies["slim-name"] = "Ann"
    with session.cached_lookups():
        with session.cached_lookups():  # a fragment that is drawn with its page
            session.give_name("Ben")
        assert session.viewer().name == "Ben"
    cookies["slim-name"], st.session_state["slim-name"] = "Cem", None
    assert session.viewer().name == "Cem"


@pytest.mark.parametrize("name", ["Doe, Jane", "Doe; Jane"])
def test_a_name_that_a_list_of_annotators_would_take_for_two_is_refused(cookies: dict[str, str], name: str) -> None:
    with pytest.raises(NameRefusedError, match=f"{name} is not .*commas and semicolons"):
        session.give_name(name)
    assert forms.names(name) == ("Doe", "Jane") and session.given_name() is None


def test_one_name_is_one_annotator_however_its_letters_are_typed(cookies: dict[str, str]) -> None:
    """An accent may come by itself, as from a file name of macOS: it looks the same on every page."""
    session.give_name("Jose\u0301  M")
    assert session.given_name() == "Jos\u00e9 M"
    assert forms.names("Ann; Jose\u0301  M") == ("Ann", "Jos\u00e9 M")


def test_a_name_with_a_comma_that_was_given_before_keeps_its_answers(cookies: dict[str, str]) -> None:
    cookies["slim-name"] = "Doe%2C%20Jane"
    assert session.viewer().name == "Doe, Jane"


def test_with_sign_in_the_name_of_the_browser_counts_for_nothing_and_roles_are_those_of_now(
    cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies["slim-name"] = "Ann"
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(st, "user", {"email": "ben@example.org"})
    session.store().members.set_role("ben@example.org", "lead")
    assert session.viewer() == Viewer("ben@example.org", "lead")
    session.store().members.remove("ben@example.org")
    assert session.viewer() == Viewer("ben@example.org", "viewer")


@pytest.mark.parametrize("email", ["Ben@Example.org", " ben@example.org "])
def test_an_e_mail_is_the_same_person_in_any_case(
    cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(st, "user", {"email": email})
    session.store().members.set_role("ben@example.org", "lead")
    assert session.viewer() == Viewer("ben@example.org", "lead")


@pytest.mark.parametrize("verified", [False, "false", 0, "0", "no", None])
def test_an_e_mail_that_nobody_has_checked_gives_no_role(
    cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch, verified: object
) -> None:
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(st, "user", {"email": "ben@example.org", "email_verified": verified})
    session.store().members.set_role("ben@example.org", "admin")
    assert session.viewer() == Viewer("guest", "viewer")


@pytest.mark.parametrize("given", ["local", "lead", "annotator", "\u212aim@example.org", "kim@example.org\u200b"])
def test_what_is_no_e_mail_or_only_looks_like_anothers_is_nobodys(
    cookies: dict[str, str], monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """The sign of kelvin is a "k" in lower case; "lead" is whom data sets are shared with, "local" owns those of
    commands.
    """
    monkeypatch.setattr(session, "signs_in", lambda: True)
    monkeypatch.setattr(st, "user", {"email": given})
    session.store().members.set_role("kim@example.org", "admin")
    assert session.viewer() == Viewer("guest", "viewer")


def test_who_signed_in_without_an_e_mail_reads_that_no_role_applies(as_person: Sign, show: Show) -> None:
    as_person("lead")
    lines = [one.body for one in show("overview").main.root.sidebar.get("html")]
    assert "guest · viewer" in lines[0] and "no role applies" in lines[1]


@pytest.fixture
def with_auth(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The dashboard where ``[auth]`` is set up."""
    auth = {"redirect_uri": "http://127.0.0.1:1/oauth2callback", "cookie_secret": "c" * 32, "client_id": "slim"}
    monkeypatch.setattr(session, "has_auth", lambda: True)
    app = AppTest.from_file(MAIN, default_timeout=60)
    app.secrets = {"auth": auth | {"google": {"client_id": "g"}}}
    return app


@pytest.mark.parametrize(
    ("audience", "ours"),
    [("slim", True), (["slim"], True), ("g", True), (["other", "slim"], True), ("other", False), (["other"], False)],
)
def test_a_sign_in_that_was_made_for_another_client_is_none(with_auth: AppTest, audience: object, ours: bool) -> None:
    with_auth.user = {"email": "ben@example.org", "is_logged_in": True, "aud": audience, "azp": "slim"}
    app = with_auth.run()
    assert not app.exception
    assert ("Sign in" not in [title.value for title in app.title]) is ours
    assert any("provider's answer was" in one.value for one in app.warning) is not ours


def test_where_sign_in_is_set_up_every_page_asks_for_it_first(with_auth: AppTest) -> None:
    with_auth.user = {}
    app = with_auth.run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Sign in"]
    assert [button.label for button in app.button] == ["Sign in", "Sign in with Google"]


@pytest.mark.parametrize("user", [{}, {"email": " "}, {"email": None}])
def test_who_comes_without_the_proxys_header_sees_no_page(user: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "trusted_headers", lambda: ("X-Forwarded-Email",))
    app = AppTest.from_file(MAIN, default_timeout=60)
    app.user = user
    app.run()
    assert not app.exception and not app.button
    assert [title.value for title in app.title] == ["Sign in"]
    assert "sent no user." in app.error[0].value


def test_sign_in_that_is_set_up_by_half_says_what_is_missing(with_auth: AppTest) -> None:
    with_auth.user = {}
    app = with_auth.run()
    app.button(key="sign-in-default").click().run()
    assert not app.exception
    assert app.error[0].value.startswith("Sign-in is not ")


def test_an_auth_section_without_a_provider_says_so(with_auth: AppTest) -> None:
    with_auth.user, with_auth.secrets = {}, {"auth": {"cookie_secret": "c" * 32}}
    app = with_auth.run()
    assert not app.exception and not app.button
    assert app.error[0].value.startswith("Sign-in is not ")


def test_who_came_by_another_address_is_sent_to_the_one_that_counts(
    with_auth: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(st.context), "url", "http://localhost:1/annotate")
    with_auth.user = {}
    assert "0.0.1:1" in with_auth.run().warning[0].value


def test_a_person_who_signed_in_sees_their_role_and_a_way_out(with_auth: AppTest) -> None:
    session.store().members.set_role("ann@example.org", "annotator")
    with_auth.user = {"is_logged_in": True, "email": "ann@example.org"}
    app = with_auth.run()
    assert not app.exception
    assert any("ann@example.org ·" in one.proto.body for one in app.sidebar.get("html"))
    assert app.button(key="sign-out")


def test_an_admin_who_has_signed_in_opens_the_activity_page(show: Show, empty_home: Path, as_person: Sign) -> None:
    session.store().members.set_role("ann@example.org", "admin")
    as_person("ann@example.org")
    app = show("activity")
    assert app.title[0].value == "Activity" and app.text_input(key="who")


def test_while_the_database_is_away_who_has_signed_in_reads_so_and_sees_no_traceback(
    with_auth: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.store()  # which has been opened before

    def away(*_: object) -> None:
        raise StoreUnavailableError("slim does not answer.")

    monkeypatch.setattr(Database, "read", away)
    with_auth.user = {"is_logged_in": True, "email": "ann@example.org"}
    app = with_auth.run()
    assert not app.exception
    assert [one.value for one in app.error] == ["slim does not answer."]
    assert app.button(key="sign-out")


def test_of_a_home_of_another_schema_a_page_says_how_its_answers_are_taken_over(show: Show, empty_home: Path) -> None:
    with session.store().database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0017'"))
    session.reset()
    app = show("overview")
    assert not app.exception
    assert ["slim answers export" in one.value for one in app.error] == [True]


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Asia/Tokyo", "01 Mar 05:30"),
        ("America/New_York", "29 Feb 15:30"),
        (None, "29 Feb 20:30"),
        ("../etc", "29 Feb 20:30"),
    ],
)
def test_a_time_is_the_readers_as_it_is_in_tables(monkeypatch: pytest.MonkeyPatch, zone: str | None, said: str) -> None:
    monkeypatch.setattr(type(st.context), "timezone", zone)
    assert session.clock(datetime(2028, 2, 29, 20, 30, tzinfo=UTC)) == said
    assert (
        session.clock(datetime(2028, 3, 1, 2, 30, tzinfo=timezone(timedelta(hours=6)))) == said
    )  # of a server elsewhere
