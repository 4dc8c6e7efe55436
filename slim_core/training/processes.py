"""One training shared by several processes, one a device (docs/decisions/0010): torchrun starts them, and they meet.

    torchrun --nnodes 2 --node-rank 1 --nproc-per-node 4 --master-addr FIRST --master-port 29400 \\
        -m slim_core.training.processes --device cuda

``train_in_processes`` is the training as the process that wants it sees it; ``main`` is what each of the others runs.
These know neither the database nor the queue: the first is given the training in a file and hands it to the others. A
machine that joins needs the same code, and the images under the same paths. The file is a pickle, like everything that
processes of torch say to each other, and read by the processes that its writer starts alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

import torch

from slim_core.errors import SlimError, SpecRefusedError
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.settings import settings
from slim_core.signals import bound, die_with_parent, signal_name
from slim_core.training.config import TrainConfig, TrainData
from slim_core.training.loop import Checkpoints, EpochReport, TrainResult, ignore_report, train
from slim_core.training.stepper import Team, join_team

log = logging.getLogger(__name__)

REPORT = "slim-report "  # what a line begins with that is a report, among lines of the log
REPORT_S = 0.25  # between two reports of an epoch


@dataclass(frozen=True)
class Job:
    """A training, on the CPU and without what only one process can hold."""

    model: Model
    data: TrainData
    config: TrainConfig
    checkpoint_dir: Path
    processes: int


def outcome_file(job: Path) -> Path:
    """Where the first process leaves the result of a job, or the process that fails its error."""
    return job.with_suffix(".outcome")


def main(arguments: Sequence[str] | None = None) -> int:
    """Take part in one training; 1 where it ends with an error."""
    parser = argparse.ArgumentParser(prog="python -m slim_core.training.processes", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--job", type=Path, help="the training, for the first process")
    given = parser.parse_args(arguments)
    die_with_parent(os.getppid(), signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        with join_team(given.device) as team:
            result = _take_part(team.broadcast(pickle.loads(given.job.read_bytes()) if team.is_first else None), team)
        if team.is_first:
            _leave(given.job, result)
    except (SlimError, OSError) as error:
        log.error("%s", error)
        _leave(given.job, error)
        return 1
    return 0


def _take_part(job: Job, team: Team) -> TrainResult:
    if team.size != job.processes:
        raise SpecRefusedError(
            f"The training is for {job.processes} processes, but {team.size} have joined: start equally many on each "
            f"machine."
        )
    runtime = Runtime(device=str(team.device), checkpoint_dir=job.checkpoint_dir if team.is_first else None)
    on_report = _reporter() if team.is_first else ignore_report
    return train(job.model, job.data, job.config, on_report=on_report, runtime=runtime, team=team)


def _leave(job: Path | None, outcome: TrainResult | Exception) -> None:
    """Of several processes that fail the first is heard; one on another machine only by its log."""
    if job is not None:
        with suppress(FileExistsError), outcome_file(job).open("xb") as file:
            file.write(pickle.dumps(outcome))


def _reporter() -> Callable[[EpochReport], None]:
    """Says how far the training is, a few times a second, and always how an epoch ended."""
    said_at = 0.0

    def say_it(report: EpochReport) -> None:
        nonlocal said_at
        if report.val is None and time.monotonic() - said_at < REPORT_S:
            return
        said_at = time.monotonic()
        line = f"{REPORT}{json.dumps(asdict(report))}\n"
        os.write(sys.stdout.fileno(), line.encode())  # whole: other processes write to the same pipe

    return say_it


TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
JOB_FILE = "shared.pickle"  # beside the checkpoints, in SLIM_HOME, which its owner alone may write
POLL_S = 0.2
END_S = 5.0  # how long the processes may take to end when asked to
MEET_S = 900  # how long the other machines may take
_KILLED = re.compile(r"Signal \d+ \((SIG\w+)\) received")  # of torchrun, last for the process that failed first


def train_in_processes(
    model: Model,
    data: TrainData,
    config: TrainConfig,
    processes: int,
    *,
    on_report: Callable[[EpochReport], None] = ignore_report,
    runtime: Runtime | None = None,
) -> TrainResult:
    """As ``loop.train``, shared by several processes of one device each: to 1e-5 the result of one.

    ``runtime.device`` "cuda" gives each process of this machine a GPU of its own. With SLIM_MACHINES others join in.
    However this ends, the processes have ended before.

    Raises:
        SpecRefusedError: this machine has not so many devices, the network holds what no other process can be given,
            or as ``loop.train``.
        SlimError: one of the processes was killed; or what ``loop.train`` raises, in any of them.
    """
    runtime = runtime or Runtime()
    here = processes_here(processes, runtime.device)
    config = TrainConfig.model_validate(config.trained_with())
    with tempfile.TemporaryDirectory(prefix="slim-training-") as folder:
        checkpoints = runtime.checkpoint_dir or Path(folder)
        job = Job(model, replace(data, pixels=None), config, checkpoints, processes)
        with _written(job) as path:
            result = _followed(path, here, processes, on_report, runtime)
        Checkpoints(checkpoints, "").load_best(model.net, result.best_epoch)
    model.net.eval()
    return result


def processes_here(processes: int, device: str) -> int:
    """How many of a training's processes this machine runs.

    Raises:
        SpecRefusedError: it has not so many GPUs or cores, or the machines cannot have equal shares.
    """
    machines = settings().n_machines
    here, rest = divmod(processes, machines)
    if rest:
        raise SpecRefusedError(
            f"{processes} processes cannot be divided evenly among {machines} machines (SLIM_MACHINES): use a multiple."
        )
    kind = device.partition(":")[0]
    n, called = (torch.cuda.device_count(), "GPUs") if kind == "cuda" else (os.cpu_count() or 1, "cores")
    if here > n:
        raise SpecRefusedError(
            f"{processes} processes need {here} {called} here, and there are {n}: take fewer processes, or a machine "
            f"with more."
        )
    return here


@contextmanager
def _written(job: Job) -> Iterator[Path]:
    """The file the first process reads the training from, while it runs."""
    try:
        content = pickle.dumps(job)
    except (pickle.PicklingError, AttributeError, TypeError) as error:  # a function inside another, a lock
        raise SpecRefusedError(
            f"{job.model.name} cannot be given to other processes ({error}): build it of classes and functions of a "
            f"module, or take processes 1."
        ) from error
    job.checkpoint_dir.mkdir(parents=True, exist_ok=True)
    path = job.checkpoint_dir / JOB_FILE
    outcome_file(path).unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    try:
        yield path
    finally:
        path.unlink()
        outcome_file(path).unlink(missing_ok=True)


def _followed(
    job: Path, here: int, processes: int, on_report: Callable[[EpochReport], None], runtime: Runtime
) -> TrainResult:
    """The result of the processes; what they report is passed on until all have ended."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the processes need it
    killed = None
    with _torchrun(job, here, runtime.device.partition(":")[0]) as launcher:
        for line in _lines(launcher.stdout, runtime.check_stop):
            if line.startswith(REPORT):
                on_report(EpochReport(**json.loads(line.removeprefix(REPORT))))
            else:
                log.info("%s", line)
                killed = _KILLED.search(line) or killed
        code = launcher.wait()
    if not outcome_file(job).exists():
        raise SlimError(_how_it_ended(code, killed and killed[1], processes))
    outcome = pickle.loads(outcome_file(job).read_bytes())
    if isinstance(outcome, Exception):
        raise outcome
    return outcome  # type: ignore[no-any-return]


