"""Processes that the benchmarks start: a port for each, waiting for it, and its end."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack

import psutil

STOP_TIMEOUT_S = 30.0
LOOPBACK = "127.0.0.1"
_TRIED_AGAIN_S = 0.1


def free_port(host: str = LOOPBACK) -> int:
    """A TCP port of this machine that nobody listens on now."""
    with socket.socket() as one:
        one.bind((host, 0))
        return int(one.getsockname()[1])


def until(condition: Callable[[], object], what: str, patience_s: float) -> None:
    """Wait until something holds.

    Raises:
        RuntimeError: it does not in time.
    """
    end = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {patience_s:.0f} s in vain for {what}")
        time.sleep(_TRIED_AGAIN_S)


def command_of(process: psutil.Process) -> str:
    """Its command line; nothing of one that has ended, a zombie included."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def is_alive(process: psutil.Process) -> bool:
    """Whether it still computes: it has not ended, not even as a zombie that nobody has waited for."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_alive_at(pid: int) -> bool:
    """The same of the process of an id."""
    try:
        return is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False


def end(process: subprocess.Popen[bytes], grace_s: float = STOP_TIMEOUT_S) -> None:
    """Ask a process to end, and end it where it does not."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def ended_with(
    stack: ExitStack, process: subprocess.Popen[bytes], grace_s: float = STOP_TIMEOUT_S
) -> subprocess.Popen[bytes]:
    """End a process when the stack does, with -9 where it does not want to."""
    stack.callback(end, process, grace_s)
    return process
