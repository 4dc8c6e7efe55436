"""The release layout of WILDS: a folder with ``RELEASE_v1.0.txt``, ``metadata.csv`` and splits by words.

Waterbirds and CelebA of the same release are read by their own formats. The out-of-distribution splits are val and
test; what is set apart within the distribution (id_val, id_test) is left out, and the report says how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from slim_core.data.draft import Draft, need_columns
from slim_core.data.files.metadata.tables import header_of, read_table
from slim_core.data.importers.csv_table import NO_COLUMN
from slim_core.data.importers.waterbirds import folder_of
from slim_core.data.report import FormatRefusedError
from slim_core.formatting import counted, first_few, is_or_are

METADATA = "metadata.csv"
PATHS = ("filename", "path", "img_filename", "image_path")
ATTRIBUTES = ("location_remapped", "location", "region", "domain", "country", "a")
LEFT_OUT = ("id_val", "id_test", "unlabeled", "extra_unlabeled", "none", "")


class Wilds:
    """A classification set in WILDS' release layout, such as iWildCam."""

    name = "wilds"
    about = "RELEASE_v*.txt beside metadata.csv with filename, y, split and a domain (WILDS)"
    options: tuple[str, ...] = ("attribute",)

    def matches(self, path: Path) -> str | None:
        """The release's file, and a table with a file name and y."""
        folder = folder_of(path, METADATA)
        header = set(header_of(folder / METADATA))
        if any(folder.glob("RELEASE_v*.txt")) and "y" in header and header & set(PATHS):
            return "a RELEASE file lies beside metadata.csv"
        return None

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table."""
        folder = folder_of(path, METADATA)
        frame = read_table(folder / METADATA)
        name = next((column for column in PATHS if column in frame), PATHS[0])
        attribute = options.get("attribute") or next((column for column in ATTRIBUTES if column in frame), None)
        attribute = None if attribute == NO_COLUMN and attribute not in frame else attribute
        need_columns(frame, (name, "y", "split", *([attribute] if attribute else [])), METADATA)
        kept = frame[~frame["split"].str.strip().str.lower().isin(LEFT_OUT)]
        if kept.empty:
            there = first_few(sorted(set(frame["split"].str.strip())))
            raise FormatRefusedError("splits", f"{METADATA} has no row in train, val or test: its splits are {there}.")
        dropped = len(frame) - len(kept)
        return Draft(
            source=METADATA,
            metadata=(folder / METADATA,),
            root=folder,
            paths=_paths(folder, kept[name].str.strip(), kept["split"].str.strip()),
            splits=kept["split"],
            labels=kept["y"],
            attributes=kept[attribute] if attribute else None,
            attribute_name=attribute,
            strict_integers=False,
            lines=True,
            notes=_left_out(dropped),
        )


def _left_out(n: int) -> tuple[str, ...]:
    rows = f"{counted(n, 'row')} of {METADATA} {is_or_are(n)}"
    return (f"{rows} in neither train, val nor test, and left out.",) if n else ()


def _paths(folder: Path, names: pd.Series, splits: pd.Series) -> pd.Series:
    """Names as they stand where the first is there; else below ``train/`` or a folder for each split."""
    first = str(names.iloc[0])
    if (folder / first).is_file():
        return names
    if (folder / "train" / first).is_file():
        return "train/" + names
    return splits + "/" + names
