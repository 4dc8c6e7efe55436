"""The device a step computes on."""

import pytest
import torch

from slim_core.errors import MemoryRefusedError, SpecRefusedError
from slim_core.models.inference import memory_guard, open_device
from slim_core.settings import settings
from tests.refusals import refusal


def test_on_the_cpu_torch_leaves_a_core_to_others():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(64)
        open_device("cpu")
        assert torch.get_num_threads() == settings().threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["cuda:97", "abacus"])
def test_a_device_that_does_not_exist_is_refused_with_what_to_take_instead(name):
    with pytest.raises(SpecRefusedError, match=f"{name}.*use cpu"):
        open_device(name)


@pytest.mark.parametrize(
    ("error", "batch_size", "smallest", "where", "remedy"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), 100, 1, "GPU", {"batch_size": 50}),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 99 bytes"), 4, 2, "machine", {"batch_size": 2}),
        (torch.OutOfMemoryError("CUDA out of memory"), 3, 2, "GPU", {}),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, 1, "GPU", {}),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_with_half_of_it(error, batch_size, smallest, where, remedy):
    with refusal(MemoryRefusedError, batch_size, where, *remedy.values()) as refused:
        with memory_guard(batch_size, smallest=smallest):
            raise error
    assert refused.value.remedy == remedy


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("no")])
def test_other_errors_pass_the_memory_guard(error):
    with pytest.raises(type(error), match=str(error)), memory_guard(8):
        raise error
