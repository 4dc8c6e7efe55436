"""A classifier with everything the steps must know of it: its geometry, its classes, its target layer and head.

Where a network's last map and head are is found by watching a pass forward and back, not by a list of names.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from slim_core import result_files
from slim_core.data.images.codec import ImageTransform
from slim_core.errors import SpecRefusedError, quoted
from slim_core.models.checkpoints import load_weights, write_tensors
from slim_core.models.names import is_custom
from slim_core.result_files import NetworkFacts

N_PROBES = 2  # images of the pass that is watched
MOST_PREFIX = 8  # tokens before those of the positions: the class token, and registers
# Poolings, what hands on its input, the weights of an attention, and projections inside of a layer, are no
# representation of their own.
PASSED_OVER = (
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AvgPool1d, nn.AvgPool2d),
    *(nn.Dropout, nn.Identity, nn.Linear, nn.Softmax),
)
VANISHED = 1e-3  # of a gradient's mean size: a mean over the positions below it is one of rounding
_N_NAMED = 6  # layers that a refusal lists

NOT_LINEAR = "the last layer is not linear"
NOT_THE_MEAN = "the head is not a linear layer on the mean over the positions"


@dataclass(frozen=True)
class MapForm:
    """How a layer's output holds a map."""

    shape: tuple[int, int, int]  # (K, U, V)
    to_map: Callable[[Tensor], Tensor] | None = None  # brings the output to (N, K, U, V) where it is not

    def map_of(self, output: Tensor) -> Tensor:
        """(N, K, U, V)."""
        return output if self.to_map is None else self.to_map(output)


@dataclass(frozen=True)
class NetworkLayout:
    """The target layer and the head of a network, as the attention step needs them."""

    target_layer: nn.Module  # its output is A, in the form below
    head: nn.Linear | None  # the last layer, where it is linear
    pools_linearly: bool  # logits = head(mean over u, v of A): every class's map comes from the forward pass
    form: MapForm  # how that output holds the map
    facts: NetworkFacts


def channels_first(output: Tensor) -> Tensor:
    """(N, U, V, K) of a Swin transformer -> (N, K, U, V)."""
    return output.permute(0, 3, 1, 2)


def tokens_to_map(tokens: Tensor, n_prefix: int = 1, width: int | None = None) -> Tensor:
    """(N, n_prefix + U*V, K) of a vision transformer -> (N, K, U, V), without the tokens before the positions.

    ``width``: V; by default the map is square.
    """
    positions = tokens[:, n_prefix:].transpose(1, 2)  # (N, K, U*V)
    return positions.reshape(*positions.shape[:2], -1, width or math.isqrt(positions.shape[2]))


def sequence_first_to_map(tokens: Tensor, n_prefix: int = 0, width: int | None = None) -> Tensor:
    """(n_prefix + U*V, N, K) of torch's transformers, where the batch comes second -> (N, K, U, V)."""
    return tokens_to_map(tokens.transpose(0, 1), n_prefix, width)


def unflattened(output: Tensor, width: int) -> Tensor:
    """(N, K, U*V) of a flattened map -> (N, K, U, V)."""
    return output.reshape(*output.shape[:2], -1, width)


@dataclass
class _Output:
    """A map that a layer gave in the pass; layers around it that hand on the same tensor gave it, too."""

    tensor: Tensor
    version: int  # of the tensor: an in-place ReLU behind the layer raises it
    form: MapForm
    weighed: int  # layers with weights or statistics of their own that came before, this one among them
    given_by: list[tuple[str, int]] = field(default_factory=list)  # name of the layer, and which of its calls it was
    is_reached: bool = False  # the prediction depends on its positions
    is_weighed: bool = False  # and Grad-CAM finds weights for its channels, of which there are several

    @property
    def is_as_it_was(self) -> bool:
        """Nothing behind the layer has changed its output in place."""
        return self.tensor._version == self.version


@dataclass(frozen=True, eq=False)
class _Head:
    """A linear layer, and what went in and out."""

    name: str
    layer: nn.Linear
    pooled: Tensor  # (N, K)
    logits: Tensor  # (N, C)
    weighed: int  # layers with weights or statistics of their own that came before


