"""A curated subset as class folders of links: nothing is copied."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slim_core.export.form import Form, Source
from slim_core.store.results import SubsetResult

LONGEST = 100  # letters of a name


def write(source: Source, folder: Path) -> None:
    """<class>/<row>-<file name>, a link each; an image that is used k times has k of them."""
    chosen, table = SubsetResult(source.folder).images(), source.table
    names = folder_names(table.label_names)
    for label in np.unique(table.labels[chosen["row"]]):
        (folder / names[label]).mkdir()
    for done, (row, count) in enumerate(zip(chosen["row"], chosen["count"], strict=True), 1):
        image = source.image(int(row))
        for repeat in range(int(count)):
            again = f"-{repeat + 1}" if repeat else ""
            (folder / names[table.labels[row]] / f"{row}{again}-{image.name[-LONGEST:]}").symlink_to(image)
        source.on_progress(done, len(chosen))


def folder_names(label_names: tuple[str, ...]) -> list[str]:
    """A name of a folder for each class: its own where that can be one and is no other's."""
    return [
        name if _can_be_a_folder(name) and label_names.count(name) == 1 else f"class {label}"
        for label, name in enumerate(label_names)
    ]


def _can_be_a_folder(name: str) -> bool:
    return bool(name) and not name.startswith((".", "class ")) and not set("/\\\0") & set(name) and len(name) <= LONGEST


FORM = Form(
    name="subset-imagefolder",
    of=("curate",),
    title="Class folders of links (ImageFolder)",
    about="A folder for each class with links to its images, one for each time an image is used; nothing is copied.",
    opens_in="torchvision.datasets.ImageFolder",
    write=write,
    downloads=False,
)
