"""Where the dashboard may listen without sign-in."""

import pytest
import streamlit as st

from app import access
from app.access import require_safe_address
from slim_core.errors import ForbiddenError
from slim_core.settings import Settings


@pytest.fixture
def listen_on(monkeypatch):
    options = {"server.trustedUserHeaders": "", "server.address": None}
    monkeypatch.setattr(st, "get_option", options.get)
    return lambda address, **more: options.update({"server.address": address, **more})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.5", "::1", "localhost"])
def test_this_machine_alone_needs_no_sign_in(listen_on, address):
    listen_on(address)
    require_safe_address(Settings())


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4", "studio.example", "", None])
def test_other_addresses_are_refused_without_sign_in(listen_on, address):
    listen_on(address)
    with pytest.raises(ForbiddenError, match="SLIM_ALLOW_WITHOUT_SIGN_IN"):
        require_safe_address(Settings())


def test_other_addresses_are_served_when_told_so_in_plain_words(listen_on):
    listen_on("0.0.0.0")
    require_safe_address(Settings(allow_without_sign_in=True))


def test_where_a_header_names_people_other_addresses_are_served_only_when_told_that_the_proxy_alone_reaches_them(
    listen_on,
):
    listen_on("0.0.0.0", **{"server.trustedUserHeaders": {"X-Forwarded-Email": "email"}})
    with pytest.raises(ForbiddenError, match="anybody can write the header X-Forwarded-Email .* SLIM_BEHIND_PROXY"):
        require_safe_address(Settings())
    require_safe_address(Settings(behind_proxy=True))


def test_a_proxy_that_names_nobody_is_no_sign_in(listen_on):
    listen_on("0.0.0.0")
    with pytest.raises(ForbiddenError, match="SLIM_ALLOW_WITHOUT_SIGN_IN"):
        require_safe_address(Settings(behind_proxy=True))


def test_other_addresses_are_served_where_people_sign_in(listen_on, monkeypatch):
    listen_on("0.0.0.0")
    monkeypatch.setattr("app.access.has_auth", lambda: True)
    require_safe_address(Settings())


@pytest.fixture
def asked(monkeypatch):
    """The answers to come, of which the last one stays; and how often the secrets were looked at."""
    answers, times = [False], []

    def look_up():
        times.append(1)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr(access, "_look_up_auth", look_up)
    return answers, times


@pytest.mark.usefixtures("filled_home")
@pytest.mark.parametrize("page", ["overview", "annotate", "jobs"])
def test_a_run_of_a_page_looks_at_the_secrets_once(show, asked, page):
    app = show(page)
    assert len(asked[1]) == 1
    app.run()
    assert len(asked[1]) == 2


def test_the_next_run_knows_of_sign_in_that_was_set_up_since(asked):
    answers, times = asked
    answers[:] = [False, True]
    with access.cached_auth():
        with access.cached_auth():
            assert not access.signs_in()
        assert not access.signs_in() and len(times) == 1
    with access.cached_auth():
        assert access.signs_in()
    assert access.signs_in() and len(times) == 3, "outside of a run each question is a new one"


def test_a_run_that_is_broken_off_leaves_no_answer_behind(asked):
    with pytest.raises(KeyboardInterrupt), access.cached_auth():
        raise KeyboardInterrupt
    asked[0][:] = [True]
    assert access.signs_in()
