"""A curated subset: as a table, and as class folders of links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from slim_core.data.images.codec import is_of_more_bits, open_image
from slim_core.data.names import free
from slim_core.export.form import RECORD, Form, Source
from slim_core.export.image_list import image_list, write_csv
from slim_core.store.results import SubsetResult

TABLE_FILE = "subset.csv"


def write_table(source: Source, folder: Path) -> None:
    """subset.csv: one line a distinct image."""
    chosen = SubsetResult(source.folder).images()
    about = image_list(source.table, chosen["row"].to_numpy())
    extra = chosen[["count", "cell", "score"]].rename(columns=lambda name: f"subset_{name}" if name in about else name)
    write_csv(about.join(extra), folder / TABLE_FILE)


TABLE = Form(
    name="subset-csv",
    of=("curate",),
    title="Table (CSV)",
    about=f"{TABLE_FILE}: one line for each distinct image, with its path, label, cell, and how often it is used.",
    opens_in="a spreadsheet, pandas",
    write=write_table,
)

NAME_BYTES = 200  # of the name of a class or of an image's file: file systems take 255, and a number may follow
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")


def write_folders(source: Source, folder: Path) -> None:
    """<class>/<row>-<file name>, a link each; an image that is used k times has k of them.

    Of 16 or 32 bits a PNG of 8 is written in place of the link, as everything here reads it: ImageFolder shows white.
    """
    chosen, table = SubsetResult(source.folder).images(), source.table
    names = folder_names(table.label_names)
    for label in np.unique(table.labels[chosen["row"]]):
        (folder / names[label]).mkdir()
    for done, (row, count) in enumerate(zip(chosen["row"], chosen["count"], strict=True), 1):
        image = source.image(int(row))
        name = image.name.encode(errors="ignore")[-NAME_BYTES:].decode(errors="ignore")
        into, has_more_bits = folder / names[table.labels[row]], is_of_more_bits(image)
        if has_more_bits:
            name = f"{Path(name).stem}.png"
            open_image(image).convert("L").save(into / f"{row}-{name}")
            image = Path(f"{row}-{name}")  # beside its repeats
        for repeat in range(int(has_more_bits), int(count)):
            again = f"-{repeat + 1}" if repeat else ""
            (into / f"{row}{again}-{name}").symlink_to(image)
        source.on_progress(done, len(chosen))


def recorded(source: Source) -> dict[str, Any]:
    """The name of each class's folder, in the order of ``label_names``."""
    return {"folders": folder_names(source.table.label_names)}


def folder_names(label_names: tuple[str, ...]) -> list[str]:
    """A name of a folder for each class, no two the same: its own where that can be one, else what is left of it."""
    could = {name for name in label_names if name and name == _as_folder(name) and label_names.count(name) == 1}
    own = could - {RECORD}
    names: list[str] = []
    for label, name in enumerate(label_names):
        plain = _as_folder(name) or f"class {label}"
        names.append(name if name in own else free(plain, {RECORD, *own, *names}))
    return names


def _as_folder(name: str) -> str:
    """The name without what no folder's name may hold; "" where nothing is left of it."""
    cut = _NOT_IN_NAMES.sub("-", name).encode(errors="ignore")[:NAME_BYTES].decode(errors="ignore")
    return cut.strip().lstrip(". ")  # a folder with a point in front is hidden


FOLDERS = Form(
    name="subset-imagefolder",
    of=("curate",),
    title="Class folders of links (ImageFolder)",
    about="A folder for each class with links to its images, one for each time an image is used. Nothing is copied but "
    "images of 16 or 32 bits, which are written in 8: ImageFolder would read them as white.",
    opens_in="torchvision.datasets.ImageFolder",
    write=write_folders,
    recorded=recorded,
    downloads=False,
)
