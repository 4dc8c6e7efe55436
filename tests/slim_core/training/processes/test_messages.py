"""What a process says is understood as it was meant, among lines that others write."""

from __future__ import annotations

import errno

import pytest

from slim_core.errors import DataRefusedError, ImageRefusedError, MemoryRefusedError, SlimError
from slim_core.training.processes.messages import raised, refusal, say, understood


def test_a_line_is_understood_and_what_somebody_else_writes_is_not(capfd):
    say("report", {"epoch": 2})
    line = capfd.readouterr().out
    assert understood(line.rstrip("\n")) == {"word": "report", "epoch": 2}
    for other in ("epoch 2", "slim-training {broken", "slim-training []", ""):
        assert understood(other) is None


@pytest.mark.parametrize("error", [DataRefusedError("no"), ImageRefusedError("a.png is broken"), SlimError("?")])
def test_an_error_arrives_as_itself(error):
    back = raised(refusal(error))
    assert type(back) is type(error) and str(back) == str(error)


def test_the_remedy_of_memory_and_the_number_of_a_full_disk_arrive_too():
    memory = raised(refusal(MemoryRefusedError("too large", {"accumulation": 2})))
    assert isinstance(memory, MemoryRefusedError) and memory.remedy == {"accumulation": 2}
    full = raised(refusal(OSError(errno.ENOSPC, "No space left on device")))
    assert isinstance(full, OSError) and full.errno == errno.ENOSPC
