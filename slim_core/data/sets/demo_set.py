"""What every demo set is: parameters that give the same bytes, images with masks, and a folder written whole."""

from __future__ import annotations

import hashlib
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import pandas as pd
from PIL import Image
from pydantic import Field, model_validator

from slim_core.data.report import FormatRefusedError, Progress
from slim_core.data.table import SPLITS
from slim_core.data.tables import read_json
from slim_core.errors import DataRefusedError, SpecRefusedError, is_full_disk
from slim_core.parameters import Display, PublicConfig
from slim_core.result_files import draft_of

Picture = tuple[np.ndarray, np.ndarray]  # (size, size, 3) uint8, and its mask (size, size) uint8, 255 on the object

MARKER = "config.json"
# Of a set's objects, drawings or digits: no object is in two splits, and each seed parts the same objects anew.
POOL_SHARES = {"train": 0.6, "val": 0.15, "test": 0.25}
MOST_IMAGES = 1_000_000  # of a split
MARK_COLOUR = (0, 114, 178)  # RGB
MARK_SHARES = (0.02, 0.34)  # legal sides, of the image: the largest object of a set leaves no more beside it
LEAST_MARK = 2  # pixels
_ADVICE = (
    f"give a share of the image from {MARK_SHARES[0]} to {MARK_SHARES[1]}: the largest object leaves no more beside it"
)
MarkSide = Annotated[float, Field(ge=MARK_SHARES[0], le=MARK_SHARES[1]), Display(advice=_ADVICE)]  # a parameter


@dataclass(frozen=True)
class Drawing:
    """One image to draw, and what the table says of it."""

    name: str  # "train_00012.png"
    label: int
    attribute: int
    draw: Callable[[], Picture]


Cell = tuple[int, int]  # label, attribute
# cell, chance of the split, seed of the image -> what draws it
Drawer = Callable[[Cell, np.random.Generator, tuple[int, int]], Callable[[], Picture]]