@contextmanager
def _torchrun(job: Path, here: int, device: str) -> Iterator[subprocess.Popen[str]]:
    """The process that starts this machine's, and ends with them."""
    given = settings()
    command = [*TORCHRUN, "--nproc-per-node", str(here), "--log-dir", os.devnull, *_meeting()]
    command += ["-m", __name__, "--device", device, "--job", str(job)]
    threads = str(max(1, given.threads // here))
    packages = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        bound(command, signal.SIGKILL),
        env=os.environ | {"SLIM_THREADS": threads, "OMP_NUM_THREADS": threads, "PYTHONPATH": os.pathsep.join(packages)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,  # Ctrl-C in a terminal reaches this process alone, which ends them in order
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()  # the kernel ends the others with it
            process.wait()


def _meeting() -> list[str]:
    """Where the processes meet: on this machine alone, or at its port, where other machines join."""
    given = settings()
    if given.machines is None:
        return ["--standalone", "--local-addr", "localhost"]
    host, port = given.machines.partition("@")[2].split(":")
    meeting = ["--nnodes", str(given.n_machines), "--node-rank", "0", "--master-addr", host, "--master-port", port]
    return [*meeting, "--rdzv-conf", f"timeout={MEET_S}"]


def _lines(pipe: IO[str] | None, check_stop: Callable[[], None]) -> Iterator[str]:
    """The lines that come out of a pipe until its last writer has ended; between them it is looked for a stop."""
    assert pipe is not None
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        with pipe:
            for line in pipe:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    threading.Thread(target=read, name="lines of a training", daemon=True).start()
    while True:
        check_stop()
        try:
            line = lines.get(timeout=POLL_S)
        except queue.Empty:
            continue
        if line is None:
            return
        yield line


def _how_it_ended(code: int, killed_by: str | None, processes: int) -> str:
    """The sentence for an end that no process has said a word about."""
    if code < 0:
        return (
            f"What started the {processes} processes of the training was killed by {signal_name(-code)}: retry, and it "
            f"resumes."
        )
    how = f"was killed by {killed_by}" if killed_by else "failed (see the log)"
    return (
        f"One of the {processes} processes of this training {how}, and the others were ended: if memory ran out take a "
        f"smaller batch_size; retry, and it resumes from its last checkpoint."
    )


if __name__ == "__main__":
    sys.exit(main())
