"""The processes that share a training: what each computes of a batch, and how their shares become the batch again.

Each process sees its share of every batch, and the logits of all: so each computes the loss of the whole batch, also
one that is no mean over images, and its gradient flows into the process's own share alone. Added up over the processes
(by torch's DistributedDataParallel) these are the gradient of one process that sees the whole batch. Batch
normalisation sees the whole batch, too. torch's SyncBatchNorm computes on GPUs alone and replaces layers, which timm's
(with the activation inside) do not survive: here ``functional.batch_norm``, which all of them call, is computed anew.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from slim_core.errors import SpecRefusedError

_UNUSED = "parameters that were not used in producing loss"  # torch has no class of its own for this


@dataclass(frozen=True)
class Team:
    """One process, as a member of the ``size`` that share a training; by default it is alone."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")  # where this one computes

    @property
    def is_first(self) -> bool:
        """Whether this process keeps checkpoints and reports: one of them does."""
        return self.rank == 0

    def share(self, part: slice) -> slice:
        """Which of these images of a batch this process computes: nearly as many as each other one, maybe none."""
        ends = np.linspace(part.start, part.stop, self.size + 1).round().astype(int)
        return slice(int(ends[self.rank]), int(ends[self.rank + 1]))

    def gather(self, own: Tensor, share: slice, n: int) -> Tensor:
        """(n, ...) values of all processes, of which this one's own are those at ``share``, with their gradient."""
        if self.size == 1:
            return own
        others = own.new_zeros((n, *own.shape[1:]))
        others[share] = own.detach()
        distributed.all_reduce(others)
        return torch.cat([others[: share.start], own, others[share.stop :]])

    def broadcast(self, value: Any) -> Any:
        """What the first process gives: plain values, arrays and tensors of the CPU."""
        if self.size == 1:
            return value
        carried = [value]
        distributed.broadcast_object_list(carried, src=0, device=self.device)
        return carried[0]

    def distributed_net(self, net: nn.Module) -> nn.Module:
        """The network to call in a training: it shares the weights, and the mean of the gradients of all processes."""
        if self.size == 1:
            return net
        ids = [self.device] if self.device.type == "cuda" else None
        with warnings.catch_warnings():  # newer versions of torch have another name for it
            warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
            return DistributedDataParallel(net, device_ids=ids, broadcast_buffers=False)

    def shared_statistics(self) -> AbstractContextManager[object]:
        """Batch normalisation inside sees the batch, not this process's share of it."""
        return nullcontext() if self.size == 1 else SharedBatchStatistics()


ALONE = Team()


@contextmanager
def join_team(device_kind: str) -> Iterator[Team]:
    """Meet the other processes that torchrun has started.

    Raises:
        SpecRefusedError: the network has parameters that its loss does not depend on, whose gradients none exchanges.
    """
    distributed.init_process_group("nccl" if device_kind == "cuda" else "gloo")
    try:
        device = torch.device(device_kind)
        if device.type == "cuda":
            device = torch.device("cuda", distributed.get_node_local_rank())
            torch.cuda.set_device(device)
        yield Team(distributed.get_rank(), distributed.get_world_size(), device)
        # Up to 2.7 torch may stand still where a process leaves while torch's thread still holds what was exchanged
        # last, if Python knows that tensor: the process waits for the thread, and the thread for Python.
        distributed.barrier()
    except RuntimeError as error:
        if _UNUSED not in str(error):
            raise
        raise SpecRefusedError(
            "The network has parameters that its outputs do not depend on, which several processes cannot train: "
            "take processes 1, or freeze them."
        ) from error
    finally:
        distributed.destroy_process_group()


class SharedBatchStatistics(TorchFunctionMode):
    """A context: batch normalisation in training takes its statistics over all processes."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each of its functions."""
        wanted = _batch_norm if func is functional.batch_norm else func
        return wanted(*args, **(kwargs or {}))


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """torch.nn.functional.batch_norm of x (b, C, ...), whose batch is the shares b of all processes together.

    Sums are taken in float64 on CPUs, in float32 on GPUs. Variances are taken around the mean of all, in a second
    exchange: the mean of squares minus the square of the mean would lose digits.
    """
    if not training:
        return torch.batch_norm(
            x, weight, bias, running_mean, running_var, training, momentum, eps, torch.backends.cudnn.enabled
        )
    values = x.to(torch.float64 if x.device.type == "cpu" else torch.float32)
    others, channels = [0, *range(2, x.dim())], [1, -1, *[1] * (x.dim() - 2)]
    n = _summed(values.new_tensor([x.numel() // x.shape[1]]))
    mean = _summed(values.sum(others)) / n  # (C,)
    centred = values - mean.reshape(channels)
    var = _summed(centred.square().sum(others)) / n  # (C,)
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean.to(running_mean), momentum)
        if running_var is not None:
            running_var.lerp_((var * n / (n - 1)).to(running_var), momentum)
    scale = (var + eps).rsqrt() * (1 if weight is None else weight)
    normalised = centred * scale.reshape(channels)
    return (normalised if bias is None else normalised + bias.reshape(channels)).to(x.dtype)


class _Sum(Function):
    """The sum over all processes, of values and of their gradients."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:  # noqa: ARG004
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return _summed(gradient)


def _summed(own: Tensor) -> Tensor:
    summed: Tensor = _Sum.apply(own)  # type: ignore[no-untyped-call]
    return summed
