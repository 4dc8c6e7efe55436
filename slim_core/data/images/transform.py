"""The one geometry of evaluation: what a network sees of an image, and what people see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from slim_core.data.images.codec import decoded, open_image

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LONGEST_SIDES = 8  # of a side, in times the other one: beyond it nothing is seen after the centre crop


@dataclass(frozen=True)
class ImageTransform:
    """The geometry and scaling of evaluation: shorter side to ``size * resize_ratio``, centre crop, mean and std."""

    size: int = 224  # pixels of a side of the network's input
    resize_ratio: float = 8 / 7  # shorter side before the crop, in sizes
    mean: tuple[float, float, float] = IMAGENET_MEAN  # of channels in 0..1
    std: tuple[float, float, float] = IMAGENET_STD

    def fit(self, image: Image.Image, resample: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
        """The (size, size) image that the network sees, in the image's own mode."""
        short = round(self.size * self.resize_ratio)
        image = _without_far_ends(image)
        width, height = image.size
        scale = short / min(width, height)
        target = (max(short, round(width * scale)), max(short, round(height * scale)))
        resized = image if target == image.size else image.resize(target, resample)
        left, top = (target[0] - self.size) // 2, (target[1] - self.size) // 2
        return resized.crop((left, top, left + self.size, top + self.size))

    @property
    def described(self) -> str:
        """One sentence on what a model sees of an image."""
        mean, std = (" ".join(f"{value:.3g}" for value in values) for values in (self.mean, self.std))
        return (
            f"Images: shorter side to {round(self.size * self.resize_ratio)} px, centre crop of {self.size} x "
            f"{self.size} px, mean {mean}, standard deviation {std}."
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary for model.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ImageTransform:
        """What ``to_json`` wrote."""
        mean, std = tuple(map(float, values["mean"])), tuple(map(float, values["std"]))
        return cls(int(values["size"]), float(values["resize_ratio"]), mean, std)  # type: ignore[arg-type]


def _without_far_ends(image: Image.Image) -> Image.Image:
    """The middle of an image that is very long: a strip of 50,000 x 1 would be enlarged by its shorter side."""
    width, height = image.size
    longest = LONGEST_SIDES * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, width - left, height - top))


def load_pixels(path: Path | str, transform: ImageTransform) -> np.ndarray:
    """(size, size, 3) uint8: the image as the network sees it, before scaling."""
    return np.asarray(transform.fit(open_image(path)), np.uint8)


def load_picture(path: Path | str, transform: ImageTransform) -> np.ndarray:
    """(size, size, 3) uint8 for people to look at: as load_pixels, but a large JPEG is decoded to a part of its size.

    Raises:
        ImageRefusedError: as open_image; ImageMissingError where there is no such file.
    """
    shorter_side = round(transform.size * transform.resize_ratio)
    return np.asarray(transform.fit(decoded(path, "RGB", None, shorter_side)), np.uint8)


def load_whole(path: Path | str, side: int) -> np.ndarray:
    """(h, w, 3) uint8, the longer side of ``side`` px or less: the whole image for people to look at, nothing cut off.

    Raises:
        ImageRefusedError: as open_image; ImageMissingError where there is no such file.
    """
    image = decoded(path, "RGB", None, side)
    image.thumbnail((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, np.uint8)
