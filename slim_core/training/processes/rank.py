"""One of the processes that share a training; started by torchrun, on this machine by launch.py.

    torchrun --nnodes 2 --node-rank 1 --nproc-per-node 4 --master-addr FIRST --master-port 29400 \\
        -m slim_core.training.processes.rank --device cuda

It knows neither the database nor the queue: the first process is given the training in a file and hands it to the
others. A machine that joins needs the same code, and the images under the same paths. The file is a pickle, like
everything that processes of torch say to each other, and read by the processes that its writer starts alone.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from slim_core.errors import SlimError, SpecRefusedError
from slim_core.models.model import Model
from slim_core.models.runtime import Runtime
from slim_core.training.config import TrainConfig
from slim_core.training.data import TrainData
from slim_core.training.loop import EpochReport, TrainResult, ignore_report, train
from slim_core.training.processes.pdeath import die_with_parent
from slim_core.training.processes.team import Team, join_team

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
    parser = argparse.ArgumentParser(prog="python -m slim_core.training.processes.rank", description=__doc__)
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


if __name__ == "__main__":
    sys.exit(main())
