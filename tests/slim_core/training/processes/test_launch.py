"""A training that processes share: the result of one, stopped, resumed, killed, refused, and nothing left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil
import pytest
import torch

from benchmarks.processes import command_of
from slim_core.data.groups import grouping
from slim_core.errors import ImageRefusedError, RunCanceledError, SlimError, SpecRefusedError
from slim_core.models.build import build
from slim_core.models.runtime import Runtime
from slim_core.settings import Settings
from slim_core.training import processes
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import train
from slim_core.training.processes import JOB_FILE, processes_here, train_in_processes
from tests.slim_core.painted import painted_table
from tests.slim_core.training.processes import quick_agent
from tests.slim_core.training.processes.smooth import smooth_model

pytestmark = pytest.mark.slow  # each starts processes that import torch

TIMES = ("seconds", "images_per_s")
RANK = "slim_core.training.processes"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return painted_table(tmp_path_factory.mktemp("painted"), 70, size=32)


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    """Enough of them, also where there are not."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


@pytest.fixture
def quick_start(monkeypatch):
    """Processes that import nothing of their own; the one that is killed is a real one, and that of torchrun."""
    monkeypatch.setattr(processes, "TORCHRUN", quick_agent.COMMAND)


def smooth():
    torch.manual_seed(1)
    return smooth_model(build("small-resnet", 2, image_size=32).transform)


def trained(table, processes, *, runtime=None, on_report=None, **fields):
    """The weights (P,) and the history without its times."""
    model = smooth()
    config = TrainConfig(**{"epochs": 3, "batch_size": 16, "seed": 3, **fields})
    data = TrainData(table, table.rows("train"), table.rows("val"), grouping(table))
    given = {"runtime": runtime, "on_report": on_report or (lambda _report: None)}
    if processes == 1:
        result = train(model, data, config, **given)
    else:
        result = train_in_processes(model, data, config, processes, **given)
    assert not processes_of(os.getpid())
    weights = torch.cat([value.float().flatten() for value in model.net.state_dict().values()])
    return weights, [{key: value for key, value in entry.items() if key not in TIMES} for entry in result.history]


def processes_of(pid):
    """Of trainings that this process has started."""
    children = psutil.Process(pid).children(recursive=True)
    return [child for child in children if any(name in command_of(child) for name in (RANK, quick_agent.MODULE))]


def same(one, other):
    weights, history = one
    assert torch.allclose(weights, other[0], atol=1e-5, rtol=1e-5)
    for entry, expected in zip(history, other[1], strict=True):
        assert entry["val"]["loss"] == pytest.approx(expected["val"]["loss"], abs=1e-5)
        assert entry["val"]["groups"] == expected["val"]["groups"]
    for name in ("train_loss", "train_accuracy", "lr"):
        assert [entry[name] for entry in history] == pytest.approx([entry[name] for entry in other[1]], abs=1e-5)


@pytest.mark.usefixtures("quick_start")
@pytest.mark.parametrize(
    ("processes", "fields"),
    [
        (2, {"augmentation": "crops-flips-colours"}),
        (3, {"objective": "group-dro", "batch_size": 20}),  # a loss of whole batches; 42 = 20 + 20 + 2 < 3 images
    ],
)
def test_processes_leave_what_one_leaves(table, processes, fields, tmp_path):
    reports = []
    shared = trained(table, processes, on_report=reports.append, runtime=Runtime(checkpoint_dir=tmp_path), **fields)
    same(shared, trained(table, 1, **fields))
    ends = [report for report in reports if report.val is not None]
    assert [report.epoch for report in ends] == [1, 2, 3] and ends[-1].done == ends[-1].total == 3 * 42
    assert ends[-1].val == shared[1][-1]["val"]
    assert not (tmp_path / JOB_FILE).exists()


@pytest.mark.usefixtures("quick_start")
def test_a_stopped_training_leaves_no_process_and_is_resumed_by_another_number_of_them(table, tmp_path):
    epochs = []

    def check_stop():
        if any(report.epoch == 2 for report in epochs):
            raise RunCanceledError("stopped")

    runtime = Runtime(checkpoint_dir=tmp_path, check_stop=check_stop)
    with pytest.raises(RunCanceledError):
        trained(table, 2, runtime=runtime, on_report=epochs.append)
    assert not processes_of(os.getpid()) and not (tmp_path / JOB_FILE).exists()

    left, seen = Runtime(checkpoint_dir=tmp_path), []
    resumed = trained(table, 1, runtime=left, on_report=seen.append)
    assert seen[0].epoch >= 2
    same(resumed, trained(table, 1))
    again = trained(table, 2, runtime=left)  # all of it is done already
    same(again, resumed)


