"""A process that kill -9 strikes at a moment of the test's choosing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from typing import Any


def killed_at(event: str, is_it: Callable[..., bool], work: Callable[[], object]) -> None:
    """Do ``work`` in a process of its own, which is killed just before it does what is named.

    Args:
        event: an event of ``sys.audit``, such as os.rename or os.remove.
        is_it: whether this one is meant, by its arguments.
        work: what the process does.
    """

    def strike(name: str, arguments: tuple[Any, ...]) -> None:
        if name == event and is_it(*arguments):
            os.kill(os.getpid(), signal.SIGKILL)

    def child() -> None:
        sys.addaudithook(strike)
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"it was not killed at {event}: it ended with {process.exitcode}"
