"""``python -m workers`` that knows the drills, in every process it starts, and looks after them more often.

Drills need nothing of what the other steps import, so a worker saves that second, unless it is to do every step. The
first workers are forked from the service, which has imported what they need; those that come after them, and those of
a burst, are started as a user's are.

``--every-step``: import what the light steps need, as a user's worker does. ``--with-torch``: import torch once, and
not in each job, nor in each process of a training that several share. ``--placed-quickly``: spaces without UMAP.
``--constant=NAME=VALUE``: in place of what Settings makes of the lease, such as stop_grace_s.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

import drills
import psutil

from slim_core.settings import Settings, settings
from slim_core.steps import context
from slim_core.steps.specs import STEPS
from workers import __main__ as service
from workers import service as service_loop
from workers import worker

drills.register()
service_loop.TICK_S = drills.TICK_S
context.BEAT_S = drills.BEAT_S

EVERY_STEP, WITH_TORCH, PLACED_QUICKLY = "--every-step", "--with-torch", "--placed-quickly"
CONSTANT = "--constant="


class Forked:
    """What a service needs of a ``subprocess.Popen``, of a worker that is forked and imports nothing again."""

    def __init__(self, words: list[str], variables: dict[str, str]) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(words, variables)
        self._process = psutil.Process(self.pid)

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has."""
        if self.returncode is None:
            try:
                self.returncode = self._process.wait(timeout)
            except psutil.TimeoutExpired:
                raise subprocess.TimeoutExpired("a forked worker", timeout or 0.0) from None
        return int(self.returncode or 0)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _become(words: list[str], variables: dict[str, str]) -> None:
    """What a new Python would be: its own environment, group and log, and nothing open but what it writes to."""
    try:
        os.setpgid(0, 0)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.environ.clear()
        os.environ.update(variables)
        settings.cache_clear()
        logging.root.handlers.clear()
        code = main(words)
    except BaseException:
        logging.exception("a forked worker ends")
        code = 1
    sys.stderr.flush()
    os._exit(code)


class FirstForked(service_loop.SlotProcess):
    """A worker that is forked at first, while its service has no connection and no thread that a fork would break."""

    def _spawn(self, command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
        if self.process is not None or self._burst:
            return super()._spawn(command, variables)
        return Forked(command[2:], variables)  # type: ignore[return-value]


def main(arguments: list[str]) -> int:
    """The service, or with "slot" as the first word one of its workers."""
    kept = [word for word in arguments if word.startswith((EVERY_STEP, WITH_TORCH, PLACED_QUICKLY, CONSTANT))]
    for word in kept:
        if word.startswith(CONSTANT):
            name, value = word.removeprefix(CONSTANT).split("=")
            setattr(Settings, name, float(value))
    options = [word for word in arguments if word not in kept]
    if options[:1] == ["slot"]:
        worker.import_light_half = partial(_import, kept, worker.import_light_half)
        return worker.main(options[1:])
    service_loop.SlotProcess = FirstForked  # type: ignore[misc]
    return service.main(options, slot_command=[sys.executable, sys.argv[0], "slot", *kept])


def _import(kept: Sequence[str], light_half: Callable[[tuple[str, ...]], None], queues: tuple[str, ...]) -> None:
    """What a worker imports before its first job."""
    if EVERY_STEP in kept:
        light_half(queues)
    if PLACED_QUICKLY in kept and "cpu" in queues:
        from slim_core.space import embedding
        from tests.placed_quickly import first_components

        embedding.fit_umap = first_components
    if WITH_TORCH in kept and "gpu" in queues:
        _import_torch_half()


def _import_torch_half() -> None:
    """What no worker of a user may do before it forks; on one thread of the CPU, and before torch computes, it may."""
    for step in STEPS.values():
        if step.queue == "gpu" and step.kind not in drills.DRILL_STEPS:
            step.load()
    from slim_core.training import processes
    from tests.slim_core.training.processes import quick_agent

    processes.TORCHRUN = quick_agent.COMMAND
    gc.freeze()
