"""An event that a signal handler may set.

threading.Event is none: it takes a lock, and a handler that runs while the same thread holds it (in wait, or in the set
of the signal just before) waits for itself for ever.
"""

from __future__ import annotations

import queue


class Signalled:
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
