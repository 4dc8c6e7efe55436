"""``python -m workers``: work on the runs of this installation, on every GPU of this machine.

    python -m workers                    one process per GPU (on the CPU where there is none), and one for light jobs
    python -m workers --cpu 2            two processes that compute on the CPU, and one for light jobs
    python -m workers --devices 2        one process per two GPUs, for trainings that two processes share
    python -m workers --queues gpu       no light jobs
    python -m workers --burst            until nothing waits

Settings come from the environment (SLIM_HOME, SLIM_REDIS_URL, SLIM_DATABASE_URL, ...). Without SLIM_REDIS_URL it runs
the embedded Redis of SLIM_HOME, or joins whoever already does.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from slim_core.errors import SettingRefusedError, SlimError
from slim_core.settings import settings
from slim_core.signals import die_with_parent
from workers.local import RedisHome
from workers.slots import QUEUES, gpus, plan_slots

MOST_DEVICES = 8  # of a slot, whose name they are a part of
SLOT = (sys.executable, "-m", "workers.worker")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cpu", type=int, metavar="N", help="compute on the CPU in N processes, without GPUs")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="GPUs per process, shared by one training")
    parser.add_argument("--queues", default=",".join(QUEUES), help="which queues to serve (default: gpu,cpu)")
    parser.add_argument("--burst", action="store_true", help="end once the queue is empty")
    parser.add_argument("--embedded", action="store_true", help=argparse.SUPPRESS)  # started by the dashboard
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser


def main(arguments: Sequence[str] | None = None, *, slot_command: Sequence[str] = SLOT) -> int:
    """Run the service; 2 where it cannot start."""
    parser = _parser()
    given = parser.parse_args(arguments)
    queues = tuple(name.strip() for name in given.queues.split(",") if name.strip())
    if not queues or not set(queues) <= set(QUEUES):
        parser.error(f"--queues {given.queues}: take gpu, cpu, or both joined by a comma")
    if given.cpu is not None and given.cpu < 1:
        parser.error(f"--cpu {given.cpu}: take a number of processes, 1 or more")
    if not 1 <= given.devices <= MOST_DEVICES:
        parser.error(f"--devices {given.devices}: take a number from 1 to {MOST_DEVICES}")
    if given.parent is not None:
        die_with_parent(given.parent, signal.SIGTERM)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    try:
        _serve(given, queues, slot_command)
    except SlimError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _serve(given: argparse.Namespace, queues: Sequence[str], slot_command: Sequence[str]) -> None:
    chosen = settings()
    redis = RedisHome(chosen.home) if chosen.embedded else None
    with ExitStack() as at_the_end:
        if redis is not None:
            at_the_end.callback(redis.stop)  # also one that does not start: the folder of its socket would stay behind
            if redis.acquire():
                redis.ensure()  # before the imports below: the dashboard waits for it
        from workers.service import Service

        found = gpus() if "gpu" in queues and given.cpu is None else []
        if len(found) < given.devices and found:
            raise SettingRefusedError(
                f"--devices {given.devices}: this machine has {len(found)} GPUs; take at most as many."
            )
        plans = plan_slots(queues, given.cpu, found, chosen.threads, given.devices, chosen.n_machines)
        service = Service(
            chosen, plans, redis, burst=given.burst, only_as_owner=given.embedded, slot_command=slot_command
        )
        service.run()


if __name__ == "__main__":
    sys.exit(main())