@dataclass
class _Trace:
    """What the hooks keep of a forward pass: its maps, and the last linear layer with what went in and out."""

    outputs: list[_Output] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    weighed: int = 0  # layers with weights or statistics of their own, so far
    head: _Head | None = None
    n_tokens: int = 0  # of the last sequence of tokens

    def watch(self, name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        """A forward hook."""
        self.calls[name] += 1
        if not isinstance(output, Tensor):
            return
        if isinstance(module, nn.Linear) and output.dim() == 2 and inputs:
            given = output.detach().clone()  # as it is now: it may be changed in place
            self.head = _Head(name, module, inputs[0], given, self.weighed)
        is_handed_on = bool(self.outputs) and self.outputs[-1].tensor is output
        self.weighed += not is_handed_on and _has_weights(module)
        if (form := self._form(module, inputs, output)) is not None:
            if not is_handed_on:
                self.outputs.append(_Output(output, output._version, form, self.weighed))
            self.outputs[-1].version = output._version
            self.outputs[-1].given_by.append((name, self.calls[name]))

    def by_layer(self) -> dict[str, _Output]:
        """Name -> what the layer gave last, which is what a hook on it keeps; in the order of the pass."""
        given = [(name, call, one) for one in self.outputs for name, call in one.given_by]
        return {name: one for name, call, one in given if call == self.calls[name]}

    def _form(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> MapForm | None:
        if isinstance(module, PASSED_OVER):
            return None
        if output.dim() == 3 and output.shape[1] == N_PROBES != len(output):
            return self._token_form(len(output), output.shape[2], sequence_first_to_map)
        if output.dim() not in (3, 4) or len(output) != N_PROBES:
            return None
        if output.dim() == 4:
            return self._grid_form(*output.shape[1:])
        return _flattened_form(inputs, output) or self._token_form(output.shape[1], output.shape[2], tokens_to_map)

    def _grid_form(self, first: int, second: int, third: int) -> MapForm | None:
        """Images are square, so their maps are: the two sides of equal length are the positions.

        Those of as many as there are tokens are pairs of tokens, or the queries of one head: not positions.
        """
        if second == third > 1 and second != self.n_tokens:
            return MapForm((first, second, third))
        if first == second > 1 and second != self.n_tokens:
            return MapForm((third, first, second), channels_first)
        return None

    def _token_form(self, n_tokens: int, n_channels: int, to_map: Callable[..., Tensor]) -> MapForm | None:
        """The grid is the last one seen that leaves a few tokens before it, else the largest square."""
        grids = [(u, v) for _, u, v in (one.form.shape for one in reversed(self.outputs))]
        for height, width in (*grids, (math.isqrt(n_tokens),) * 2):
            n_prefix = n_tokens - height * width
            if n_channels > 1 and height * width > 1 and 0 <= n_prefix <= MOST_PREFIX:
                self.n_tokens = n_tokens
                return MapForm((n_channels, height, width), partial(to_map, n_prefix=n_prefix, width=width))
        return None


def _flattened_form(inputs: tuple[object, ...], output: Tensor) -> MapForm | None:
    """Where a layer takes a map (N, K, U, V), and gives (N, K, U*V)."""
    given = inputs[0] if inputs else None
    if not isinstance(given, Tensor) or given.dim() != 4:
        return None
    channels, height, width = given.shape[1:]
    if output.shape[1:] != (channels, height * width) or not height == width > 1:
        return None
    if channels == height * width and not torch.equal(output, given.flatten(2)):
        return None  # tokens: as many as they have channels
    return MapForm((channels, height, width), partial(unflattened, width=width))


def _has_weights(module: nn.Module) -> bool:
    """Whether it has some of its own: training may change what it does, as of a batch norm that does nothing yet."""
    return bool([*module.parameters(recurse=False), *module.buffers(recurse=False)])


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module gets its own mode back."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def inspect_network(
    net: nn.Module, size: int, *, target_layer: str | None = None, called: str | None = None
) -> NetworkLayout:
    """Find the target layer, the head and whether the head sees the plain spatial mean of the map.

    The target layer is the last one whose map the prediction depends on, and whose channels Grad-CAM can weigh: behind
    the last attention of a transformer with a class token, nothing but that token counts, and the scores by which a
    pooling weighs the positions are no features.

    Args:
        net: images (N, 3, size, size) in, logits (N, C) out.
        size: side of the network's input in pixels.
        target_layer: dotted name of a module to take instead, as ``net.named_modules()`` gives it.
        called: what a refusal calls the network.

    Raises:
        SpecRefusedError: no layer of the network has a map on which the prediction depends, or the named one has none.
    """
    called = called or type(net).__name__
    with evaluating(net), torch.inference_mode(False), torch.enable_grad():  # wherever it is first asked for
        trace, logits = _probe(net, size)
        head = trace.head if trace.head is not None and torch.equal(trace.head.logits, logits) else None
        if head is None:  # class maps of a head of 1x1 convolutions (SqueezeNet) are no features
            trace.outputs = [one for one in trace.outputs if one.form.shape[0] != logits.shape[1]]
        explained = logits if head is None else head.pooled
        _require_gradient(explained, called)
        _mark_reached(trace.outputs, explained)
    found = _candidates(trace)
    listed = _listed(found, net, trace)
    name = _last(found, trace, called) if target_layer is None else _named(target_layer, net, trace, listed, called)
    return _layout(name, net.get_submodule(name), trace.by_layer()[name], head, listed)


def _probe(net: nn.Module, size: int) -> tuple[_Trace, Tensor]:
    """One forward pass of two random images with its graph, watched."""
    trace = _Trace()
    handles = [module.register_forward_hook(partial(trace.watch, name)) for name, module in net.named_modules() if name]
    noise = torch.randn(N_PROBES, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        images = noise.to(next(net.parameters(), noise).device).requires_grad_(True)
        logits: Tensor = net(images * 1)  # not the leaf itself, which no layer could change in place
    finally:
        for handle in handles:
            handle.remove()
    return trace, logits


def _require_gradient(explained: Tensor, called: str) -> None:
    if not explained.requires_grad:
        raise SpecRefusedError(
            f"{called} computes without a gradient (torch.no_grad, or detach, in its forward), so it has no attention "
            f"to show: freeze layers with requires_grad_(False) instead, or evaluate it without attention "
            f"(--no-attention)."
        )


def _mark_reached(outputs: Sequence[_Output], result: Tensor) -> None:
    """Find the maps with positions on which ``result`` depends: the input of the head, for a new one may be all zero.

    It is weighed at random: a plain sum is constant behind a layer norm.
    """
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1)).to(result)
    depending = [one for one in outputs if one.tensor.requires_grad]
    if not depending:
        return
    score = (result * weights).sum()
    gradients = torch.autograd.grad(score, [one.tensor for one in depending], allow_unused=True)
    reached = [(one, one.form.map_of(g)) for one, g in zip(depending, gradients, strict=True) if g is not None]
    is_dead = not any(bool(g.any()) for _, g in reached)  # a ReLU behind the last convolution gives zeros only
    for one, g in reached:
        one.is_reached = is_dead or bool(g.any())
        one.is_weighed = is_dead or _is_weighed(g)


