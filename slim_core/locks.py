"""A lock on an open file that ends with the process that took it, however that ends. Unix, Windows, or none."""

from __future__ import annotations

import errno
import os
import time

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt
except ImportError:  # Unix
    msvcrt = None  # type: ignore[assignment]

RETRY_S = 0.1


def take(descriptor: int, *, waits: bool = False) -> None:
    """Lock an open file, or, on Unix, folder. ``waits``: until whoever holds it lets go.

    Raises:
        BlockingIOError: another process holds it.
        OSError: its disk or this system has no locks.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        return
    if msvcrt is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    while True:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
            return
        except PermissionError as error:
            if not waits:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error
        time.sleep(RETRY_S)
