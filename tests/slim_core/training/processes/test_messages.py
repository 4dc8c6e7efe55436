"""What a process says is understood as it was meant, among lines that others write."""

from __future__ import annotations

import errno

import pytest

from slim_core.errors import DataRefusedError, ImageRefusedError, MemoryRefusedError, SlimError
from slim_core.training.processes.messages import error_from_json, error_to_json, parse, send


def test_a_line_is_understood_and_what_somebody_else_writes_is_not(capfd):
    send("report", {"epoch": 2})
    line = capfd.readouterr().out
    assert parse(line.rstrip("\n")) == {"word": "report", "epoch": 2}
    for other in ("epoch 2", "slim-training {broken", "slim-training []", ""):
        assert parse(other) is None


@pytest.mark.parametrize("error", [DataRefusedError("no"), ImageRefusedError("a.png is broken"), SlimError("?")])
def test_an_error_arrives_as_itself(error):
    back = error_from_json(error_to_json(error))
    assert type(back) is type(error) and str(back) == str(error)


def test_the_remedy_of_memory_and_the_number_of_a_full_disk_arrive_too():
    memory = error_from_json(error_to_json(MemoryRefusedError("too large", {"accumulation": 2})))
    assert isinstance(memory, MemoryRefusedError) and memory.remedy == {"accumulation": 2}
    full = error_from_json(error_to_json(OSError(errno.ENOSPC, "No space left on device")))
    assert isinstance(full, OSError) and full.errno == errno.ENOSPC
