"""Signals: an event that a handler may set, and what a signal is called.

threading.Event is no such event: it takes a lock, and a handler that runs while the same thread holds it (in wait, or
in the set of the signal just before) waits for itself for ever.
"""

from __future__ import annotations

import queue
import signal


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


def signal_name(number: int) -> str:
    """ "SIGKILL (signal 9)", or "signal 40": most real-time signals have no name."""
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"
