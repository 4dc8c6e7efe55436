"""The device a step computes on."""

import pytest
import torch

from slim_core.devices import open_device
from slim_core.errors import SpecRefusedError
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
    with pytest.raises(SpecRefusedError, match=f"{name}.*take cpu"):
        open_device(name)