def _is_weighed(gradient: Tensor) -> bool:
    """Not what a pooling weighs the positions by: a softmax over them takes no notice of a sum, so that the mean of its
    gradient is 0, and Grad-CAM shows rounding; a single channel holds no features.

    Args:
        gradient: (N, K, U, V).
    """
    gradient = gradient.float()
    means, sizes = gradient.mean((2, 3)).abs().sum(), gradient.abs().mean((2, 3)).sum()
    return gradient.shape[1] > 1 and bool(means > VANISHED * sizes)


def _candidates(trace: _Trace) -> list[str]:
    """Names of the layers on whose map the prediction depends, in the order of the pass: of each map the outermost."""
    outermost = {id(one): name for name, one in trace.by_layer().items()}
    return [outermost[id(one)] for one in trace.outputs if one.is_reached and id(one) in outermost]


def _listed(found: Sequence[str], net: nn.Module, trace: _Trace) -> list[str]:
    """The whole blocks, none that is a part of another, and the last layer."""
    modules = {name: net.get_submodule(name) for name, one in trace.by_layer().items() if one.is_reached}
    whole = [f"{name}." for name, module in modules.items() if type(module) is not nn.Sequential]

    def is_block(name: str) -> bool:
        is_part = name.startswith(tuple(whole))
        return not is_part and ("." not in name or next(modules[name].children(), None) is not None)

    return [name for name in found if is_block(name) or name == found[-1]]


