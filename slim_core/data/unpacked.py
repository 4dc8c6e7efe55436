"""Images that SLIM has written into its home itself: those of uploads and of Arrow files. No others are its own."""

from __future__ import annotations

import os
from pathlib import Path

from slim_core.data.table import ImageTable

UPLOADS, IMPORTED = "uploads", "imported"  # folders of SLIM_HOME


def upload_of(root: Path, home: Path) -> Path | None:
    """The folder of the one upload that ``root`` lies in; None where it lies elsewhere."""
    uploads = home.resolve() / UPLOADS
    if not root.is_relative_to(uploads) or root == uploads:
        return None
    return uploads / root.relative_to(uploads).parts[0]


def imported_images(table: ImageTable, home: Path) -> frozenset[Path]:
    """The images of a table that lay inside Arrow files, which its import has written out.

    One file stands for the same content in all data sets.
    """
    inside = f"{home.resolve() / IMPORTED}{os.sep}"
    found = table.frame["path"][table.frame["path"].str.startswith(inside)]
    return frozenset(map(Path, found))
