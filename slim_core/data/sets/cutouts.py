"""Cut-outs: objects of your own, cut out, on photographs of your own; the scene gives the class away.

What a set of drawings cannot say: whether shortcuts are found and removed in pictures like yours. Waterbirds is made so
(Sagawa et al. 2020, ICLR, section 4): birds cut out of one set of photographs, pasted on another. No object is in two
splits, copies of a file being one object, and train sees another part of each photograph than val and test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field

from slim_core.data.images.codec import content_of, open_cutout, open_image
from slim_core.data.sets.demo_set import POOL_SHARES, DemoSet, Drawing, Picture, cells, partition
from slim_core.data.sets.digits import part_of
from slim_core.data.sets.pictures import pasted
from slim_core.data.table import SPLITS
from slim_core.errors import DataRefusedError, SpecRefusedError
from slim_core.settings import settings

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

    def drawings(self) -> Iterator[Drawing]:
        """Every image.

        Raises:
            DataRefusedError, ImageRefusedError: a file cannot be read, or an object is not cut out.
        """
        scenes = [[_photograph(file) for file in files] for files in self._files.scenes.values()]
        kinds = [
            np.random.default_rng([self.seed, 1000 + label]).permutation(np.asarray(files, object))
            for label, files in enumerate(self._files.objects.values())
        ]
        cut = lru_cache(maxsize=256)(_object)
        row = 0
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng([self.seed, number])
            mine = [partition(files, POOL_SHARES, split) for files in kinds]
            for i, (label, attribute) in enumerate(cells(self, split, rng)):
                file, photograph = _any_of(mine[label], rng), _any_of(scenes[attribute], rng)
                draw = partial(_draw, file, part_of(photograph, split), self.size, (self.seed, row), cut=cut)
                yield Drawing(f"{split}_{i:05d}.png", label, attribute, draw)
                row += 1


def _any_of(things: Sequence[Any] | np.ndarray, rng: np.random.Generator) -> Any:
    return things[int(rng.integers(len(things)))]


def _draw(
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
