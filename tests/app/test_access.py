"""Who may do what: tickets, and the addresses that are served without sign-in."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import streamlit as st

from app import session
from app.session import TokenRefusedError, Viewer, require_safe_address
from slim_core.errors import ForbiddenError, NotFoundError, SettingRefusedError
from slim_core.settings import Settings, settings
from tests.small_disk import mounted

pytestmark = pytest.mark.usefixtures("empty_home")


def test_a_token_brings_back_the_viewer_it_was_signed_for() -> None:
    viewer = Viewer("ann@example.org", "annotator", datasets=("d-1",))
    assert session.verify(session.sign(viewer)) == viewer


def test_tokens_of_the_same_hour_are_equal_so_that_image_addresses_stay_cacheable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = Viewer("ann", "viewer")
    monkeypatch.setattr(session.time, "time", lambda: 1_800_000_000 + 5)
    early = session.sign(viewer)
    monkeypatch.setattr(session.time, "time", lambda: 1_800_000_000 + 3_595)
    assert session.sign(viewer) == early


@pytest.mark.parametrize("change", [lambda _: "", lambda t: t[:-3] + "abc", lambda t: "W10" + t[3:], lambda _: "x.y.z"])
def test_a_missing_or_forged_token_is_refused(change) -> None:
    token = session.sign(Viewer("ann", "viewer"))
    with pytest.raises(TokenRefusedError, match="Reload the page"):
        session.verify(change(token))


def test_a_token_is_refused_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    token = session.sign(Viewer("ann", "viewer"))
    now = session.time.time()
    monkeypatch.setattr(session.time, "time", lambda: now + session.TOKEN_VALID_S + 2 * 3600)
    with pytest.raises(TokenRefusedError):
        session.verify(token)


def test_a_token_of_another_installation_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import session

    token = session.sign(Viewer("ann", "admin"))
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "other"))
    session.reset()
    with pytest.raises(TokenRefusedError):
        session.verify(token)


def test_the_key_can_be_read_by_its_owner_alone(empty_home) -> None:
    session.sign(Viewer("ann", "viewer"))
    assert (empty_home / "token.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("role", "needed", "allowed"), [
    ("viewer", "viewer", True), ("viewer", "annotator", False), ("annotator", "annotator", True),
    ("annotator", "lead", False), ("lead", "annotator", True), ("admin", "lead", True),
])  # fmt: skip
def test_a_role_may_do_what_the_roles_below_it_may(role: str, needed: str, allowed: bool) -> None:
    viewer = Viewer("ann", role)
    assert viewer.may(needed) is allowed
    if not allowed:
        with pytest.raises(ForbiddenError, match=f"role is {role},.* role {needed}"):
            viewer.require(needed)


def test_a_narrowed_token_reaches_nothing_else() -> None:
    viewer = Viewer("ann", "viewer", datasets=("d-1",), campaigns=("c-1",))
    viewer.require_dataset("d-1")
    viewer.require_campaign("c-1")
    with pytest.raises(NotFoundError):
        viewer.require_dataset("d-2")
    with pytest.raises(NotFoundError):
        viewer.require_campaign("c-2")


@pytest.mark.parametrize("content", [b"", b"short"])
def test_a_key_that_is_cut_signs_nothing(empty_home, content: bytes) -> None:
    empty_home.mkdir(exist_ok=True)
    (empty_home / "token.key").write_bytes(content)
    session._secret.cache_clear()
    with pytest.raises(SettingRefusedError, match=f"token.key holds {len(content)} bytes, not 32: delete it"):
        session.sign(Viewer("ann", "admin"))


@pytest.mark.parametrize(
    "payload",
    [
        [],
        ["ann", "admin"],
        ["ann", "admin", None, None],
        ["ann", "emperor", None, None, ""],
        ["ann", "admin", None, None, None],
        [5, "admin", None, None, ""],
        ["ann", "admin", 5, None, ""],
        ["ann", "admin", [5], None, ""],
        ["ann", "admin", "d-1", None, ""],
        {"name": "ann"},
        "ann",
    ],
)
def test_a_rightly_signed_token_of_another_shape_is_refused(payload: object) -> None:
    with pytest.raises(TokenRefusedError, match="another version. Reload"):
        session.verify(str(session._serializer().dumps(payload)))


def test_where_things_are_on_the_server_is_read_by_admins_alone() -> None:
    home = settings().home.resolve()
    full = f"No room for {home}/slim.db."
    assert session.sentence_for(Viewer("root", "admin"), full) == full
    others = full.replace(str(home), "SLIM_HOME")
    for viewer in (Viewer("lea", "lead"), Viewer("ann", "annotator"), Viewer("bob", "viewer"), None):
        assert session.sentence_for(viewer, full) == others
    left = f"8 MB are left below {home}."
    assert session.sentence_for(None, left) == "8 MB are left below SLIM_HOME."
    assert session.sentence_for(None, f"{home}-of-others is missing.") == f"{home}-of-others is missing."


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:////srv/data/own.db", "/srv/data/own.db"),
        ("postgresql://slim:secret@db.lab.org/slim", "postgresql+psycopg://slim:***@db.lab.org/slim"),
    ],
)
def test_so_is_the_address_of_a_database_of_ones_own(
    tmp_path: Path, url: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = Settings(home=tmp_path, database_url=url, artifacts_url="s3://lab/slim")
    monkeypatch.setattr(session, "settings", lambda: at)
    told = session.sentence_for(None, f"The database {place} is kept locked, and s3://lab/slim does not answer.")
    assert told == "The database SLIM_DATABASE_URL is kept locked, and SLIM_ARTIFACTS_URL does not answer."


def test_a_key_for_which_there_is_no_space_leaves_nothing_behind(tmp_path: Path) -> None:
    with mounted(tmp_path / "small-disk", 1) as disk:
        with suppress(OSError):
            (disk / "ballast").write_bytes(bytes(2 << 20))
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                session.sign(Viewer("ann", "viewer"), disk)
        assert [path.name for path in disk.iterdir()] == ["ballast"]
        (disk / "ballast").unlink()
        session.sign(Viewer("ann", "viewer"), disk)
        assert [path.name for path in disk.iterdir()] == ["token.key"]


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
    with pytest.raises(ForbiddenError, match="write the header X-Forwarded-Email .* SLIM_BEHIND_PROXY"):
        require_safe_address(Settings())
    require_safe_address(Settings(behind_proxy=True))


def test_a_proxy_that_names_nobody_is_no_sign_in(listen_on):
    listen_on("0.0.0.0")
    with pytest.raises(ForbiddenError, match="SLIM_ALLOW_WITHOUT_SIGN_IN"):
        require_safe_address(Settings(behind_proxy=True))


def test_other_addresses_are_served_where_people_sign_in(listen_on, monkeypatch):
    listen_on("0.0.0.0")
    monkeypatch.setattr("app.session.has_auth", lambda: True)
    require_safe_address(Settings())


@pytest.fixture
def asked(monkeypatch):
    """The answers to come, of which the last one stays; and how often the secrets were looked at."""
    answers, times = [False], []

    def look_up():
        times.append(1)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr(session, "_look_up_auth", look_up)
    return answers, times


@pytest.mark.parametrize("page", ["overview", "annotate", "jobs"])
def test_a_run_of_a_page_looks_at_the_secrets_once(show, asked, page):
    app = show(page)
    assert len(asked[1]) == 1
    app.run()
    assert len(asked[1]) == 2


def test_the_next_run_knows_of_sign_in_that_was_set_up_since(asked):
    answers, times = asked
    answers[:] = [False, True]
    with session.cached_lookups():
        with session.cached_lookups():
            assert not session.signs_in()
        assert not session.signs_in() and len(times) == 1
    with session.cached_lookups():
        assert session.signs_in()
    assert session.signs_in() and len(times) == 3, "outside of a run each question is a new one"


def test_a_run_that_is_broken_off_leaves_no_answer_behind(asked):
    with pytest.raises(KeyboardInterrupt), session.cached_lookups():
        raise KeyboardInterrupt
    asked[0][:] = [True]
    assert session.signs_in()
