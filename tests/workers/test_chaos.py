"""The loop while its processes are killed at random: the short form of benchmarks.chaos."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import psutil
import pytest

from benchmarks import disturbance
from benchmarks.chaos import chaos, differences
from benchmarks.disturbance import Killer
from workers.local import server_binary

pytestmark = [pytest.mark.redis, pytest.mark.slow]


@pytest.mark.kills_processes
def test_a_loop_under_random_kills_loses_nothing_and_ends_with_the_same_numbers(tmp_path: Path):
    seen = chaos(tmp_path, kills=5, seed=7, pause_s=1.0, images=100)

    assert seen["kills"] >= 5 and seen["answers"] > 0
    assert (seen["stuck"], seen["doubled"], seen["answers_lost"], seen["left"]) == ([], [], 0, 0)
    assert seen["metrics_equal"]


class _Family:
    """Stands for an operator with one dashboard, worker and Redis."""

    def __init__(self, *living: subprocess.Popen[bytes]) -> None:
        self._living = [psutil.Process(one.pid) for one in living]

    def family(self) -> list[psutil.Process]:
        return [one for one in self._living if one.is_running()]


@pytest.mark.kills_processes
def test_a_frozen_redis_goes_on_and_a_database_that_was_cut_off_comes_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(disturbance, "_AWAY_S", (0.3, 0.6))
    socket = f"{tempfile.mkdtemp(prefix='slim-')}/redis.sock"
    seen, database = set[str](), FakeCluster()
    with subprocess.Popen([server_binary(), "--port", "0", "--unixsocket", socket, "--save", ""]) as server:
        killer = Killer(_Family(server), kills=4, seed=3, pause_s=0.05, database=database)
        killer._sorts = (disturbance.FROZEN, disturbance.CUT_OFF)
        with killer:
            while not killer.done.wait(0.02):
                seen.add(psutil.Process(server.pid).status())
        assert psutil.STATUS_STOPPED in seen and psutil.Process(server.pid).status() != psutil.STATUS_STOPPED
        server.kill()
    assert sum(killer.counts().values()) == 4 and set(killer.counts()) == set(killer._sorts)
    n = killer.counts()[disturbance.CUT_OFF]
    assert database.did == ["immediate", "start"] * n


def test_whoever_waits_for_a_killer_that_comes_to_grief_goes_on_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    killer = Killer(_Family(), kills=1, seed=3, pause_s=0.01)
    monkeypatch.setattr(killer, "_strike", lambda _sort: 1 / 0)
    with pytest.raises(RuntimeError, match="Killer came to grief"), killer:
        goes_on = killer.done.wait(10)
    assert goes_on, "else loop follows upon loop"


class FakeCluster:
    """Notes what is done to it."""

    def __init__(self) -> None:
        self.did: list[str] = []

    def stop(self, mode: str) -> None:
        self.did.append(mode)

    def start(self) -> None:
        self.did.append("start")


def test_a_difference_between_two_results_is_named_and_times_are_left_out():
    one = {"wga": 0.5, "seconds": 1.0, "cells": [{"kept": 3}, {"kept": 4}]}
    assert differences(one, {**one, "wga": 0.5 + 1e-9, "seconds": 9.0}) == []
    assert differences(one, {**one, "wga": 0.51}) == [".wga: 0.5 is 0.51 undisturbed"]
    assert differences(one, {**one, "cells": [{"kept": 3}, {"kept": 5}]}) == [".cells[1].kept: 4 is 5 undisturbed"]
    assert differences(one, {"wga": 0.5, "cells": []}) != []
