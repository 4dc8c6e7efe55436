"""The agent, whose processes are forks of it: what takes them seconds to import is imported once for all of them.

Whoever starts it is told nothing else than by the agent itself, and its processes are given the same arguments. It is
for tests on the CPU: a GPU allows no fork once it was used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch._dynamo  # noqa: F401  (DistributedDataParallel does)
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from slim_core.training.processes import agent, rank


def forks(config: LaunchConfig, _program: str) -> Callable[..., object]:
    """As ``elastic_launch``, of this program instead of another one."""
    config.start_method = "fork"
    return elastic_launch(config, _take_part)


def _take_part(_option: str, _module: str, *arguments: str) -> None:
    sys.exit(rank.main(arguments))


if __name__ == "__main__":
    agent.elastic_launch = forks  # type: ignore[assignment]
    sys.exit(agent.main())
