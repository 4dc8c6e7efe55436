"""A step of a training: pixels in, changed at random, the loss out, and the weights have moved; in one process or many.

Each process sees its share of every batch, and the logits of all: so each computes the loss of the whole batch, also
one that is no mean over images, and its gradient flows into the process's own share alone. Added up over the processes
(by torch's DistributedDataParallel) these are the gradient of one process that sees the whole batch. Batch
normalisation sees the whole batch, too. torch's SyncBatchNorm computes on GPUs alone and replaces layers, which timm's
(with the activation inside) do not survive: here ``functional.batch_norm``, which all of them call, is computed anew.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.overrides import TorchFunctionMode

from slim_core.data.images.codec import ImageTransform
from slim_core.errors import SpecRefusedError
from slim_core.models.inference import Pixels, to_device, to_input
from slim_core.models.model import Model
from slim_core.training.config import MOMENTUM, Augmentation, TrainConfig, TrainData
from slim_core.training.objectives import Batch, Objective

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


_SMALL = 96  # px: up to this, a crop shifts whole pixels instead of resampling
_CROP_AREA = (0.7, 1.0)  # share of the image a random crop keeps (DFR)
_STRENGTH = 0.4  # of brightness, contrast and saturation: factors between 1 - 0.4 and 1 + 0.4
_LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue in grey


@dataclass(frozen=True)
class Drawn:
    """What is to happen to each of n images; None: nothing of that kind."""

    flips: Tensor | None = None  # (n,) bool: mirrored
    shifts: Tensor | None = None  # (n, 2) whole pixels: how far down and right what is kept begins
    crops: Tensor | None = None  # (n, 4) in 0..1: area, aspect ratio, x and y
    colours: Tensor | None = None  # (n, 3) factors of brightness, contrast and saturation

    def __getitem__(self, part: slice) -> Self:
        """What is to happen to some of the images."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self)(**{name: None if values is None else values[part] for name, values in every.items()})


def draw(kind: Augmentation, n: int, size: int, generator: torch.Generator) -> Drawn:
    """For n images of a side in pixels; the kind and the state of the generator decide it."""
    flips, shifts, crops, colours = torch.rand(n, generator=generator) < 0.5, None, None, None
    if "crops" in kind and size <= _SMALL:
        reach = size // 8
        shifts = torch.randint(-reach, reach + 1, (2, n, 1), generator=generator)[:, :, 0].T
    elif "crops" in kind:
        crops = torch.rand(4, n, generator=generator).T
    if "colours" in kind:
        colours = 1 + _STRENGTH * (2 * torch.rand(n, 3, generator=generator) - 1)
    return Drawn(flips if "flips" in kind else None, shifts, crops, colours)


def augment(images: Tensor, drawn: Drawn, transform: ImageTransform) -> Tensor:
    """The images (B, 3, H, W), normalised by the transform, as they were drawn.

    Small images are shifted by up to an eighth (edges repeated); larger ones are cropped to 70-100 % of their area
    and resized back.
    """
    if drawn.colours is not None:
        images = _coloured(images, drawn.colours, transform)
    if drawn.shifts is not None:
        return _shifted(images, drawn.shifts, drawn.flips)
    if drawn.crops is not None:
        return _resized_crop(images, drawn.crops, drawn.flips)
    return images if drawn.flips is None else _flipped(images, drawn.flips)


def _flipped(images: Tensor, flips: Tensor) -> Tensor:
    return torch.where(to_device(flips, images.device)[:, None, None, None], images.flip(-1), images)


