"""Heat maps: an attention map at the size of its picture, its colours, and both in one picture.

A map that is zero everywhere is labelled so, for nobody could tell it from a dark overlay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from slim_core.data.images.codec import ImageTransform

# Inferno (matplotlib, CC0) at ten equal steps: perceptually uniform, readable with every colour vision, also in grey.
_INFERNO = ("000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4")


def _colour_table() -> np.ndarray:
    anchors = np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in _INFERNO], np.float32)
    at = np.linspace(0, len(anchors) - 1, 256)
    return np.stack([np.interp(at, np.arange(len(anchors)), anchors[:, c]) for c in range(3)], axis=1)


LEAST_OPAQUE = 0.25  # of a veil, where there is no attention
HEAT_COLOURS: np.ndarray = _colour_table()  # (256, 3) float, 0..255


def minmax(a: np.ndarray) -> np.ndarray:
    """The array scaled to 0..1 as float32; a constant array becomes zeros, not 0/0."""
    values = np.asarray(a, np.float32)
    low, high = values.min(), values.max()
    scaled: np.ndarray = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return scaled


def heat_map(map2d: np.ndarray, size: int) -> np.ndarray:
    """(size, size) float32 in 0..1: a raw map (U, V) resized bilinearly, then min-max (METHOD S1)."""
    image = Image.fromarray(np.ascontiguousarray(map2d, np.float32))
    return minmax(np.asarray(image.resize((size, size), Image.Resampling.BILINEAR)))


def coloured(heat: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: a heat map (H, W) in 0..1 in its colours."""
    return np.asarray(np.rint(HEAT_COLOURS[(np.clip(heat, 0, 1) * 255).astype(np.uint8)]), np.uint8)


def veil(heat: np.ndarray) -> np.ndarray:
    """(H, W, 4) uint8: a heat map (H, W) in 0..1 to lie over its picture, the less opaque the weaker the attention.

    The dark colours of weak attention would hide the picture where nobody looks.
    """
    share = LEAST_OPAQUE + (1 - LEAST_OPAQUE) * np.clip(heat, 0, 1)
    return np.concatenate([coloured(heat), np.rint(255 * share).astype(np.uint8)[..., None]], axis=-1)


def overlay(pixels: np.ndarray, heat: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """(H, W, 3) uint8: the veil of a heat map over its picture; opacity 0 shows the picture alone."""
    over = veil(heat).astype(np.float32)
    share = opacity * over[..., 3:] / 255
    return np.asarray(np.rint((1 - share) * pixels + share * over[..., :3]), np.uint8)


def heat_gradient() -> str:
    """The colours of heat maps from weak to strong, as CSS: for a scale beside them."""
    return f"linear-gradient(90deg, {', '.join(f'#{code}' for code in _INFERNO)})"


EMPTY_TEXT = "no attention for this class"
_EMPTY_LINES = ("no attention", "for this class")  # where the picture is too narrow for one
_BAND = (0, 0, 0, 190)  # behind the text


def is_empty_map(map2d: np.ndarray) -> bool:
    """True where a raw map (U, V) holds no evidence for its class (METHOD S1)."""
    return not (np.asarray(map2d) > 0).any()


def map_overlay(pixels: np.ndarray, map2d: np.ndarray, transform: ImageTransform) -> np.ndarray:
    """(h, w, 3) uint8: a picture (codec.load_picture) under its raw map (U, V), labelled where that is empty."""
    if is_empty_map(map2d):
        return labelled(pixels)
    return overlay(pixels, transform.over_picture(heat_map(map2d, transform.size), pixels.shape[1::-1]))


def labelled(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the picture as it is, with TEXT in a band at its lower edge."""
    picture = Image.fromarray(pixels).convert("RGBA")
    return np.asarray(Image.alpha_composite(picture, _band(*picture.size)).convert("RGB"))


def label_alone(width: int, height: int) -> np.ndarray:
    """(height, width, 4) uint8: the band alone, to lie over a picture."""
    return np.asarray(_band(width, height))


def _band(width: int, height: int) -> Image.Image:
    font = ImageFont.load_default(max(8, width // 16))
    lines = (EMPTY_TEXT,) if font.getlength(EMPTY_TEXT) <= 0.95 * width else _EMPTY_LINES
    made = Image.new("RGBA", (width, height))
    draw, text = ImageDraw.Draw(made), "\n".join(lines)
    _, top, _, bottom = draw.multiline_textbbox((0, 0), text, font=font, align="center")
    pad = max(2, width // 48)
    draw.rectangle((0, height - (bottom - top) - 2 * pad, width, height), fill=_BAND)
    draw.multiline_text((width / 2, height - pad), text, font=font, fill="white", anchor="md", align="center")
    return made
