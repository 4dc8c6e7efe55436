"""Starts this machine's processes of a training as torchrun does, ends them when one fails, and says how that ended."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import uuid
from collections.abc import Sequence
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from slim_core.signal_event import signal_name
from slim_core.training.processes.messages import send

RANK = "slim_core.training.processes.rank"
MEET_S = 900  # how long the other machines may take


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them to their end; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m slim_core.training.processes.agent", description=__doc__)
    parser.add_argument("--here", type=int, required=True, help="processes on this machine")
    parser.add_argument("--machines", type=int, default=1)
    parser.add_argument("--meet-at", help="HOST:PORT of this machine, where there are others")
    parser.add_argument("--device", required=True)
    parser.add_argument("--job", required=True)
    given = parser.parse_args(arguments)
    size = str(given.here * given.machines)
    rank = ["-m", RANK, "--device", given.device, "--job", given.job, "--size", size, "--parent", str(os.getpid())]
    try:
        elastic_launch(_config(given), sys.executable)(*rank)
    except ChildFailedError as failure:
        send("ended", _how(failure))
        return 1
    return 0


def _config(given: argparse.Namespace) -> LaunchConfig:
    if given.machines == 1:
        meeting: dict[str, Any] = {"rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0", "local_addr": "localhost"}
    else:
        meeting = {
            "rdzv_backend": "static",
            "rdzv_endpoint": given.meet_at,
            "rdzv_configs": {"rank": 0, "timeout": MEET_S},
        }
    return LaunchConfig(
        min_nodes=given.machines,
        max_nodes=given.machines,
        nproc_per_node=given.here,
        run_id=uuid.uuid4().hex if given.machines == 1 else "none",  # as torchrun calls it
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),  # by default a folder of every training stays in TMPDIR
        **meeting,
    )


def _how(failure: ChildFailedError) -> dict[str, Any]:
    """Which process ended first, and how: not one that failed for want of it, or that was ended after it by SIGTERM."""

    def place(one: tuple[int, ProcessFailure]) -> tuple[bool, bool, int, int]:
        rank, how = one
        return how.exitcode >= 0, how.exitcode == -signal.SIGTERM, how.timestamp, rank  # timestamps are whole seconds

    rank, first = min(failure.failures.items(), key=place)
    killed_by = signal_name(-first.exitcode) if first.exitcode < 0 else None
    return {"rank": rank, "exitcode": first.exitcode, "killed_by": killed_by}


if __name__ == "__main__":
    sys.exit(main())