def _last(found: Sequence[str], trace: _Trace, called: str) -> str:
    """The last one that Grad-CAM can weigh; where there is none, the last."""
    if not found:
        raise SpecRefusedError(
            f"{called} has no layer with a map over image positions on which its prediction depends, so it has no "
            f"attention to show and no features to refit its last layer on: evaluate it without attention "
            f"(--no-attention), retrain the whole model, or take another network."
        )
    outputs = trace.by_layer()
    return next((name for name in reversed(found) if outputs[name].is_weighed), found[-1])


def _named(name: str, net: nn.Module, trace: _Trace, listed: Sequence[str], called: str) -> str:
    """The name, where it is that of a layer with a map."""
    instead = f"choose one of {', '.join(listed[-_N_NAMED:])}." if listed else "take another network."
    if name not in (known for known, _ in net.named_modules() if known):
        near = get_close_matches(name, [known for known, one in trace.by_layer().items() if one.is_reached], n=1)
        raise SpecRefusedError(f"{called} has no layer {quoted(name)}: {f'take {near[0]}.' if near else instead}")
    output = trace.by_layer().get(name)
    if output is None:
        raise SpecRefusedError(f"The layer {name} of {called} has no map over image positions: {instead}")
    if not output.is_reached:
        raise SpecRefusedError(f"The prediction of {called} does not depend on the map of its layer {name}: {instead}")
    return name


def _layout(
    name: str,
    module: nn.Module,
    output: _Output,
    head: _Head | None,
    listed: Sequence[str],
) -> NetworkLayout:
    pools_linearly = (
        head is not None
        and output.is_as_it_was
        and output.weighed == head.weighed
        and _is_mean(output.form.map_of(output.tensor.detach()), head.pooled.detach())
    )
    facts = NetworkFacts(
        target_layer=name,
        map_shape=output.form.shape,
        head=head.name if head else None,
        path="forward" if pools_linearly else "gradient",
        reason="" if pools_linearly else NOT_LINEAR if head is None else NOT_THE_MEAN,
        layers=tuple(listed),
    )
    return NetworkLayout(module, head.layer if head else None, pools_linearly, output.form, facts)


def _is_mean(maps: Tensor, pooled: Tensor) -> bool:
    if pooled.shape != maps.shape[:2]:
        return False
    mean, pooled = maps.mean((2, 3)).float(), pooled.float()  # the head may compute in another precision
    scale = float(pooled.abs().max())
    return scale > 0 and torch.allclose(mean, pooled, rtol=1e-4, atol=1e-5 * scale)


@dataclass
class Model:
    """A network (N, 3, size, size) -> logits (N, C), and what it was built for."""

    name: str  # as slim_core.models.names takes it
    net: nn.Module
    n_classes: int
    transform: ImageTransform  # of evaluation: maps, masks and predictions speak of these pixels
    label_names: tuple[str, ...] = ()
    named_layer: str | None = None  # the target layer that was chosen; None: the one that is found
    _layout: NetworkLayout | None = field(default=None, repr=False, compare=False)

    @property
    def layout(self) -> NetworkLayout:
        """Target layer and head, found once."""
        if self._layout is None:
            self._layout = inspect_network(
                self.net, self.transform.size, target_layer=self.named_layer, called=self.name
            )
        return self._layout

    def at_layer(self, name: str | None) -> Model:
        """The same network with another target layer; None: with the one it has."""
        return self if name in (None, self.named_layer) else replace(self, named_layer=name, _layout=None)

    @property
    def target_layer(self) -> nn.Module:
        """The layer whose output is A (K, U, V)."""
        return self.layout.target_layer

    @property
    def head(self) -> nn.Linear | None:
        """The last layer, where it is linear."""
        return self.layout.head

    @property
    def pools_linearly(self) -> bool:
        """True for conv -> global average pool -> linear: every class's map comes from the forward pass (METHOD S1)."""
        return self.layout.pools_linearly