class DemoSet(PublicConfig, ABC):
    """The parameters of a set; the same values give the same bytes. A subclass is one generator."""

    seed: int = Field(default=0, description="Seed of everything random.")
    # test has chance, and val unless it is said
    correlation: float = Field(default=0.9, description="Share of train in which class and attribute agree.")
    val_correlation: float | None = Field(
        default=None,
        description="Share of val in which they agree; default: chance. Take that of train for a val as it was found.",
    )
    train: int = Field(default=2400, description="Images of train.")
    val: int = Field(default=600, description="Images of val.")
    test: int = Field(default=1200, description="Images of test.")
    size: int = Field(default=64, description="Side of an image in pixels.")

    name: ClassVar[str]
    about: ClassVar[str]
    attribute_name: ClassVar[str]
    attributes: ClassVar[tuple[str, ...]]  # its values, where they are those of every such set
    sizes: ClassVar[tuple[int, int]] = (16, 512)  # legal sides of an image in pixels
    model: ClassVar[str] = "small-resnet"  # that the set is made for
    drawn_from_files: ClassVar[bool] = False  # of somebody's, which need not be there to speak of a set that was drawn
    version: ClassVar[int] = 1  # raised whenever the same parameters would give other pixels

    @model_validator(mode="after")
    def _check_parameters(self) -> Self:
        for name, share in (("correlation", self.correlation), ("val_correlation", self.val_correlation)):
            if share is not None and not 0 <= share <= 1:
                raise SpecRefusedError(f"{name} is a share in 0..1, not {share}.")
        if not self.sizes[0] <= self.size <= self.sizes[1]:
            raise SpecRefusedError(
                f"size is at least {self.sizes[0]} and at most {self.sizes[1]} pixels, not {self.size}."
            )
        if self.seed < 0:
            raise SpecRefusedError(f"seed is 0 or more, not {self.seed}.")
        if not self.drawn_from_files:
            self.require()
        return self

    def require(self) -> None:
        """Refuse what cannot be drawn, before anything is; of files, what is wrong with these.

        Raises:
            SpecRefusedError, PathRefusedError: in a sentence that says what to do.
        """
        least = 2 * len(self.label_names)
        for split in SPLITS:
            if self.images(split) > MOST_IMAGES:
                raise SpecRefusedError(f"{split} has at most {MOST_IMAGES:,} images, not {self.images(split)}.")
            if self.images(split) < least:
                raise SpecRefusedError(
                    f"{split} needs at least {least} images, two per class, not {self.images(split)}."
                )

    @property
    @abstractmethod
    def label_names(self) -> tuple[str, ...]:
        """The classes, by number."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """The values of the spurious attribute, by number."""
        return self.attributes

    @abstractmethod
    def drawer(self, split: str) -> Drawer:
        """What draws the images of a split, of objects and scenes that are in no other."""

    def drawings(self) -> Iterator[Drawing]:
        """Every image, train before val before test.

        Raises:
            DataRefusedError, ImageRefusedError: what they are drawn from is not there, or cannot be used.
        """
        row = 0
        for number, split in enumerate(SPLITS):
            rng = np.random.default_rng([self.seed, number])
            drawer = self.drawer(split)
            for i, cell in enumerate(self.cells(split, rng)):
                yield Drawing(f"{split}_{i:05d}.png", cell[0], cell[1], drawer(cell, rng, (self.seed, row)))
                row += 1

    def images(self, split: str) -> int:
        """How many images a split has."""
        return int(getattr(self, split))

    def marker(self) -> dict[str, Any]:
        """What the marker file holds: enough to know the set again, and to read it without its generator."""
        given = self.model_dump(mode="json")
        names = {"label_names": self.label_names, "attribute_name": self.attribute_name}
        about = {"format": "slim-demo", "set": self.name, "version": self.version, **given, **names}
        plain: dict[str, Any] = json.loads(json.dumps({**about, "attribute_names": self.attribute_names}))
        return plain

    @property
    def digest(self) -> str:
        """Eight hex digits: equal for sets of the same files."""
        return hashlib.sha256(json.dumps(self.marker(), sort_keys=True).encode()).hexdigest()[:8]

    def cells(self, split: str, rng: np.random.Generator) -> list[Cell]:
        """(label, attribute) of each image of a split: exact shares, in random order.

        A class's own attribute value is its number modulo how many there are. In train the share ``correlation`` of the
        class has it, in val ``val_correlation``, elsewhere an equal share of each; what is left is spread evenly over
        the other values.
        """
        n, n_labels, n_attributes = self.images(split), len(self.label_names), len(self.attribute_names)
        said = {"train": self.correlation, "val": self.val_correlation}.get(split)
        share = 1 / n_attributes if said is None else said
        found: list[Cell] = []
        for label in range(n_labels):
            size = n // n_labels + (label < n % n_labels)
            agreeing = round(share * size)
            others = [a for a in range(n_attributes) if a != label % n_attributes]
            found += [(label, label % n_attributes)] * agreeing
            found += [(label, others[i % len(others)]) for i in range(size - agreeing)]
        return [found[i] for i in rng.permutation(n)]

    def source_of(self, attribute: int) -> str:
        """The file or thing an image's attribute comes from, for the column place_filename."""
        return self.attribute_names[attribute]


def any_of(things: Sequence[Any] | np.ndarray, rng: np.random.Generator) -> Any:
    """One of them."""
    return things[int(rng.integers(len(things)))]


def partition(items: np.ndarray, shares: Mapping[str, float], split: str) -> np.ndarray:
    """The part of ``items`` that belongs to this split alone; ``shares`` in the order of the splits, summing to 1."""
    ends = np.cumsum([round(shares[s] * len(items)) for s in SPLITS])
    number = SPLITS.index(split)
    return items[(ends[number - 1] if number else 0) : ends[number]]


