"""Where the dashboard may listen without sign-in."""

import pytest
import streamlit as st

from app.bind_address import require_safe_address
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
    monkeypatch.setattr("app.bind_address.has_auth", lambda: True)
    require_safe_address(Settings())
