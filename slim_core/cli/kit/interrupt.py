"""Ctrl-C, raised as an error of our own: a program then ends with the exit code that it chooses."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

NOTHING_WAS_DONE = "Interrupted before anything was done: the same command can be given again."
WHATEVER_WAS_DONE = (
    "Interrupted. What was finished is kept and nothing is half done: the same command can be given again."
)


class Interrupt(KeyboardInterrupt):
    """A signal to end. Where a plain KeyboardInterrupt passes through ``exec`` of a text, as in a package that is being
    imported, ``python -m`` ends itself by SIGINT, whatever status was asked for (CPython, run_eval_code_obj)."""


def interrupt(number: int, _frame: FrameType | None) -> None:
    """As a handler of a signal: raise where the program is."""
    raise Interrupt(signal.Signals(number).name)


@contextmanager
def ctrl_c_is_interrupt() -> Iterator[None]:
    """Ctrl-C raises Interrupt meanwhile; nothing changes where it is ignored, as in what a shell starts with "&"."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
