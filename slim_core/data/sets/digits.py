"""The demo data set: real handwritten digits on real photographs, and the photograph gives the digit away.

Nothing is downloaded: scikit-learn ships both. The label is the digit, the spurious attribute the photograph
(DESIGN, "The demo data set"). Written as image files with a Waterbirds-shaped metadata.csv and true masks.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from slim_core.data.draft import Draft
from slim_core.data.importers.waterbirds import Waterbirds, folder_of
from slim_core.data.table import SPLITS
from slim_core.errors import DataRefusedError, SpecRefusedError

Progress = Callable[[int, int, str], None]  # done, total, what is being done

MARKER = "config.json"
VERSION = 1  # raised whenever the same parameters would give other pixels
PHOTOGRAPHS = ("china", "flower")
DIGIT_SIDE = (28, 40)  # drawn side in pixels, at the default size of 64
DIGIT_SHARES = {"train": 0.6, "val": 0.15, "test": 0.25}  # no digit is in two splits
SIZES = (16, 255)  # sides of an image in pixels; val and test crop from 256 columns of each photograph
TRAIN_WIDTH = 0.6  # train crops the left part of each photograph, val and test the rest


@dataclass(frozen=True)
class DemoConfig:
    """What the demo set is made of; the same values give the same bytes."""

    seed: int = 0
    correlation: float = 0.9  # share of the training images on their class's photograph; val and test have one half
    train: int = 2400  # images
    val: int = 600  # images
    test: int = 1200  # images
    classes: tuple[int, ...] = (0, 1)  # digits; class c's photograph is number c modulo two
    size: int = 64  # pixels of a side

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        if not 0 <= self.correlation <= 1:
            raise SpecRefusedError(f"correlation is a share in 0..1, not {self.correlation}.")
        if len(set(self.classes)) < 2 or not set(self.classes) <= set(range(10)):
            raise SpecRefusedError(f"classes are two or more different digits in 0..9, not {self.classes}.")
        if not SIZES[0] <= self.size <= SIZES[1]:
            raise SpecRefusedError(f"size is at least {SIZES[0]} and at most {SIZES[1]} pixels, not {self.size}.")
        if self.seed < 0:
            raise SpecRefusedError(f"seed is 0 or more, not {self.seed}.")
        for split in SPLITS:
            if self.images(split) < 2 * len(self.classes):
                raise SpecRefusedError(
                    f"{split} needs at least {2 * len(self.classes)} images, two a class, not {self.images(split)}."
                )

    def images(self, split: str) -> int:
        """How many images a split has."""
        return int(getattr(self, split))

    def to_json(self) -> dict[str, Any]:
        """What the marker file holds."""
        return {"format": "slim-demo", "version": VERSION, **asdict(self), "classes": list(self.classes)}


@dataclass(frozen=True)
class _Drawn:
    """One image to draw: its row, and where each part comes from."""

    row: int
    name: str  # "train_00012.png"
    label: int
    place: int
    glyph: np.ndarray  # (8, 8) float, 0..16
    photograph: np.ndarray  # (H, W, 3) uint8, the part this split may see
    seed: tuple[int, int]


def write_demo(folder: Path | str, config: DemoConfig | None = None, progress: Progress | None = None) -> None:
    """Write the demo set into ``folder``, whole or not at all; does nothing where the same set is there already.

    Raises:
        DataRefusedError: the folder holds something else.
    """
    folder, config = Path(folder), config or DemoConfig()
    if _is_written(folder, config):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_files(draft, config, progress)
        draft.chmod(0o755)
        _put_in_place(draft, folder, config)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_written(folder: Path, config: DemoConfig) -> bool:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    found = demo_marker(folder)
    if found == config.to_json():
        return True
    what = "a demo set of other parameters" if found else "other files"
    raise DataRefusedError(f"{folder} holds {what}: name another folder, or delete this one first.")


def demo_marker(folder: Path) -> dict[str, Any] | None:
    """What the folder's marker says, if the folder is a demo set."""
    try:
        values = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return None
    return values if isinstance(values, dict) and values.get("format") == "slim-demo" else None


def _put_in_place(draft: Path, folder: Path, config: DemoConfig) -> None:
    try:
        os.replace(draft, folder)  # over nothing, or over an empty folder
    except OSError:
        if not _is_written(folder, config):  # another process may have been first
            raise


def _write_files(folder: Path, config: DemoConfig, progress: Progress | None) -> None:
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    drawings = list(_plan(config))
    with ThreadPoolExecutor(max_workers=4) as pool:
        for done, _ in enumerate(pool.map(lambda d: _write_image(folder, d, config.size), drawings), start=1):
            if progress and (done % 100 == 0 or done == len(drawings)):
                progress(done, len(drawings), "Drawing the demo images")
    _metadata(drawings).to_csv(folder / "metadata.csv", index=False)
    (folder / MARKER).write_text(json.dumps(config.to_json(), indent=2) + "\n")


