"""One of the processes that share a training; started by agent.py, or on a second machine by torchrun.

    torchrun --nnodes 2 --node-rank 1 --nproc-per-node 4 --master-addr FIRST --master-port 29400 \\
        -m slim_core.training.processes.rank --device cuda

It knows neither the database nor the queue: the first process is given the training in a file and hands it to the
others. A machine that joins needs the same code, and the images under the same paths.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from slim_core.errors import SlimError, SpecRefusedError
from slim_core.models.runtime import Runtime
from slim_core.training.loop import train
from slim_core.training.meter import EpochReport
from slim_core.training.processes.job import Job, read_job
from slim_core.training.processes.messages import error_to_json, send
from slim_core.training.processes.pdeath import die_with_parent
from slim_core.training.processes.team import Team, join_team

REPORT_S = 0.25  # between two reports of an epoch


def main(arguments: Sequence[str] | None = None) -> int:
    """Take part in one training; 1 where it ends with an error, which the first process of its kind says."""
    parser = argparse.ArgumentParser(prog="python -m slim_core.training.processes.rank", description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--job", type=Path, help="the training, for the first process")
    parser.add_argument("--size", type=int, help="how many processes it is for")
    parser.add_argument("--parent", type=int, help="a process to end with")
    given = parser.parse_args(arguments)
    if given.parent is not None:
        die_with_parent(given.parent, signal.SIGKILL)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        with join_team(given.device) as team:
            _require_size(team, given.size)
            job = team.broadcast(read_job(given.job) if team.is_first else None)
            _take_part(job, team)
    except (SlimError, OSError) as error:
        send("refusal", error_to_json(error))
        return 1
    return 0


def _require_size(team: Team, size: int | None) -> None:
    if size is not None and team.size != size:
        raise SpecRefusedError(
            f"The training is for {size} processes, but {team.size} have joined: start equally many on each machine."
        )


def _take_part(job: Job, team: Team) -> None:
    runtime = Runtime(device=str(team.device), checkpoint_dir=job.checkpoint_dir if team.is_first else None)
    on_report = _reporter() if team.is_first else _silent
    result = train(job.model, job.data, job.config, on_report=on_report, runtime=runtime, team=team)
    if team.is_first:
        send("result", asdict(result))


def _silent(report: EpochReport) -> None:
    del report


def _reporter() -> Callable[[EpochReport], None]:
    """Says how far the training is, a few times a second, and always how an epoch ended."""
    said_at = 0.0

    def say_it(report: EpochReport) -> None:
        nonlocal said_at
        if report.val is None and time.monotonic() - said_at < REPORT_S:
            return
        said_at = time.monotonic()
        send("report", asdict(report))

    return say_it


if __name__ == "__main__":
    sys.exit(main())
