"""An attention map that is zero everywhere: the picture says so, for nobody could tell it from a dark overlay."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slim_core.data.images import heat

TEXT = "no attention for this class"
LINES = ("no attention", "for this class")  # where the picture is too narrow for one
BAND = (0, 0, 0, 190)  # behind the text


def is_empty(map2d: np.ndarray) -> bool:
    """True where a raw map (U, V) holds no evidence for its class (METHOD S1)."""
    return not (np.asarray(map2d) > 0).any()


def overlay(pixels: np.ndarray, map2d: np.ndarray) -> np.ndarray:
    """(side, side, 3) uint8: a square picture under its raw map (U, V), labelled where that is empty."""
    return labelled(pixels) if is_empty(map2d) else heat.overlay(pixels, heat.heat_map(map2d, len(pixels)))


def labelled(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the picture as it is, with TEXT in a band at its lower edge."""
    picture = Image.fromarray(pixels).convert("RGBA")
    return np.asarray(Image.alpha_composite(picture, _band(*picture.size)).convert("RGB"))


def label_alone(side: int) -> np.ndarray:
    """(side, side, 4) uint8: the band alone, to lie over a picture."""
    return np.asarray(_band(side, side))


def _band(width: int, height: int) -> Image.Image:
    font = ImageFont.load_default(max(8, width // 16))
    lines = (TEXT,) if font.getlength(TEXT) <= 0.95 * width else LINES
    made = Image.new("RGBA", (width, height))
    draw, text = ImageDraw.Draw(made), "\n".join(lines)
    _, top, _, bottom = draw.multiline_textbbox((0, 0), text, font=font, align="center")
    pad = max(2, width // 48)
    draw.rectangle((0, height - (bottom - top) - 2 * pad, width, height), fill=BAND)
    draw.multiline_text((width / 2, height - pad), text, font=font, fill="white", anchor="md", align="center")
    return made
