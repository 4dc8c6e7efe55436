"""The device a step computes on."""

import gc
import weakref

import pytest
import torch

from slim_core.errors import SpecRefusedError
from slim_core.models.devices import memory_guard, open_device
from slim_core.settings import settings


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


def out_of_memory(n: int) -> None:
    raise torch.OutOfMemoryError(f"CUDA out of memory at {n}")


@pytest.mark.slow
def test_smaller_batches_are_tried_by_powers_of_two_until_one_fits():
    tried = []

    def attempt(n: int) -> None:
        tried.append(n)
        if n > 8:
            out_of_memory(n)

    with pytest.raises(SpecRefusedError, match="of 100 images do not fit into the memory of the GPU, but batches of 8"):
        with memory_guard(100, attempt):
            out_of_memory(100)
    assert tried == [64, 32, 16, 8]
    with pytest.raises(SpecRefusedError, match="Batches of 1 image do .* nor do smaller"), memory_guard(1, attempt):
        out_of_memory(1)
    with pytest.raises(
        SpecRefusedError,
        match="of 4 images do not fit into the memory of the machine, but batches of 2 do: submit it again",
    ):
        with memory_guard(4, attempt, smallest=2):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")


def test_what_the_failed_batch_held_is_let_go_before_smaller_ones_are_tried():
    held = []

    def work() -> None:
        tensor = torch.zeros(10)
        held.append(weakref.ref(tensor))
        out_of_memory(len(tensor))

    def attempt(n: int) -> None:
        gc.collect()
        assert held[0]() is None

    with pytest.raises(SpecRefusedError, match="but batches of 8 do:"), memory_guard(10, attempt):
        work()


def test_other_errors_pass_the_memory_guard():
    with pytest.raises(RuntimeError, match="shapes do not match"), memory_guard(8, out_of_memory):
        raise RuntimeError("shapes do not match")
    with pytest.raises(ValueError, match="no"), memory_guard(8, out_of_memory):
        raise ValueError("no")
