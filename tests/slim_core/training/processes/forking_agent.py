"""torchrun, whose processes are forks of it: what takes them seconds to import is imported once for all of them.

It is for tests on the CPU: a GPU allows no fork once it was used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch._dynamo  # noqa: F401  (DistributedDataParallel does)
from torch.distributed import run
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from slim_core.training import processes


def forks(config: LaunchConfig, entrypoint: str) -> Callable[..., object]:
    """As ``elastic_launch``, of this program instead of another one."""
    config.start_method = "fork"
    return elastic_launch(config, _take_part)


def _take_part(*arguments: str) -> None:
    sys.exit(processes.main(arguments[arguments.index(processes.__name__) + 1 :]))


if __name__ == "__main__":
    run.elastic_launch = forks  # type: ignore[assignment]
    run.main()
