"""What a signal handler sets."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from slim_core.signals import SignalEvent, signal_name

AT_EVERY_STEP = """
import signal, sys, threading
from slim_core.signals import SignalEvent

event = SignalEvent()
depth = 0


def handler(*_):
    global depth
    depth += 1
    if depth < 4:
        event.set()
    depth -= 1


def step(*_):  # of Python and of what it calls
    if depth < 4:
        signal.raise_signal(signal.SIGTERM)


signal.signal(signal.SIGTERM, handler)
sys.setprofile(step)
event.wait(0.01)
event.set()
sys.setprofile(None)
print("ended", event.is_set())
"""


@pytest.mark.slow
def test_signals_that_come_on_top_of_each_other_lock_nothing():
    """As those of a parent that dies thread by thread."""
    done = subprocess.run([sys.executable, "-c", AT_EVERY_STEP], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "ended True", done.stderr


def test_it_is_waited_for_no_longer_than_asked():
    event = SignalEvent()
    assert not event.wait(0.01) and not event.is_set()
    event.set()
    started = time.monotonic()
    assert event.wait(60) and event.wait(60) and event.is_set()
    assert time.monotonic() - started < 30


def test_a_signal_is_called_by_its_name_and_number_also_where_it_has_no_name() -> None:
    assert [signal_name(number) for number in (9, 40)] == ["SIGKILL (signal 9)", "signal 40"]