def load_checkpoint(model: Model, path: Path | str, *, new_head: bool = False) -> None:
    """Fill the model from a checkpoint of someone else's training.

    ``new_head``: where it was trained on another number of classes, the head keeps its own initial weights.

    Raises:
        CheckpointRefusedError: unreadable, code inside, or tensors that do not fit.
    """
    load_weights(model.net, path, model.name, n_classes=model.n_classes, new_head=new_head)


def save_model(model: Model, folder: Path) -> None:
    """Write weights.safetensors and model.json into an existing folder.

    With a network of one's own goes by what it is known again: the code of its function may change.
    """
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.net.state_dict().items()}
    write_tensors(state, folder / result_files.WEIGHTS)
    about = {
        "name": model.name,
        "n_classes": model.n_classes,
        "label_names": list(model.label_names),
        "transform": model.transform.to_json(),
        "network": _facts(model),
    }
    if is_custom(model.name):
        about["signature"] = signature(model.net, model.transform.size)
    (folder / result_files.MODEL).write_text(json.dumps(about, indent=2))


def _facts(model: Model) -> dict[str, Any]:
    """What is known of its layout; or why it has no attention, which a model may do without."""
    try:
        return model.layout.facts.to_json()
    except SpecRefusedError as error:
        return {"refused": str(error)}


N_IMAGES = 2
_N_KEPT = 32  # outputs of an image: enough to tell two networks apart, and few numbers for 1,000 classes
_TOLERANCE = 0.03  # of the largest output: in bfloat16, other kernels for the same operations change 0.01 of it
_SMALLEST = 1e-6


def outputs_of_noise(net: nn.Module, size: int) -> Tensor:
    """(2, C) float32 of a network on the CPU, in evaluation mode."""
    noise = torch.randn(N_IMAGES, 3, size, size, generator=torch.Generator().manual_seed(0))
    with evaluating(net), torch.no_grad():
        outputs: Tensor = net(noise)
    return outputs.float()


def check_logits(net: nn.Module, name: str, n_classes: int, size: int) -> None:
    """One forward pass of two grey images: a wrong size or number of classes is refused before hours of training.

    Raises:
        SpecRefusedError: the network takes no images of this size, or gives no logits (N, n_classes).
    """
    try:
        with evaluating(net), torch.no_grad():  # no inference mode: the weights of lazy layers are made here
            logits = net(torch.zeros(2, 3, size, size))
    except Exception as error:  # as where it is made
        first = str(error).splitlines()[0] if str(error) else "no message"
        raise SpecRefusedError(
            f"{name} does not take colour images of {size} px ({type(error).__name__}: {first}): give another image "
            f"size, or a network that takes tensors (N, 3, {size}, {size})."
        ) from error
    if not isinstance(logits, torch.Tensor) or tuple(logits.shape) != (2, n_classes):
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise SpecRefusedError(f"{name} gives {shape} for two images: logits of the shape (2, {n_classes}) are needed.")


def signature(net: nn.Module, size: int) -> list[list[float]] | None:
    """The outputs by which the network is known again; None where they are not finite, or not the same twice.

    They are of the CPU, wherever the network is: on a GPU they would be less exact.
    """
    device = next(net.parameters(), torch.empty(0)).device
    net.cpu()
    try:
        once, again = (outputs_of_noise(net, size)[:, :_N_KEPT] for _ in range(2))
    finally:
        net.to(device)
    return once.tolist() if once.isfinite().all() and _agree(once, again) else None


def is_known_by(known: list[list[float]], net: nn.Module, size: int) -> bool:
    """Whether the network, on the CPU, still gives the outputs of its ``signature``."""
    return _agree(torch.tensor(known), outputs_of_noise(net, size)[:, :_N_KEPT])


def _agree(known: Tensor, found: Tensor) -> bool:
    if known.shape != found.shape:
        return False
    return bool((known - found).abs().max() <= _TOLERANCE * known.abs().max() + _SMALLEST)
