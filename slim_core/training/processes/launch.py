"""A training in several processes, as the process that wants it sees it: started, watched, ended, and its result."""

from __future__ import annotations

import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from slim_core.errors import SlimError, SpecRefusedError
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.settings import settings
from slim_core.signal_event import signal_name
from slim_core.training.config import TrainConfig
from slim_core.training.data import TrainData
from slim_core.training.loop import TrainResult, ignore_report
from slim_core.training.meter import EpochReport
from slim_core.training.processes.job import Job
from slim_core.training.processes.messages import error_from_json, parse
from slim_core.training.processes.pdeath import bound
from slim_core.training.resume import Checkpoints

log = logging.getLogger(__name__)

AGENT = (sys.executable, "-m", "slim_core.training.processes.agent")
POLL_S = 0.2
END_S = 5.0  # how long the processes may take to end when asked to


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

    ``runtime.device`` "cuda" gives each process of this machine a GPU of its own. With SLIM_MACHINES others join in at
    SLIM_RENDEZVOUS. However this ends, the processes have ended before.

    Raises:
        SpecRefusedError: this machine has not so many devices, or as ``loop.train``.
        SlimError: one of the processes was killed; or what ``loop.train`` raises, in any of them.
    """
    runtime = runtime or Runtime()
    here = processes_here(processes, runtime.device)
    if runtime.checkpoint_dir is None:
        with tempfile.TemporaryDirectory(prefix="slim-training-") as folder:
            return _train(Job(model, data, config, Path(folder)), processes, here, on_report, runtime)
    return _train(Job(model, data, config, runtime.checkpoint_dir), processes, here, on_report, runtime)


def processes_here(processes: int, device: str) -> int:
    """How many of a training's processes this machine runs.

    Raises:
        SpecRefusedError: it has not so many GPUs or cores, or the machines cannot have equal shares.
    """
    machines = settings().machines
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


def _train(
    job: Job, processes: int, here: int, on_report: Callable[[EpochReport], None], runtime: Runtime
) -> TrainResult:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # the processes need it
    path = job.write()
    try:
        with _agent(path, here, runtime.device.partition(":")[0]) as agent:
            said = _watch(agent, on_report, runtime.check_stop)
            code = agent.wait()
    finally:
        path.unlink(missing_ok=True)
    if "refusal" in said:
        raise error_from_json(said["refusal"])
    if "result" not in said:
        raise SlimError(_how_it_ended(said.get("ended"), code, processes))
    found = said["result"]
    result = TrainResult(found["history"], found["best_epoch"], found["seconds"])
    Checkpoints(job.checkpoint_dir, "").load_best(job.model.net, result.best_epoch)
    job.model.net.eval()
    return result


@contextmanager
def _agent(job: Path, here: int, device: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process that starts this machine's, and ends with them."""
    chosen = settings()
    command = [*AGENT, "--here", str(here), "--device", device, "--job", str(job), "--machines", str(chosen.machines)]
    command += ["--meet-at", chosen.rendezvous] if chosen.rendezvous else []
    process = subprocess.Popen(
        bound(command, signal.SIGKILL),
        env=_environment(max(1, chosen.threads // here)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,  # Ctrl-C in a terminal reaches this process alone, which ends them in order
    )
    try:
        yield process
    finally:
        _end(process)


def _environment(threads: int) -> dict[str, str]:
    packages = str(Path(__file__).resolve().parents[3])
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([packages, path] if path else [packages]),
        "SLIM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs; the kernel ends the others with the agent."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _watch(
    agent: subprocess.Popen[bytes], on_report: Callable[[EpochReport], None], check_stop: Callable[[], None]
) -> dict[str, dict[str, Any]]:
    """Pass on what the processes report until all have ended; word -> what was said first of the other words."""
    said: dict[str, dict[str, Any]] = {}
    for line in _lines([pipe for pipe in (agent.stdout, agent.stderr) if pipe is not None], check_stop):
        about = parse(line)
        if about is None:
            log.info("%s", line)
            continue
        word = about.pop("word")
        if word == "report":
            on_report(EpochReport(**about))
        else:
            said.setdefault(word, about)
    return said


def _lines(pipes: Sequence[IO[bytes]], check_stop: Callable[[], None]) -> Iterator[str]:
    """The lines that come out of the pipes until their last writer has ended."""
    with selectors.DefaultSelector() as selector:
        unfinished = {pipe.fileno(): b"" for pipe in pipes}
        for number in unfinished:
            selector.register(number, selectors.EVENT_READ)
        while unfinished:
            check_stop()
            for key, _ in selector.select(POLL_S):
                chunk = os.read(key.fd, 1 << 16)
                *whole, unfinished[key.fd] = (unfinished[key.fd] + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
                if not chunk:
                    selector.unregister(key.fd)
                    if last := unfinished.pop(key.fd):  # of a process that was killed in the midst of it
                        yield last.decode(errors="replace")


def _how_it_ended(ended: dict[str, Any] | None, code: int, processes: int) -> str:
    """The sentence for an end that no process has said a word about."""
    if ended is None:
        how = f"was killed by {signal_name(-code)}" if code < 0 else f"ended with exit code {code} (see the log)"
        return f"What started the {processes} processes of the training {how}: retry, and it resumes."
    if ended["killed_by"]:
        return (
            f"Process {ended['rank'] + 1} of the {processes} of this training was killed by {ended['killed_by']}, and "
            f"the others were ended: if memory ran out take a smaller batch_size; retry, and it resumes from its last "
            f"checkpoint."
        )
    return (
        f"Process {ended['rank'] + 1} of the {processes} of this training failed with exit code {ended['exitcode']}, "
        f"and the others were ended: see the log, then retry; it resumes from its last checkpoint."
    )
