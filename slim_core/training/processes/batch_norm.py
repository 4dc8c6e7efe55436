"""Batch normalisation over the shares of all processes: the statistics of one process that sees the whole batch.

torch's SyncBatchNorm computes on GPUs alone, and replaces layers, which networks with normalisation layers of their own
(timm's, with the activation inside) do not survive. Here ``functional.batch_norm``, which all of them call, is computed
otherwise while the context is entered. Variances are taken around the mean of all, in a second exchange: the mean of
squares minus the square of the mean would lose digits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.autograd import Function
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class SharedBatchStatistics(TorchFunctionMode):
    """A context: batch normalisation in training takes its statistics over all processes."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch for each of its functions."""
        wanted = shared_batch_norm if func is functional.batch_norm else func
        return wanted(*args, **(kwargs or {}))


def shared_batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """torch.nn.functional.batch_norm of x (b, C, ...), whose batch is the shares b of all processes together."""
    if not training:
        return torch.batch_norm(
            x, weight, bias, running_mean, running_var, training, momentum, eps, torch.backends.cudnn.enabled
        )
    ones, zeros = (torch.full(x.shape[1:2], value, device=x.device) for value in (1.0, 0.0))
    normalised: Tensor
    normalised, mean, var, n = _Normalised.apply(  # type: ignore[no-untyped-call]
        x, ones if weight is None else weight, zeros if bias is None else bias, eps
    )
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean.to(running_mean), momentum)
        if running_var is not None:
            running_var.lerp_((var * n / (n - 1)).to(running_var), momentum)
    return normalised


class _Normalised(Function):
    """x (b, C, ...) -> weight (x - mean) / sqrt(var + eps) + bias; beside it mean (C,), var (C,) and the number (1,).

    Sums are taken in float64 on CPUs, in float32 on GPUs.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        values = x.to(torch.float64 if x.device.type == "cpu" else torch.float32)
        sums, n = _over_all(_channel_sums(values), values.new_tensor([x.numel() // x.shape[1]]))
        mean = sums / n
        (squares,) = _over_all(_channel_sums((values - _by_channel(mean, x)).square()))
        var = squares / n
        scale = (var + eps).rsqrt().to(weight.dtype)
        slope = scale * weight
        constant = bias - mean.to(weight.dtype) * slope
        ctx.save_for_backward(x, weight, mean, scale, n)
        ctx.mark_non_differentiable(mean, var, n)
        normalised = torch.addcmul(_by_channel(constant, x), x.to(weight.dtype), _by_channel(slope, x))
        return normalised.to(x.dtype), mean, var, n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale, n = ctx.saved_tensors
        values = gradient.to(mean.dtype)
        centred = x.to(mean.dtype) - _by_channel(mean, x)
        own = (_channel_sums(values), _channel_sums(values * centred))
        of_bias, of_scale = _over_all(*own)
        rest = _by_channel(of_bias / n, x) + centred * _by_channel(of_scale / n * scale.square(), x)
        of_x = (values - rest) * _by_channel(scale * weight, x)
        return of_x.to(x.dtype), (own[1] * scale).to(weight.dtype), own[0].to(weight.dtype), None


def _over_all(*sums: Tensor) -> tuple[Tensor, ...]:
    """Each summed over all processes, in one exchange; what was given is left as it is."""
    joined = torch.cat(sums)
    distributed.all_reduce(joined)
    return torch.split(joined, [len(each) for each in sums])


def _channel_sums(values: Tensor) -> Tensor:
    """(C,) of values (b, C, ...)."""
    return values.sum([0, *range(2, values.dim())])


def _by_channel(values: Tensor, like: Tensor) -> Tensor:
    """(C,) as (1, C, 1, ...), to stand beside another tensor."""
    return values.reshape(1, -1, *[1] * (like.dim() - 2))
