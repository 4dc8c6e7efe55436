"""The environment: what a variable may hold, and the sentence where it holds anything else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from pydantic import SecretStr

from benchmarks.small_disk import fill
from slim_core import removed
from slim_core.errors import SettingRefusedError
from slim_core.settings import NO_DIRECTORY, Settings, redact_url, settings
from tests.refusals import missing, refusal
from tests.small_disk import mounted


@pytest.fixture
def read_anew():
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("read_anew")
@pytest.mark.parametrize("given", ["SLIM_HOME", "SLIM_DATA_ROOTS"])
def test_a_working_directory_that_was_deleted_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    for name in ("SLIM_HOME", "SLIM_DATA_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(given, str(tmp_path))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with refusal(SettingRefusedError, NO_DIRECTORY):
        settings()
    monkeypatch.setenv("SLIM_HOME", str(tmp_path))
    monkeypatch.setenv("SLIM_DATA_ROOTS", str(tmp_path))
    assert settings().home == tmp_path, "nothing is relative to it"


@pytest.mark.usefixtures("read_anew")
@pytest.mark.parametrize(("name", "value", "legal"), [
    ("SLIM_LEASE_S", "nan", "86,400"),
    ("SLIM_THREADS", "0", "at least 1"),
    ("SLIM_LEASE_S", "1e99", "86,400"),
    ("SLIM_PUBLIC_URL", "slim.lab", "https://"),
    ("SLIM_PUBLIC_URL", "https://slim.lab,slim.example", "https://"),
    ("SLIM_ALLOW_WITHOUT_SIGN_IN", "maybe", "true or false"),
    ("SLIM_DATABASE_URL", "nonsense", "sqlite:// or postgresql://"),
    ("SLIM_REDIS_URL", "garbage", "redis:// or rediss:// or unix://"),
    ("SLIM_MACHINES", "2", "2@first:29400"),
])  # fmt: skip
def test_a_wrong_setting_is_refused_with_its_name_its_value_and_the_legal_ones(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, legal: str
) -> None:
    monkeypatch.setenv(name, value)
    with refusal(SettingRefusedError, name, repr(value), legal):
        settings()


@pytest.mark.usefixtures("read_anew")
@pytest.mark.parametrize(("name", "value", "secret"), [
    ("SLIM_DATABASE_URL", "postgresql://slim:secret@db:port/slim", "secret"),
    ("SLIM_METRICS_TOKEN", "abc123", "abc123"),
    *(("SLIM_WEBHOOK_URL", url, url) for url in (
        "file:///etc/passwd", "ftp://host/x", "hooks/secret", "http:///secret", "http://host:port/x", "http://[host/x",
    )),
])  # fmt: skip
def test_what_may_be_secret_is_not_shown_where_it_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, secret: str
) -> None:
    monkeypatch.setenv(name, value)
    with refusal(SettingRefusedError, name) as refused:
        settings()
    assert secret not in str(refused.value)


@pytest.mark.parametrize("given", [
    {"database_url": "postgresql+psycopg://slim@db:5432/slim"}, {"database_url": "postgresql://a@/b?host=/tmp/pg"},
    {"database_url": "sqlite:////srv/slim.db"}, {"redis_url": "redis://:pw@redis:6379/1"},
    {"redis_url": "unix:///run/redis.sock?db=2"}, {"redis_url": "rediss://redis"},
])  # fmt: skip
def test_addresses_of_every_kind_are_taken(given: dict[str, str]) -> None:
    assert Settings(**given).model_dump(include=set(given)) == given


@pytest.mark.parametrize(
    ("given", "renew_s", "stop_grace_s", "hung_after_s"), [({}, 10.0, 3.0, 900.0), ({"lease_s": 6.0}, 2.0, 0.6, 180.0)]
)
def test_all_that_is_waited_for_follows_the_lease(
    given: dict[str, float], renew_s: float, stop_grace_s: float, hung_after_s: float
) -> None:
    found = Settings(**given)
    waits = [found.renew_s, found.stop_grace_s, found.hung_after_s]
    assert waits == pytest.approx([renew_s, stop_grace_s, hung_after_s])


@pytest.mark.usefixtures("read_anew")
@pytest.mark.parametrize("name", removed.SETTINGS)
def test_a_variable_of_earlier_versions_is_warned_of_with_what_serves_instead(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setenv(name, "2")
    settings()
    (warning,) = caplog.messages
    assert name in warning and removed.SETTINGS[name] in warning
    assert name.removeprefix("SLIM_").lower() not in Settings.model_fields


EACH = {
    "home": Path("/srv/slim"),
    "artifacts_url": "s3://bucket/slim",
    "database_url": "postgresql://slim:p@ss@db/slim",
    "redis_url": "redis://:pw@redis:6379/1",
    "data_roots": (Path("/data"), Path("/more data")),
    "model_modules": ("ours", "theirs.models"),
    "lease_s": 8.5,
    "webhook_url": "https://hooks.example.org/T0/secret",
    "public_url": ("https://slim.example.org", "http://slim.lab:8501"),
    "metrics_token": SecretStr("a long secret"),
    "mlflow_tracking_uri": "https://mlflow",
    "allow_without_sign_in": True,
    "behind_proxy": True,
    "threads": 99_991,
    "machines": "4@host:29500",
}


def test_every_setting_comes_back_from_the_environment_it_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert EACH.keys() == Settings.model_fields.keys(), "a new setting: give it a value here that is not its default"
    given = Settings(**EACH)
    assert given.roots  # a value that is kept is no setting
    for name, value in given.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == given
    assert [name for name, value in Settings.model_construct() if value == EACH[name]] == []


@pytest.mark.parametrize(("url", "said"), [
    ("https://me:pw@hooks.example.org:8443/T0/secret?key=1", "https://hooks.example.org"), ("s3://bucket/a", "s3://bucket"),
    ("secret", "://"), ("https://[secret", "(hidden)"), ("/srv/artifacts", "/srv/artifacts"),
])  # fmt: skip
def test_an_address_is_shown_without_what_may_be_secret(url: str, said: str) -> None:
    assert redact_url(url) == said


@pytest.mark.slow
@pytest.mark.parametrize("wrong, named", [
    ({"SLIM_THREADS": "0"}, ["SLIM_THREADS", "'0'"]),
    ({"SLIM_HOME": f"{__file__}/home"}, ["SLIM_HOME", "Not a directory"]),
], ids=["setting", "home"])  # fmt: skip
@pytest.mark.parametrize("command", [
    ["-m", "slim_core.cli", "datasets"],
    ["-m", "workers", "--burst"],
    ["-m", "streamlit", "run", "app/main.py", "--server.headless", "true", "--server.port", "0"],
], ids=["slim", "workers", "dashboard"])  # fmt: skip
def test_every_way_to_start_ends_with_the_sentence_and_exit_code_two(
    command: list[str], wrong: dict[str, str], named: list[str], tmp_path
) -> None:
    environment = os.environ | {"SLIM_HOME": str(tmp_path), **wrong}
    ended = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and not missing(ended.stderr, *named)
    assert "Traceback" not in ended.stderr


def test_where_the_only_disk_is_full_the_settings_are_read_and_the_temporary_folder_is_known_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mounted(tmp_path / "only-disk", 1) as disk:
        fill(disk / "ballast")
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(disk)])
        with pytest.raises(FileNotFoundError):
            tempfile.gettempdir()
        monkeypatch.delenv("SLIM_DATA_ROOTS", raising=False)
        monkeypatch.setenv("TMPDIR", str(disk))
        assert Settings().data_roots == (Path.cwd(), Path.home(), disk)
        monkeypatch.delenv("TMPDIR")
        assert Settings().data_roots == (Path.cwd(), Path.home(), Path("/tmp"))
