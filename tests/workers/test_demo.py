"""``make demo``: what it refuses, and that nothing it starts outlives it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from benchmarks.processes import command_of, is_alive
from slim_core.data.sets import SETS, make_set
from slim_core.errors import SpecRefusedError
from slim_core.settings import Settings
from tests.refusals import missing, refusal
from workers import demo

ROOT = Path(__file__).resolve().parents[2]
ENDING = "Ending the dashboard"
PARTS = ("streamlit run", "workers --embedded", "workers.worker", "-server unixsocket:")
OF_FEW_IMAGES = """if True:
    import sys
    from slim_core.data.sets.digits import DemoConfig
    from workers import demo
    demo.demo_set = lambda *_, **_more: DemoConfig(train=20, val=10, test=10)
    sys.exit(demo.main())
"""


@pytest.fixture
def port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_a_busy_port_is_one_sentence_and_nothing_is_started(port, tmp_path):
    environment = {**os.environ, "SLIM_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "workers.demo", "--port", str(port)]
    with socket.socket() as other:
        other.bind((demo.HOST, port))
        other.listen()
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert not missing(ended.stderr, port, f"make demo PORT={port + 1}")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("number", [0, -1, 65536])
def test_a_number_that_is_no_port_is_refused(number):
    with refusal(SpecRefusedError, number, "PORT="):
        demo.check_port(number)


@pytest.mark.slow
def test_a_dashboard_that_does_not_start_shows_the_end_of_its_log(port, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "MAIN", tmp_path / "missing.py")
    dashboard = demo.Dashboard(Settings(home=tmp_path / "home"), port)
    with pytest.raises(SpecRefusedError, match=r"(?s)end of .*dashboard.log:\n.*missing.py"):
        dashboard.start()
    dashboard.stop()


def test_each_set_has_a_folder_of_its_own_and_the_digits_the_one_of_the_data_page(tmp_path):
    given = Settings(home=tmp_path)
    folders = [demo.folder_of(given, make_set(name, seed=3)) for name in demo.DRAWN]
    assert len(set(folders)) == len(demo.DRAWN) == len(SETS) - 1
    assert demo.folder_of(given, make_set("digits")) == tmp_path / "demo-data" / "seed-0"


def test_a_demo_is_called_by_its_set_and_a_seed_other_than_the_usual_one():
    usual, third = (demo.called(make_set("pictures", seed=seed)) for seed in (0, 3))
    assert (usual, third) == ("pictures-demo", "pictures-demo-seed-3")
    assert demo.called(make_set("charts")) == "colour-chart-demo"


@pytest.mark.parametrize(("name", "size"), [("pictures", 160), ("charts", 160), ("digits", 64)])
def test_of_a_pretrained_network_only_last_layers_are_trained(name, size):
    drawn = demo.demo_set(name, 3)
    config = demo.config_of(SimpleNamespace(id="d-1", format="demo", report={"model": drawn.model}), drawn)
    assert (drawn.size, config.seed, config.dataset) == (size, 3, "d-1")
    assert config.frozen == config.maps_on_test == (name != "digits")
    assert config.train == ({} if name == "digits" else {"image_size": 160})


def test_a_set_that_does_not_exist_is_refused_with_those_that_do(capsys):
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--set", "birds"])
    assert "digits, pictures" in capsys.readouterr().err.replace("'", ""), "Python 3.12 has left the quotes out"


@pytest.mark.kills_processes
@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.parametrize("names", [[signal.SIGINT], [signal.SIGTERM, signal.SIGINT]], ids=["INT", "TERM, then INT"])
def test_a_signal_ends_everything_it_started(names, port, tmp_path):
    environment = {**os.environ, "SLIM_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", OF_FEW_IMAGES, "--port", str(port)]
    with (tmp_path / "out").open("wb") as out:
        child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    started: list[psutil.Process] = []
    try:
        _wait_for(lambda: _parts(child.pid) == set(PARTS) or child.poll() is not None)
        assert child.poll() is None, (tmp_path / "out").read_text()
        started = psutil.Process(child.pid).children(recursive=True)
        for n, name in enumerate(names):
            _wait_for(lambda n=n: not n or ENDING in (tmp_path / "out").read_text())
            child.send_signal(name)
        assert child.wait(60) == 0
        _wait_for(lambda: not [process for process in started if is_alive(process)])
    finally:
        child.kill()
        child.wait()
        for process in started:
            if is_alive(process):
                process.kill()
    said = (tmp_path / "out").read_text()
    assert ENDING in said and "Traceback" not in said


@pytest.mark.slow
def test_a_signal_while_it_draws_the_images_ends_it_without_a_trace(port, tmp_path):
    environment = {**os.environ, "SLIM_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "workers.demo", "--port", str(port), "--set", "pictures"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as child:
        _wait_for(lambda: list(tmp_path.glob("home/demo-data/.*/images")) or child.poll() is not None)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=60)[1]
    assert child.returncode == 0 and "Traceback" not in said
    assert not list((tmp_path / "home" / "demo-data").iterdir())


def test_a_press_while_the_dashboard_ends_kills_it(tmp_path):
    deaf = """if True:
        import os, signal, time
        signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGINT))
        print(1, flush=True)
        time.sleep(60)
    """
    dashboard = demo.Dashboard(Settings(home=tmp_path), 1)
    before = signal.signal(signal.SIGINT, demo.interrupt)
    try:
        with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline()
            dashboard._child = child
            dashboard.stop()
        assert child.returncode == -signal.SIGKILL
    finally:
        signal.signal(signal.SIGINT, before)


def _parts(pid: int) -> set[str]:
    """Which of the parts of an embedded installation run under a process."""
    try:
        lines = [command_of(process) for process in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:  # it has ended
        return set()
    return {part for part in PARTS if any(part in line for line in lines)}


def _wait_for(condition, timeout_s=120):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.2)
