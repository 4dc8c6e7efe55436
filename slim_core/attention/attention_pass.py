"""S1 in one pass: maps, features, predictions and scores of every image, streamed into memory-mapped arrays.

The raw map S of an image comes from the forward pass where that is exact, else by a gradient (METHOD S1). A method
makes S of the activations A and of their gradient G. Where logits = W mean(A), G = W_c / (U V) at every position, so
that every method is exact without a backward pass; so is one that needs no gradient, on any network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from slim_core.attention.arrays import MASK_SCORES, PassArrays, summed_up
from slim_core.attention.config import ATTRIBUTIONS, GRAD_CAM, ClassOfMap, PassConfig
from slim_core.attention.thumbnails import ThumbnailWriter
from slim_core.data.images.codec import ImageTransform, open_image
from slim_core.data.table import ImageTable
from slim_core.errors import SpecRefusedError
from slim_core.metrics import AIOU, ATTENTION_PRECISION, IOU, aiou_of, attention_precision, iou
from slim_core.models.inference import Pixels, memory_guard, open_device, require_finite, split_batches, to_input
from slim_core.models.model import Model, evaluating
from slim_core.models.runtime import Runtime
from slim_core.result_files import MapPath


def class_maps(A: Tensor, W: Tensor) -> Tensor:
    """S = ReLU(sum_k alpha_k A_k), (B, U, V), of A (B, K, U, V) and one row of the head's weights an image W (B, K).

    alpha_k = W_ck / (U V) is exact where the logits are linear in the mean of A over its positions (METHOD S1).
    """
    return torch.einsum("nkuv,nk->nuv", A, W).div(A[0, 0].numel()).relu()


class Mapper(Protocol):
    """Runs a batch through the network once; then gives the map of any class."""

    activations: Tensor  # A (B, K, U, V) float32, in whatever precision the network computes
    pooled: Tensor  # (B, K') input of the head
    logits: Tensor  # (B, C)

    def forward(self, images: Tensor) -> None:
        """Run a normalised batch (B, 3, H, W) through the network."""

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) >= 0, raw: one class (B,) an image."""

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V) of every class, for the images of the batch at the positions ``which`` (m,)."""


def path_of(model: Model, method: str) -> MapPath:
    """Whether the maps of a method come with the forward pass, or take a backward pass a class."""
    return "forward" if model.pools_linearly or not ATTRIBUTIONS[method].by_class else "gradient"


@contextmanager
def open_mapper(model: Model, method: str = GRAD_CAM) -> Iterator[Mapper]:
    """Forward-only where that is exact."""
    with evaluating(model.net):
        mapper = _mapper(model, method)
        try:
            yield mapper
        finally:
            mapper.close()


def _mapper(model: Model, method: str) -> ForwardMapper | KnownGradientMapper | GradientMapper:
    if path_of(model, method) == "gradient":
        return GradientMapper(model, method)
    return ForwardMapper(model) if method == GRAD_CAM else KnownGradientMapper(model, method)


class _Watcher:
    """Owns the hooks that keep A and the input of the head."""

    activations: Tensor
    pooled: Tensor
    logits: Tensor

    def __init__(self, model: Model) -> None:
        self.net = model.net
        self._form = model.layout.form
        self._handles = [model.target_layer.register_forward_hook(self._keep_activations)]
        self._head = model.head
        if self._head is not None:
            self._handles.append(self._head.register_forward_pre_hook(self._keep_pooled))

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        del module, inputs
        self.activations = output

    def _keep_pooled(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        del module
        self.pooled = inputs[0].detach()

    def close(self) -> None:
        """Take the hooks off the network again."""
        for handle in self._handles:
            handle.remove()


class ForwardMapper(_Watcher):
    """For conv -> global average pool -> linear: alpha_k = W_ck / (U V) exactly, so no gradient is needed."""

    def forward(self, images: Tensor) -> None:
        """One forward pass."""
        with torch.inference_mode():
            self.logits = self.net(images)
            self.activations = self._form.map_of(self.activations).float()

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        assert self._head is not None
        return class_maps(self.activations, self._head.weight.detach()[classes].float())

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V)."""
        assert self._head is not None
        A, W = self.activations[which], self._head.weight.detach().float()  # (m, K, U, V), (C, K)
        return torch.einsum("nkuv,ck->ncuv", A, W).div(A[0, 0].numel()).relu()


