"""Tokens and roles."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from app import access
from app.access import TokenRefusedError, Viewer
from slim_core.errors import ForbiddenError, NotFoundError, SettingRefusedError
from slim_core.settings import Settings, settings
from tests.small_disk import mounted

pytestmark = pytest.mark.usefixtures("empty_home")


def test_a_token_brings_back_the_viewer_it_was_signed_for() -> None:
    viewer = Viewer("ann@example.org", "annotator", datasets=("d-1",))
    assert access.verify(access.sign(viewer)) == viewer


def test_tokens_of_the_same_hour_are_equal_so_that_image_addresses_stay_cacheable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    viewer = Viewer("ann", "viewer")
    monkeypatch.setattr(access.time, "time", lambda: 1_800_000_000 + 5)
    early = access.sign(viewer)
    monkeypatch.setattr(access.time, "time", lambda: 1_800_000_000 + 3_595)
    assert access.sign(viewer) == early


@pytest.mark.parametrize("change", [lambda _: "", lambda t: t[:-3] + "abc", lambda t: "W10" + t[3:], lambda _: "x.y.z"])
def test_a_missing_or_forged_token_is_refused(change) -> None:
    token = access.sign(Viewer("ann", "viewer"))
    with pytest.raises(TokenRefusedError, match="Reload the page"):
        access.verify(change(token))


def test_a_token_is_refused_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    token = access.sign(Viewer("ann", "viewer"))
    now = access.time.time()
    monkeypatch.setattr(access.time, "time", lambda: now + access.TOKEN_VALID_S + 2 * 3600)
    with pytest.raises(TokenRefusedError):
        access.verify(token)


def test_a_token_of_another_installation_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import session

    token = access.sign(Viewer("ann", "admin"))
    monkeypatch.setenv("SLIM_HOME", str(tmp_path / "other"))
    session.reset()
    with pytest.raises(TokenRefusedError):
        access.verify(token)


def test_the_key_can_be_read_by_its_owner_alone(empty_home) -> None:
    access.sign(Viewer("ann", "viewer"))
    assert (empty_home / "token.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("role", "needed", "allowed"), [
    ("viewer", "viewer", True), ("viewer", "annotator", False), ("annotator", "annotator", True),
    ("annotator", "lead", False), ("lead", "annotator", True), ("admin", "lead", True),
])  # fmt: skip
def test_a_role_may_do_what_the_roles_below_it_may(role: str, needed: str, allowed: bool) -> None:
    viewer = Viewer("ann", role)
    assert viewer.may(needed) is allowed
    if not allowed:
        with pytest.raises(ForbiddenError, match=f"Your role is {role}, and this requires the role {needed}"):
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
    access._secret.cache_clear()
    with pytest.raises(SettingRefusedError, match=f"token.key holds {len(content)} bytes, not 32: delete it"):
        access.sign(Viewer("ann", "admin"))


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
    with pytest.raises(TokenRefusedError, match="by another version. Reload the page"):
        access.verify(str(access._serializer().dumps(payload)))


def test_where_things_are_on_the_server_is_read_by_admins_alone() -> None:
    home = settings().home.resolve()
    full = f"The disk of the database {home}/slim.db is full: free some space, nothing was changed."
    assert access.sentence_for(Viewer("root", "admin"), full) == full
    others = full.replace(str(home), "SLIM_HOME")
    for viewer in (Viewer("lea", "lead"), Viewer("ann", "annotator"), Viewer("bob", "viewer"), None):
        assert access.sentence_for(viewer, full) == others
    left = f"8 MB are left on the disk of {home}: free some space."
    assert access.sentence_for(None, left) == "8 MB are left on the disk of SLIM_HOME: free some space."
    assert access.sentence_for(None, f"{home}-of-others is missing.") == f"{home}-of-others is missing."


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
    monkeypatch.setattr(access, "settings", lambda: at)
    told = access.sentence_for(None, f"The database {place} is kept locked, and s3://lab/slim does not answer.")
    assert told == "The database SLIM_DATABASE_URL is kept locked, and SLIM_ARTIFACTS_URL does not answer."


def test_a_key_for_which_there_is_no_space_leaves_nothing_behind(tmp_path: Path) -> None:
    with mounted(tmp_path / "small-disk", 1) as disk:
        with suppress(OSError):
            (disk / "ballast").write_bytes(bytes(2 << 20))
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                access.sign(Viewer("ann", "viewer"), disk)
        assert [path.name for path in disk.iterdir()] == ["ballast"]
        (disk / "ballast").unlink()
        access.sign(Viewer("ann", "viewer"), disk)
        assert [path.name for path in disk.iterdir()] == ["token.key"]
