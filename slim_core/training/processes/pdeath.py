"""Children that end with their parent, also when it is killed with -9.

Linux sends a process the signal it asked for when the thread that started it ends. The wish survives ``exec``, so
this file, run as a program, makes any other program such a child (redis-server, for one). Elsewhere than on Linux the
wish cannot be made, and children end only with a clean stop.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

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