def write_set(folder: Path | str, demo: DemoSet, progress: Progress | None = None) -> None:
    """Write the set into ``folder``, whole or not at all; does nothing where the same set is there already.

    Raises:
        DataRefusedError: the folder holds something else, cannot be made or is on a full disk, or the set needs a
            package that is not installed.
        SpecRefusedError, PathRefusedError: the files that it is drawn from are not there, or will not do.
    """
    demo.require()
    if "\0" in str(folder):
        raise DataRefusedError(f"{str(folder)[:100]} cannot be made (embedded null byte): name another folder.")
    folder = Path(folder)
    try:
        if _is_written(folder, demo):
            return
        with draft_of(folder, is_folder=True) as draft:
            _write_files(draft, demo, progress)
            draft.chmod(0o755)
            _put_in_place(draft, folder, demo)
    except OSError as error:  # a name of 5,000 letters, a file in the way, a folder of another user, a full disk
        what, remedy = ("written", "free some space there, or name") if is_full_disk(error) else ("made", "name")
        raise DataRefusedError(
            f"{str(folder)[:100]} cannot be {what} ({error.strerror or error}): {remedy} another folder."
        ) from error


def _is_written(folder: Path, demo: DemoSet) -> bool:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    found = demo_marker(folder)
    if found == demo.marker():
        return True
    what = "a demo set of other parameters" if found else "other files"
    raise DataRefusedError(f"{folder} holds {what}: name another folder, or delete this one first.")


def demo_marker(folder: Path) -> dict[str, Any] | None:
    """What the folder's marker says, if the folder is a demo set."""
    try:
        values = read_json(folder / MARKER)
    except FormatRefusedError:
        return None
    return values if isinstance(values, dict) and values.get("format") == "slim-demo" else None


def _put_in_place(draft: Path, folder: Path, demo: DemoSet) -> None:
    try:
        os.replace(draft, folder)  # over nothing, or over an empty folder
    except OSError:
        if not _is_written(folder, demo):  # another process may have been first
            raise


def _write_files(folder: Path, demo: DemoSet, progress: Progress | None) -> None:
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    drawings = list(demo.drawings())
    with ThreadPoolExecutor(max_workers=4) as pool:
        for done, _ in enumerate(pool.map(lambda drawing: write_image(folder, drawing), drawings), start=1):
            if progress and (done % 100 == 0 or done == len(drawings)):
                progress(done, len(drawings), "Drawing the demo images")
    _metadata(demo, drawings).to_csv(folder / "metadata.csv", index=False)
    (folder / MARKER).write_text(json.dumps(demo.marker(), indent=2) + "\n")


def _metadata(demo: DemoSet, drawings: list[Drawing]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "img_id": range(len(drawings)),
            "img_filename": [f"images/{one.name}" for one in drawings],
            "y": [one.label for one in drawings],
            "split": [SPLITS.index(one.name.split("_")[0]) for one in drawings],
            "place": [one.attribute for one in drawings],
            "place_filename": [demo.source_of(one.attribute) for one in drawings],
        }
    )


def write_image(folder: Path, drawing: Drawing) -> None:
    """Draw one image and its mask into ``images/`` and ``masks/``."""
    pixels, mask = drawing.draw()
    Image.fromarray(pixels).save(folder / "images" / drawing.name, compress_level=1)
    Image.fromarray(mask).save(folder / "masks" / drawing.name, compress_level=1)


def mark_in_pixels(side: float, size: int) -> int:
    """The side of a mark on an image of ``size`` pixels."""
    return round(side * size)


def check_mark_is_seen(name: str, side: float, size: int) -> None:
    """Refuse the side, a parameter of this name, where it is less than ``LEAST_MARK`` pixels.

    Raises:
        SpecRefusedError: it is.
    """
    if mark_in_pixels(side, size) < LEAST_MARK:
        least = math.ceil(100 * LEAST_MARK / size) / 100
        raise SpecRefusedError(
            f"{name} is {side}, less than {LEAST_MARK} pixels of {size}: give {least} or more, or a larger size."
        )
