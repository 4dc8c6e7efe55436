"""Random changes of training images, on the device: drawn for a whole batch, made on the images or any part of them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from slim_core.data.images.transform import ImageTransform
from slim_core.models.devices import to_device
from slim_core.training.config import Augmentation

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
