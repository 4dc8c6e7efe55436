"""Shares of a batch, and batch normalisation over them."""

from __future__ import annotations

import pytest
import timm.layers
import torch
from torch import distributed, nn

from slim_core.training.stepper import ALONE, SharedBatchStatistics, Team


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("part", [slice(0, 16), slice(7, 16), slice(3, 5), slice(4, 4)])
def test_shares_are_all_of_a_part_once_and_nearly_equal(size, part):
    shares = [Team(rank, size).share(part) for rank in range(size)]
    assert [i for share in shares for i in range(share.start, share.stop)] == list(range(part.start, part.stop))
    lengths = [share.stop - share.start for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_one_process_alone_changes_nothing():
    values, net = torch.ones(3, 2, requires_grad=True), nn.Linear(2, 2)
    assert ALONE.gather(values, slice(0, 3), 3) is values
    assert ALONE.distributed_net(net) is net and ALONE.broadcast(net) is net


@pytest.fixture
def group(tmp_path):
    """Torch's processes: this one."""
    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    distributed.barrier()  # as in ``join_team``: up to 2.7 torch may stand still without
    distributed.destroy_process_group()


LAYERS = {
    "2d": (lambda: nn.BatchNorm2d(5), (6, 5, 4, 3)),
    "1d": (lambda: nn.BatchNorm1d(5), (6, 5)),
    "bare": (lambda: nn.BatchNorm2d(5, affine=False, track_running_stats=False), (6, 5, 4, 3)),
    "mean of all": (lambda: nn.BatchNorm2d(5, momentum=None), (6, 5, 4, 3)),
    "timm's, with its activation": (lambda: timm.layers.BatchNormAct2d(5), (6, 5, 4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.usefixtures("group")
def test_each_batch_normalisation_is_torchs(name):
    make, shape = LAYERS[name]
    found = []
    for shared in (False, True):
        layer, x = make(), torch.randn(shape, generator=torch.Generator().manual_seed(1)).mul(3).add(1)
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, 0.5, 2, generator=torch.Generator().manual_seed(2))
        x.requires_grad_()
        for _ in range(2):
            if shared:
                with SharedBatchStatistics():
                    out = layer(x)
            else:
                out = layer(x)
        (out * torch.arange(out.numel()).reshape(out.shape)).sum().backward()
        evaluated = layer.eval()(x)
        gradients = [x.grad, *(parameter.grad for parameter in layer.parameters())]
        found.append([out, evaluated, *gradients, *layer.state_dict().values()])
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("group")
def test_in_evaluation_the_running_statistics_are_used():
    layer, x = nn.BatchNorm2d(3).eval(), torch.randn(2, 3, 4, 4)
    with SharedBatchStatistics():
        assert torch.equal(layer(x), layer(x)) and torch.allclose(layer(x), x, atol=1e-4)
