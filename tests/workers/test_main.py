"""``python -m workers`` refuses what makes no sense before it starts anything."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from workers.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--cpu", "0"], "--cpu 0: take a number"),
        (["--queues", "gpu,tpu"], "--queues gpu,tpu: take gpu, cpu"),
        (["--queues", ""], "take gpu, cpu"),
        (["--cpu", "many"], "invalid int value: 'many'"),
    ],
)
def test_senseless_options_are_refused_in_one_sentence(capsys, arguments: list[str], sentence: str):
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2 and sentence in capsys.readouterr().err


def test_help_shows_how_to_call_it(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    assert ended.value.code == 0 and "-m workers --cpu 2" in capsys.readouterr().out


def test_a_redis_that_does_not_start_leaves_nothing_in_the_temporary_folder(tmp_path: Path):
    (tmp_path / "redis-server").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "redis-server").chmod(0o755)
    others = {name: value for name, value in os.environ.items() if name != "SLIM_REDIS_URL"}
    others["PATH"] = f"{tmp_path}{os.pathsep}{others['PATH']}"
    with tempfile.TemporaryDirectory() as temporary:  # whose path is short enough for a socket
        named = {"SLIM_HOME": str(tmp_path / "home"), "TMPDIR": temporary}
        command = [sys.executable, "-m", "workers", "--cpu", "1"]
        ended = subprocess.run(command, env=others | named, capture_output=True, text=True)
        assert ended.returncode == 2 and "embedded Redis does" in ended.stderr
        assert os.listdir(temporary) == []  # a dashboard tries again every few seconds
