"""Three data sets as people have them: class folders, a table in a foreign language, many groups and no attribute.

What they show is drawn by the generators of the demo sets, so that the true masks are known to who answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from slim_core.data.sets import make_set
from slim_core.data.sets.demo_set import DemoSet

TABLE = "bilder.csv"  # semicolons, German names, no split
COLUMNS = ("Bilddatei", "Art", "Ort")


@dataclass(frozen=True)
class Folder:
    """One of them: where it is, and where the object is in each of its images."""

    name: str
    path: Path
    masks: dict[str, np.ndarray]  # file name -> (side, side) bool; file names are unique


def three_folders(home: Path, seed: int) -> list[Folder]:
    """Draw all three below ``home``."""
    return [
        class_folders(home / "two-classes", seed),
        foreign_table(home / "fremde-tabelle", seed),
        nine_groups(home / "nine-groups", seed),
    ]


def class_folders(path: Path, seed: int) -> Folder:
    """300 images in a folder a class; no split, no attribute."""
    drawn = make_set("digits", train=280, val=10, test=10, seed=seed)
    masks = {}
    for place, image, mask in _drawings(drawn):
        masks[place.name] = mask
        _save(path / place.label / place.name, image)
    return Folder(path.name, path, masks)


def foreign_table(path: Path, seed: int) -> Folder:
    """600 images in one folder, and a table whose columns have names of its own; no split."""
    drawn = make_set("patch", train=560, val=20, test=20, seed=seed)
    masks, lines = {}, [";".join(COLUMNS)]
    for place, image, mask in _drawings(drawn):
        masks[place.name] = mask
        lines.append(f"{place.name};{place.label};{place.attribute}")
        _save(path / "bilder" / place.name, image)
    (path / TABLE).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Folder(path.name, path, masks)


def nine_groups(path: Path, seed: int) -> Folder:
    """900 images of three classes in three places, in folders of split and class; nothing says the place."""
    drawn = make_set("three-by-three", train=540, val=180, test=180, seed=seed)
    masks = {}
    for place, image, mask in _drawings(drawn):
        masks[place.name] = mask
        _save(path / place.name.split("_")[0] / place.label / place.name, image)
    return Folder(path.name, path, masks)


@dataclass(frozen=True)
class _Place:
    name: str
    label: str
    attribute: str


def _drawings(drawn: DemoSet) -> Iterator[tuple[_Place, np.ndarray, np.ndarray]]:
    for one in drawn.drawings():
        image, mask = one.draw()
        yield _Place(one.name, drawn.label_names[one.label], drawn.attribute_names[one.attribute]), image, mask > 127


def _save(file: Path, image: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file)
