"""Images and masks that SLIM has written into its home itself, from uploads, Arrow files and COCO's segmentations.

No others are its own.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from slim_core.data.table import ImageTable

UPLOADS, IMPORTED = "uploads", "imported"  # folders of SLIM_HOME
DRAFT = "unpacking"  # in them, what is on its way: by one name, each import finds what a kill has left of another


def upload_of(root: Path, home: Path) -> Path | None:
    """The folder of the one upload that ``root`` lies in; None where it lies elsewhere."""
    uploads = home.resolve() / UPLOADS
    if not root.is_relative_to(uploads) or root == uploads:
        return None
    return uploads / root.relative_to(uploads).parts[0]


def imported_images(table: ImageTable, home: Path) -> frozenset[Path]:
    """The images and masks of a table that its import has written out: no files of the user's.

    One file stands for the same content in all data sets.
    """
    inside = f"{home.resolve() / IMPORTED}{os.sep}"
    files = pd.concat([table.frame["path"], table.frame["mask"]])
    return frozenset(map(Path, files[files.str.startswith(inside)]))
