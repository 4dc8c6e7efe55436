"""Which images an export is about: one line each, in the order of its arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from slim_core.data.table import UNKNOWN
from slim_core.formatting import to_csv

if TYPE_CHECKING:
    from pathlib import Path

    from slim_core.data.table import ImageTable

IMAGES = "images.csv"  # beside arrays


def image_list(table: ImageTable, rows: np.ndarray) -> pd.DataFrame:
    """(n,) rows -> row, path (absolute), split, label, label_name, and, where the data has one, the attribute."""
    labels = table.labels[rows]
    found = pd.DataFrame(
        {
            "row": rows,
            "path": [str(table.image_path(int(row))) for row in rows],
            "split": table.splits[rows],
            "label": labels,
            "label_name": np.asarray(table.label_names)[labels],
        }
    )
    if table.has_attributes:
        names = np.asarray([*table.attribute_names, ""])  # UNKNOWN is -1, the last
        found[attribute_column(table)] = names[np.where(table.attributes[rows] == UNKNOWN, -1, table.attributes[rows])]
    return found


def attribute_column(table: ImageTable) -> str:
    """Name of the column of the attribute; never one of the others."""
    name = table.attribute_name or "attribute"
    return f"attribute_{name}" if name in ("row", "path", "split", "label", "label_name", "image") else name


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """As UTF-8, safe for spreadsheets."""
    path.write_text(to_csv(frame), encoding="utf-8")


def write_image_list(table: ImageTable, rows: np.ndarray, folder: Path) -> None:
    """images.csv, in the order of the rows."""
    write_csv(image_list(table, rows), folder / IMAGES)
