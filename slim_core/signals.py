"""What processes that run for long are made of: an event that a handler of a signal may set, what a signal is called,
a warning of what lasts, and children that get a signal when their parent ends.

threading.Event is no such event: it takes a lock, and a handler that runs while the same thread holds it (in wait, or
in the set of the signal just before) waits for itself for ever.

Linux sends a process the signal it asked for when the thread that started it ends, also when that was killed with -9.
The wish survives ``exec``, so this file, run as a program, makes any other program such a child (redis-server, for
one). Elsewhere than on Linux the wish cannot be made, and children end only with a clean stop. Standard library alone:
as a program it starts without what is installed.
"""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

AGAIN_S = 600.0  # between two lines of a log about an error that lasts


class SignalEvent:
    """Set once, by any thread or signal handler, also while another one sets it."""

    def __init__(self) -> None:
        self._set = False
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()  # whose put is reentrant

    def set(self) -> None:
        """Set it, and wake who waits."""
        self._set = True
        self._bell.put(None)

    def is_set(self) -> bool:
        """Whether it has been set."""
        return self._set

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is set or the time is over; whether it is set. For one thread."""
        if not self._set:
            try:
                self._bell.get(timeout=timeout_s)
            except queue.Empty:
                pass
        return self._set


class ThrottledWarning:
    """What a loop meets round after round: a warning when it begins, and one every ten minutes while it lasts."""

    def __init__(self, log: logging.Logger) -> None:
        self._log, self._said, self._said_at = log, "", 0.0  # monotonic seconds

    def warn(self, trouble: object) -> None:
        """This round has met it."""
        sentence, now = str(trouble), time.monotonic()
        if sentence != self._said or now - self._said_at >= AGAIN_S:
            self._log.warning("%s", sentence)
            self._said, self._said_at = sentence, now

    def end(self) -> None:
        """This round has met nothing: the next trouble is a new one."""
        self._said = ""

    @property
    def is_met(self) -> bool:
        """Whether the last round has met it."""
        return self._said != ""


def signal_name(number: int) -> str:
    """ "SIGKILL (signal 9)", or "signal 40": most real-time signals have no name."""
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


_PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int, with_signal: signal.Signals) -> None:
    """Ask to get a signal when the parent ends; exit at once if it already has.

    The check comes after the wish: between fork and wish the parent may have gone, and nobody would tell us.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(with_signal))
    if os.getppid() != parent_pid:
        os._exit(1)


def bound(command: list[str], with_signal: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command line that runs a program as a child which ends with the calling process.

    ``-S`` starts Python in a few milliseconds; ``-P`` keeps this folder, whose modules are not the standard ones, off
    the path.
    """
    return [sys.executable, "-S", "-P", __file__, with_signal.name, str(os.getpid()), *command]


def main() -> None:
    """Bind this process to its parent, then become the command."""
    name, parent, *command = sys.argv[1:]
    die_with_parent(int(parent), signal.Signals[name])
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