def _shifted(images: Tensor, shifts: Tensor, flips: Tensor | None) -> Tensor:
    n, size = len(images), images.shape[-1]
    places = (torch.arange(size) + shifts.T[:, :, None]).clamp(0, size - 1)  # (2, N, size)
    if flips is not None:
        places[1] = torch.where(flips[:, None], places[1].flip(-1), places[1])
    ys, xs = to_device(places, images.device)
    which = torch.arange(n, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[which, ys[:, :, None], xs[:, None, :]]  # (N, H, W, 3)
    return moved.permute(0, 3, 1, 2)


def _resized_crop(images: Tensor, crops: Tensor, flips: Tensor | None) -> Tensor:
    area, ratio, x, y = crops.T
    side = (_CROP_AREA[0] + (_CROP_AREA[1] - _CROP_AREA[0]) * area).sqrt()
    stretch = (0.75 ** (1 - 2 * ratio)).sqrt()  # aspect ratio between 3/4 and 4/3
    width, height = (side * stretch).clamp(max=1), (side / stretch).clamp(max=1)
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = width if flips is None else torch.where(flips, -width, width)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (2 * x - 1) * (1 - width)
    theta[:, 1, 2] = (2 * y - 1) * (1 - height)
    grid = functional.affine_grid(to_device(theta, images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def _coloured(images: Tensor, factors: Tensor, transform: ImageTransform) -> Tensor:
    """Brightness, contrast and saturation, one after the other, of the pixels in 0..1."""
    device = images.device
    mean, std, luminance = (
        to_device(torch.tensor(values), device)[:, None, None] for values in (transform.mean, transform.std, _LUMINANCE)
    )
    brightness, contrast, saturation = to_device(factors, device).T[:, :, None, None, None]  # (N, 1, 1, 1) each
    pixels = ((images * std + mean) * brightness).clamp(0, 1)
    grey = (pixels * luminance).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    pixels = (grey + contrast * (pixels - grey)).clamp(0, 1)
    grey = (pixels * luminance).sum(1, keepdim=True)
    changed: Tensor = ((grey + saturation * (pixels - grey)).clamp(0, 1) - mean) / std
    return changed


T = TypeVar("T", bound=Optimizer)
_KEPT_FROM_THE_COMPILER = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def _without_compiler(kind: type[T]) -> type[T]:
    """The same optimizer: its methods as they are below the decorators by which the compiler leaves them alone.

    Nobody compiles a training here, and to import the compiler takes as long as to import torch.
    """
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _KEPT_FROM_THE_COMPILER}
    step = torch.no_grad()(inspect.unwrap(kind.step))
    return cast(type[T], type(kind.__name__, (kind,), {**methods, "step": step, "__module__": __name__}))


SGD = _without_compiler(torch.optim.SGD)
AdamW = _without_compiler(torch.optim.AdamW)


def optimizer_of(net: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer that the config names, over the parameters that are trained."""
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad]
    if config.optimizer == "adamw":
        return AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return SGD(parameters, lr=config.lr, momentum=MOMENTUM, weight_decay=config.weight_decay)


@dataclass(frozen=True)
class Learner:
    """A network that is trained."""

    net: nn.Module
    called: nn.Module  # the network as steps call it: its gradients are those of all processes
    optimizer: torch.optim.Optimizer
    objective: Objective

    @classmethod
    def of(cls, net: nn.Module, objective: Objective, config: TrainConfig, team: Team = ALONE) -> Learner:
        """A learner that has taken no step yet."""
        optimizer = optimizer_of(net, config)
        optimizer.zero_grad(set_to_none=True)
        return cls(net, team.distributed_net(net), optimizer, objective)

    def at_rate(self, lr: float) -> None:
        """Steps have this learning rate from now on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def step(self, loss: Tensor) -> None:
        """Move the weights down the gradient of a loss."""
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps for an exact resume."""
        return {
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "objective": self.objective.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.objective.restore(state["objective"])


def autocast(device: torch.device) -> AbstractContextManager[None]:
    """bfloat16 for the layers that bear it, on GPUs that compute in it; elsewhere float32.

    No setting: those who need float32 on such a GPU would set a precision that no result of this field depends on.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@dataclass(frozen=True)
class Stepper:
    """Takes the steps of one training."""

    model: Model
    data: TrainData
    config: TrainConfig
    pixels: Pixels
    device: torch.device
    team: Team = ALONE

    def own(self, rows: np.ndarray) -> np.ndarray:
        """The rows of a batch (B,) that this process computes."""
        return rows[self.team.share(slice(0, len(rows)))]

    def step(
        self, learner: Learner, rows: np.ndarray, images: np.ndarray, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Move the weights down the loss of a batch.

        Args:
            learner: whose weights.
            rows: (B,) positions in the table.
            images: (b, H, W, 3) uint8, of the rows that this process computes.
            generator: of the random changes of the images.

        Returns:
            The loss before it, and how many predictions were correct; both stay on the device.
        """
        own, transform = self.team.share(slice(0, len(rows))), self.model.transform
        inputs = to_input(images, transform, self.device)
        if self.config.augmentation != "none":
            drawn = draw(self.config.augmentation, len(rows), transform.size, generator)
            inputs = augment(inputs, drawn[own], transform)
        batch = self._batch(rows, own, *self._outputs(learner, inputs))
        loss = learner.objective.loss(batch)
        learner.step(loss * self.team.size)  # the mean over the processes is taken of its gradient
        return loss.detach(), (batch.logits.argmax(1) == batch.labels).sum()

    def _batch(self, rows: np.ndarray, own: slice, logits: Tensor, pooled: Tensor | None) -> Batch:
        """What the processes together made of the rows; ``own``: which of them this one computed."""
        return Batch(
            rows=self._on_device(rows),
            labels=self._labels(rows),
            groups=self._on_device(self.data.grouping.index[rows]),
            pooled=None if pooled is None else self.team.gather(pooled, own, len(rows)),
            logits=self.team.gather(logits.float(), own, len(rows)),
            cells=None if self.data.cells is None else self._on_device(self.data.cells[rows]),
        )

    def _labels(self, rows: np.ndarray) -> Tensor:
        return self._on_device(self.data.table.labels[rows])

    def _on_device(self, values: np.ndarray) -> Tensor:
        return to_device(torch.from_numpy(values), self.device)

    def _outputs(self, learner: Learner, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits (b, C) of the inputs (b, 3, H, W), and what the head takes (b, K), where the objective asks for it."""
        pooled: list[Tensor] = []
        with ExitStack() as hooks:
            if learner.objective.needs_pooled and self.model.head is not None:
                handle = self.model.head.register_forward_pre_hook(lambda _, given: pooled.append(given[0]))
                hooks.callback(handle.remove)
            with autocast(self.device), self.team.shared_statistics():
                logits = learner.called(inputs)
        if not isinstance(logits, Tensor):
            raise SpecRefusedError(
                f"{self.model.name} gives a {type(logits).__name__} while it is trained, and logits (N, C) else: make "
                f"it give them alone, without the outputs of further heads."
            )
        return logits, pooled[-1] if pooled else None