class KnownGradientMapper(_Watcher):
    """The other methods where G is known, or not needed."""

    def __init__(self, model: Model, method: str) -> None:
        self._by_class = ATTRIBUTIONS[method].by_class
        self._cam = _open_cam(model, method)
        self._cam.activations_and_grads.release()
        super().__init__(model)

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """A copy: an in-place ReLU behind the layer (DenseNet) would overwrite it."""
        del module, inputs
        self.activations = output.clone()

    def forward(self, images: Tensor) -> None:
        """One forward pass."""
        with torch.inference_mode():
            self.logits = self.net(images)
            self.activations = self._form.map_of(self.activations).float()
            if self._head is None:
                self.pooled = self.activations.mean((2, 3))

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        return self._maps(self.activations, classes)

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V)."""
        A, n_classes = self.activations[which], self.logits.shape[1]
        if not self._by_class:
            return self._maps(A, which)[:, None].expand(-1, n_classes, -1, -1)
        return torch.stack([self._maps(A, torch.full_like(which, c)) for c in range(n_classes)], dim=1)

    def _maps(self, A: Tensor, classes: Tensor) -> Tensor:
        if not self._by_class:
            return _cam_image(self._cam, A, torch.zeros_like(A))
        assert self._head is not None
        G = self._head.weight.detach()[classes].float() / A[0, 0].numel()  # (B, K)
        return _cam_image(self._cam, A, G[:, :, None, None].expand_as(A))


class GradientMapper(_Watcher):
    """For every other architecture: one backward pass a class."""

    def __init__(self, model: Model, method: str = GRAD_CAM) -> None:
        self._trainable = [p for p in model.net.parameters() if p.requires_grad]
        for parameter in self._trainable:  # only the gradient at A is wanted, which the input's carries
            parameter.requires_grad_(False)
        self._cam = _open_cam(model, method)
        super().__init__(model)

    def _keep_activations(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:  # type: ignore[override]
        """Hand a copy on: an in-place ReLU behind the layer (DenseNet) would overwrite what grad-cam keeps."""
        del module, inputs
        return output.clone()

    def forward(self, images: Tensor) -> None:
        """One forward pass, with its graph."""
        self._images = images.detach().requires_grad_(True)
        self._logits = self._images  # lets go of the graph of the batch before: two of them take twice the memory
        watched = self._cam.activations_and_grads
        self._logits = watched(self._images * 1)  # not the leaf itself, which no layer could change in place
        self.logits = self._logits.detach()
        self.activations = watched.activations[-1].to(images.device).float()  # of the last call, as everywhere
        if self._head is None:
            self.pooled = self.activations.mean((2, 3))

    def maps(self, classes: Tensor) -> Tensor:
        """S (B, U, V) of one class (B,) an image."""
        watched = self._cam.activations_and_grads
        watched.gradients = []
        score = self._logits.gather(1, classes[:, None]).sum()
        torch.autograd.grad(score, self._images, retain_graph=True)
        return _cam_image(self._cam, self.activations, watched.gradients[-1].float())

    def maps_of_all(self, which: Tensor) -> Tensor:
        """S (m, C, U, V): C backward passes."""
        n, n_classes = self.logits.shape
        every = [self.maps(torch.full((n,), c, device=which.device))[which] for c in range(n_classes)]
        return torch.stack(every, dim=1)

    def close(self) -> None:
        """Take off all hooks, and give the parameters their gradients back."""
        super().close()
        self._cam.activations_and_grads.release()
        for parameter in self._trainable:
            parameter.requires_grad_(True)


def _open_cam(model: Model, method: str) -> Any:
    """One as those of the grad-cam package, with hooks on the target layer."""
    return ATTRIBUTIONS[method].load()(model.net, [model.target_layer], model.layout.form.to_map)


def _cam_image(cam: Any, A: Tensor, G: Tensor) -> Tensor:
    """S (B, U, V) >= 0 of the activations and their gradient, (B, K, U, V) each."""
    S = cam.get_cam_image(None, None, None, A.cpu().numpy(), G.cpu().numpy(), False)
    return torch.from_numpy(np.maximum(S, 0)).to(A.device)


FLOAT16_MAX = 65504.0
HEAT_MAP_VALUES = 1 << 20  # of heat maps that are scored at once, however many images and classes: 4 MB, and copies
MOST_CLASS_MAPS = 1024  # values an image in all class maps that are kept by default: less than its features take


def minmax(maps: Tensor) -> Tensor:
    """Each (..., H, W) map scaled to 0..1; a constant one becomes zeros."""
    low, high = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    return torch.where(high > low, (maps - low) / (high - low).clamp(min=torch.finfo(maps.dtype).tiny), 0)


def heat_maps(maps: Tensor, size: int) -> np.ndarray:
    """M (m, C, size, size) float32 in 0..1 of raw maps S (m, C, U, V): bilinear, then min-max (METHOD S1).

    A constant map is zeros: enlarged, its values differ in the last digit, which min-max would make a pattern of.
    """
    large = functional.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)
    is_constant = maps.amax((-2, -1), keepdim=True) <= maps.amin((-2, -1), keepdim=True)
    return torch.where(is_constant, 0, minmax(large)).cpu().numpy()


def heat_maps_in_turn(maps: Tensor, size: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """(image, class, M (size, size)) of raw maps S (m, C, U, V), of which few are large at once."""
    n_classes, every = maps.shape[1], maps.flatten(0, 1)  # (m C, U, V)
    at_once = max(1, HEAT_MAP_VALUES // size**2)
    for first in range(0, len(every), at_once):
        for number, M in enumerate(heat_maps(every[first : first + at_once, None], size)[:, 0], first):
            yield *divmod(number, n_classes), M


def attention_and_environment(A: Tensor, S: Tensor) -> tuple[Tensor, Tensor]:
    """f_k = sum_uv A_k S and r_k = sum_uv A_k R, each (B, K), with R = 1 - minmax(S): 1 everywhere for a zero S."""
    f = torch.einsum("nkuv,nuv->nk", A, S)
    r = torch.einsum("nkuv,nuv->nk", A, 1 - minmax(S))
    return f, r


def to_half(values: Tensor) -> np.ndarray:
    """float16, clipped to its range so that nothing becomes infinite."""
    return values.float().clamp(-FLOAT16_MAX, FLOAT16_MAX).half().cpu().numpy()


def attention_pass(
    model: Model,
    table: ImageTable,
    rows: np.ndarray,
    out_dir: Path,
    config: PassConfig | None = None,
    *,
    runtime: Runtime | None = None,
    pixels: Pixels | None = None,
    score_masks: bool = True,
) -> dict[str, Any]:
    """One forward pass an image: what the model sees of it is written into an existing folder.

    Args:
        model: whose attention.
        table: N images.
        rows: (n,) positions, in the order of the arrays.
        out_dir: gets rows.npy (n,) int64; maps.npy (n, U, V) float16, raw S of the map's class (and, for "both",
            maps_predicted.npy; for "any", and where that costs next to nothing, class_maps.npy (n, C, U, V) of every
            class); attention_features.npy, environment_features.npy, pooled_features.npy (n, K) float16;
            logits.npy (n, C) float32; scores.parquet with row, prediction, confidence, loss (nats), entropy (bits),
            no_evidence, iou, aiou, attention_precision (NaN where the row has no mask).
        config: the class explained, the images at a time, the method, and the target layer where it is not the one that
            is found.
        runtime: where it runs; with a ``checkpoint_dir`` the batches so far are kept there while the pass lasts: a
            pass of the same model over the same rows resumes from them, and ends with the same bytes as one that was
            never interrupted.
        pixels: images already decoded under ``model.transform``.
        score_masks: compare maps with object masks where there are some.

    Returns:
        n, accuracy, no_evidence (count), n_masks, attention_coverage (share with a mask), the means of iou, aiou and
        attention_precision over them (None without masks), path ("forward" or "gradient"), target_layer, map_shape,
        n_features, seconds, images_per_s.

    Raises:
        SpecRefusedError: no rows, no layer with a map, logits that are not finite, or memory that does not hold a
            batch.
        ImageRefusedError: an image or mask cannot be read.
    """
    rows = np.asarray(rows, np.int64)
    if not len(rows):
        raise SpecRefusedError(f"{table.name} has no images in this pass: choose a split that has some.")
    config, runtime = config or PassConfig(), runtime or Runtime()
    model = model.at_layer(config.target_layer)
    target, kept = open_device(runtime.device), runtime.checkpoint_dir
    others = () if config.method == GRAD_CAM else (config.method,)
    key = "" if kept is None else _key(model, table, rows, config.class_of_map, config.batch_size, score_masks, *others)
    arrays = PassArrays(out_dir, len(rows), kept, key)
    own = Pixels(table, model.transform, cache_bytes=0) if pixels is None else None
    model.net.to(target)
    under_way = _Pass(model, table, arrays, config, target, own or pixels, score_masks)  # type: ignore[arg-type]
    try:
        with open_mapper(model, config.method) as mapper, memory_guard(config.batch_size):
            under_way.all_batches(mapper, split_batches(rows, config.batch_size), runtime)
    finally:
        if own is not None:
            own.close()
    return under_way.finish(rows)


def _key(model: Model, table: ImageTable, rows: np.ndarray, *settings: str | int) -> str:
    """What must agree for an interrupted pass to be resumed: weights, images, their order, and the settings."""
    about = [model.name, asdict(model.transform), table.fingerprint, MOST_CLASS_MAPS, model.named_layer, *settings]
    digest = hashlib.blake2b(json.dumps(about).encode())
    digest.update(np.ascontiguousarray(rows).tobytes())
    for name, values in sorted(model.net.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass
class _Pass:
    """One attention pass under way."""

    model: Model
    table: ImageTable
    arrays: PassArrays
    config: PassConfig
    device: torch.device
    pixels: Pixels
    score_masks: bool

    @property
    def class_of_map(self) -> ClassOfMap:
        """Whose map is kept."""
        return self.config.class_of_map

    def all_batches(self, mapper: Mapper, parts: list[np.ndarray], runtime: Runtime) -> None:
        """Every batch that is not there yet into the arrays; those so far are kept when something ends it early."""
        ends = np.cumsum([len(part) for part in parts])
        try:
            for part, images in self.pixels.batches(parts[int(np.searchsorted(ends, self.arrays.done, "right")) :]):
                runtime.check_stop()
                self.arrays.add(*self._batch(mapper, part, images))
                runtime.on_progress(self.arrays.done, self.arrays.n)
        except BaseException:
            self.arrays.keep()
            raise

    def _batch(
        self, mapper: Mapper, part: np.ndarray, images: np.ndarray
    ) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
        """The batch's share of each array, and its rows of scores.parquet."""
        mapper.forward(to_input(images, self.model.transform, self.device))
        logits = mapper.logits.float()
        kept = logits.cpu().numpy()
        require_finite(kept, part, self.table)
        labels = torch.from_numpy(self.table.labels[part]).to(self.device)
        predictions = logits.argmax(1)
        S = mapper.maps(predictions if self.class_of_map == "predicted" else labels)  # (B, U, V)
        f, r = attention_and_environment(mapper.activations, S)
        values = {
            "maps": to_half(S),
            "attention_features": to_half(f),
            "environment_features": to_half(r),
            "pooled_features": to_half(mapper.pooled),
            "logits": kept,
        }
        if self.class_of_map == "both":
            values["maps_predicted"] = to_half(mapper.maps(predictions))
        if self._keeps_every_class(n_values=logits.shape[1] * S[0].numel()):
            values["class_maps"] = to_half(mapper.maps_of_all(torch.arange(len(part), device=self.device)))
        return values, self._score(mapper, part, logits, labels, S)

    def _keeps_every_class(self, n_values: int) -> bool:
        """Asked for; or they come with the forward pass, and take less room than the features."""
        comes_with_the_pass = self.model.pools_linearly and self.config.method == GRAD_CAM
        return self.class_of_map == "any" or (comes_with_the_pass and n_values <= MOST_CLASS_MAPS)

    def _score(self, mapper: Mapper, part: np.ndarray, logits: Tensor, labels: Tensor, S: Tensor) -> pd.DataFrame:
        """The batch's rows of scores.parquet."""
        log_p = logits.log_softmax(1)
        entropy = -(log_p.exp() * log_p).sum(1) / np.log(2)
        columns: dict[str, Any] = {
            "row": part,
            "prediction": logits.argmax(1).cpu().numpy(),
            "confidence": log_p.amax(1).exp().cpu().numpy(),
            "loss": functional.nll_loss(log_p, labels, reduction="none").cpu().numpy(),
            "entropy": entropy.cpu().numpy(),
            "no_evidence": (S.amax((1, 2)) <= 0).cpu().numpy(),
            **self._against_masks(mapper, part, logits),
        }
        return pd.DataFrame(columns)

    def _against_masks(self, mapper: Mapper, part: np.ndarray, logits: Tensor) -> dict[str, np.ndarray]:
        """IoU, AIoU and attention precision of the batch; NaN where a row has no mask (METHOD section 2)."""
        scores = {name: np.full(len(part), np.nan) for name in MASK_SCORES}
        having = np.flatnonzero(self.table.has_mask[part]) if self.score_masks else np.empty(0, np.int64)
        if not len(having):
            return scores
        S, masks = mapper.maps_of_all(torch.from_numpy(having).to(self.device)), self.pixels.masks(part[having])
        labels, predictions = self.table.labels[part], logits.argmax(1).cpu().numpy()
        shown = predictions if self.class_of_map == "predicted" else labels
        ious = np.full(S.shape[:2], np.nan)  # (m, C)
        for place, c, M in heat_maps_in_turn(S, self.model.transform.size):
            if (mask := masks[place]) is not None:
                ious[place, c] = iou(M, mask)
                if c == shown[i := having[place]]:
                    scores[ATTENTION_PRECISION][i] = attention_precision(M, mask)
        scores[IOU][having] = ious[np.arange(len(having)), shown[having]]
        scores[AIOU][having] = [
            aiou_of(found, int(label)) for found, label in zip(ious.tolist(), labels[having], strict=True)
        ]
        return scores

    def finish(self, rows: np.ndarray) -> dict[str, Any]:
        """Write what is left, and sum up."""
        return summed_up(
            self.arrays.finish(rows),
            self.table.labels[rows],
            path=path_of(self.model, self.config.method),
            target_layer=self.model.layout.facts.target_layer,
            map_shape=self.arrays.shape("maps")[1:],
            n_features=self.arrays.shape("attention_features")[1],
            seconds=self.arrays.seconds_so_far(),
        )


class ThumbnailPixels(Pixels):
    """As Pixels, none kept in memory; each image that is decoded also leaves its thumbnail."""

    def __init__(self, table: ImageTable, transform: ImageTransform, thumbnails: ThumbnailWriter) -> None:
        super().__init__(table, transform, cache_bytes=0)
        self._thumbnails = thumbnails

    def _one(self, row: int) -> np.ndarray:
        image = open_image(self.table.image_path(row))
        self._thumbnails.add(row, image)
        return np.asarray(self.transform.seen(image), np.uint8)