def _metadata(drawings: list[_Drawn]) -> pd.DataFrame:
    splits = [SPLITS.index(d.name.split("_")[0]) for d in drawings]
    return pd.DataFrame(
        {
            "img_id": [d.row for d in drawings],
            "img_filename": [f"images/{d.name}" for d in drawings],
            "y": [d.label for d in drawings],
            "split": splits,
            "place": [d.place for d in drawings],
            "place_filename": [f"{PHOTOGRAPHS[d.place]}.jpg" for d in drawings],
        }
    )


def _plan(config: DemoConfig) -> Iterator[_Drawn]:
    from sklearn.datasets import load_digits, load_sample_image

    digits = load_digits()
    photographs = [load_sample_image(f"{name}.jpg") for name in PHOTOGRAPHS]
    row = 0
    for number, split in enumerate(SPLITS):
        rng = np.random.default_rng([config.seed, number])
        parts = [_part(photograph, split) for photograph in photographs]
        glyphs = [_glyphs_of(digits, digit, split, config.seed) for digit in config.classes]
        for i, (label, place) in enumerate(_cells(config, split, rng)):
            glyph = glyphs[label][rng.integers(len(glyphs[label]))]
            yield _Drawn(row, f"{split}_{i:05d}.png", label, place, glyph, parts[place], (config.seed, row))
            row += 1


def _part(photograph: np.ndarray, split: str) -> np.ndarray:
    cut = int(photograph.shape[1] * TRAIN_WIDTH)
    return photograph[:, :cut] if split == "train" else photograph[:, cut:]


def _glyphs_of(digits: Any, digit: int, split: str, seed: int) -> np.ndarray:
    """(M, 8, 8) scans of a digit that belong to this split alone."""
    mine = np.flatnonzero(digits.target == digit)
    mine = np.random.default_rng([seed, 1000 + digit]).permutation(mine)
    ends = np.cumsum([round(DIGIT_SHARES[s] * len(mine)) for s in SPLITS])
    number = SPLITS.index(split)
    chosen = mine[(ends[number - 1] if number else 0) : ends[number]]
    return np.asarray(digits.images[chosen], np.float64)


def _cells(config: DemoConfig, split: str, rng: np.random.Generator) -> list[tuple[int, int]]:
    """(label, place) of each image of a split: exact shares, in random order."""
    n, n_classes = config.images(split), len(config.classes)
    share = config.correlation if split == "train" else 0.5
    cells: list[tuple[int, int]] = []
    for label in range(n_classes):
        size = n // n_classes + (label < n % n_classes)
        agreeing = round(share * size)
        cells += [(label, label % 2)] * agreeing + [(label, 1 - label % 2)] * (size - agreeing)
    return [cells[i] for i in rng.permutation(n)]


def _write_image(folder: Path, drawn: _Drawn, size: int) -> None:
    pixels, mask = _draw(drawn, size)
    Image.fromarray(pixels).save(folder / "images" / drawn.name, compress_level=1)
    Image.fromarray(mask).save(folder / "masks" / drawn.name, compress_level=1)


def _draw(drawn: _Drawn, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(size, size, 3) uint8 image and (size, size) uint8 mask, 255 inside the digit."""
    rng = np.random.default_rng(drawn.seed)
    height, width = drawn.photograph.shape[:2]
    top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
    crop = drawn.photograph[top : top + size, left : left + size].astype(np.float64)
    low, high = (math.ceil(side * size / 64) for side in DIGIT_SIDE)
    side = int(rng.integers(low, high + 1))
    y, x = rng.integers(0, size - side + 1, size=2)
    alpha = np.zeros((size, size))  # the scan's ink, smoothly enlarged
    alpha[y : y + side, x : x + side] = _enlarged(drawn.glyph, side)
    colour = rng.uniform(0, 255, size=3)
    pixels = (1 - alpha[..., None]) * crop + alpha[..., None] * colour
    return np.rint(pixels).astype(np.uint8), _silhouette(alpha)


def _enlarged(glyph: np.ndarray, side: int) -> np.ndarray:
    ink = Image.fromarray((glyph / 16).astype(np.float32))
    return np.clip(np.asarray(ink.resize((side, side), Image.Resampling.BICUBIC), np.float64), 0, 1)


def _silhouette(alpha: np.ndarray) -> np.ndarray:
    """Where the digit is: its strokes and the holes they enclose, as a person outlines an object."""
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(alpha > 0.25), np.uint8) * 255


class Demo(Waterbirds):
    """Reads what ``write_demo`` wrote: Waterbirds' shape, with the names of digits and photographs."""

    name = "demo"
    about = "the demo set: digits on photographs, written by slim demo-data"
    options = ()

    def matches(self, path: Path) -> bool:
        """True where the marker is."""
        return demo_marker(folder_of(path)) is not None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        draft = super().read(path, options)
        marker = demo_marker(folder_of(path)) or {}
        digits = tuple(str(digit) for digit in marker.get("classes", ())) or None
        return replace(draft, label_names=digits, attribute_name="photograph", attribute_names=PHOTOGRAPHS)