def test_a_killed_process_ends_the_training_in_a_sentence_and_the_others_with_it_and_leaves_no_folder(
    table, tmp_path, monkeypatch
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("SLIM_DATA_ROOTS", str(table.root))

    def kill_second(report):
        if report.epoch == 2:
            for each in processes_of(os.getpid()):
                if each.environ().get("RANK") == "1":
                    each.kill()

    with pytest.raises(SlimError, match="was killed by SIGKILL.*resumes"):
        trained(table, 2, runtime=Runtime(checkpoint_dir=tmp_path), on_report=kill_second, epochs=200)
    assert not processes_of(os.getpid())
    assert [path.name for path in temporary.iterdir() if not path.name.startswith("torchinductor_")] == []  # its cache


def test_the_processes_end_with_the_one_that_started_them_also_when_it_is_killed(table, tmp_path):
    code = (
        "import os, sys, tests.slim_core.training.processes.test_launch as here\n"
        "from pathlib import Path\n"
        "os.cpu_count = lambda: 8\n"
        "here.processes.TORCHRUN = here.quick_agent.COMMAND\n"
        "table = here.painted_table(Path(sys.argv[1]), 70, size=32)\n"
        "here.trained(table, 2, epochs=10_000, on_report=lambda _: print('going', flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdout.readline() == "going\n"
    ranks = processes_of(parent.pid)
    assert len(ranks) >= 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(ranks, timeout=20)
    assert not alive


@pytest.mark.usefixtures("quick_start")
def test_what_one_process_refuses_is_said_as_if_there_were_one(table, tmp_path):
    broken = painted_table(tmp_path, 70, size=32)
    path = broken.image_path(int(broken.rows("train")[-1]))
    path.write_bytes(b"no image")
    with pytest.raises(ImageRefusedError, match=path.name):
        trained(broken, 2, epochs=1)
    model = smooth()
    model.net.extra = lambda x: x  # of no module
    with pytest.raises(SpecRefusedError, match="to other processes .* take processes 1"):
        train_in_processes(
            model, TrainData(table, table.rows("train"), table.rows("val"), grouping(table)), TrainConfig(), 2
        )


def test_the_last_words_of_what_was_killed_are_in_the_log(table, monkeypatch, caplog):
    dying = "import os, sys; os.write(2, b'first\\nno room for'); os.kill(os.getpid(), 9)"
    monkeypatch.setattr(processes, "TORCHRUN", (sys.executable, "-c", dying))
    with caplog.at_level("INFO"), pytest.raises(SlimError, match="was killed by SIGKILL"):
        trained(table, 2, epochs=1)
    assert [one.getMessage() for one in caplog.records if one.name == processes.__name__] == ["first", "no room for"]


@pytest.mark.usefixtures("quick_start")
def test_a_second_machine_joins_by_torchrun(table, monkeypatch):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(processes, "settings", lambda: Settings(machines=f"2@localhost:{port}"))
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", "1"]
    command += ["--nproc-per-node", "1", "--master-addr", "localhost", "--master-port", str(port)]
    second = subprocess.Popen([*command, "-m", RANK, "--device", "cpu"])
    try:
        shared = trained_beside(table, second)
    finally:
        second.kill()
        second.wait()
    same(shared, trained(table, 1, epochs=1))


def trained_beside(table, second):
    model = smooth()
    data = TrainData(table, table.rows("train"), table.rows("val"), grouping(table))
    config = TrainConfig(epochs=1, batch_size=16, seed=3)
    result = train_in_processes(model, data, config, 2)
    assert second.wait(30) == 0
    weights = torch.cat([value.float().flatten() for value in model.net.state_dict().values()])
    return weights, [{key: value for key, value in entry.items() if key not in TIMES} for entry in result.history]


def test_more_processes_than_the_machine_has_cores_or_than_machines_can_share_are_refused(monkeypatch):
    assert processes_here(8, "cpu") == 8
    with pytest.raises(SpecRefusedError, match="9 processes need 9 cores here, and"):
        processes_here(9, "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(SpecRefusedError, match="2 processes need 2 GPUs here, and"):
            processes_here(2, "cuda")
    monkeypatch.setattr(processes, "settings", lambda: Settings(machines="2@a:1"))
    assert processes_here(4, "cpu") == 2
    with pytest.raises(SpecRefusedError, match="divided evenly among 2 machines"):
        processes_here(3, "cpu")
