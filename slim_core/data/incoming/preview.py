"""The first rows of a table of any column names, and which of its columns seem to be what: for people to correct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from slim_core.data.checks.splits import holds_split_words
from slim_core.data.files.tables import read_head
from slim_core.data.importers.csv_table import COMMON_NAMES, SUFFIXES, CsvTable, tables_in
from slim_core.data.importers.folders import IMAGE_SUFFIXES
from slim_core.data.importing import data_folder, find_importer
from slim_core.data.report import FormatRefusedError
from slim_core.settings import Settings
from slim_core.settings import settings as current_settings

ROWS, LOOKED_AT = 5, 1_000  # rows that are shown, and by which columns are proposed
MOST_FILES = 50  # tables of a folder that are offered


@dataclass(frozen=True)
class TablePreview:
    """What to choose columns by."""

    path: Path  # of the table that is shown
    files: tuple[str, ...]  # tables of the folder, this one first
    head: pd.DataFrame  # (ROWS at most, all columns), cells as text
    proposed: Mapping[str, str]  # role (a key of COMMON_NAMES) -> column


def preview(path: Path | str, *, file: str | None = None, settings: Settings | None = None) -> TablePreview | None:
    """Of a table, or of a folder that holds one or more; None where the folder is read in another form.

    Args:
        path: inside an allowed root.
        file: the table of the folder that is meant, where there are several.
        settings: the roots; this process's where not given.

    Raises:
        PathRefusedError: the path lies outside the allowed roots.
        FormatRefusedError: the table cannot be read.
    """
    place = data_folder((settings or current_settings()).allowed(path))
    files = _tables(place, file)
    if not files or not (_is_table(place) or file):
        return None
    head = read_head(files[0], LOOKED_AT).fillna("").astype(str)
    return TablePreview(files[0], tuple(one.name for one in files), head[:ROWS], _proposed(head))


def _tables(place: Path, file: str | None) -> list[Path]:
    if place.is_file():
        return [place] if place.name.lower().endswith(SUFFIXES) else []
    try:
        found = [one for one in tables_in(place) if not one.name.lower().endswith(".txt")]
    except OSError:  # not there, or not to be read: the check says so
        return []
    first = file or CsvTable().table_of(place)
    return sorted(found[:MOST_FILES], key=lambda one: one.name != first)


def _is_table(place: Path) -> bool:
    """Whether it would be read as a table, or as nothing that is known."""
    try:
        return find_importer(place)[0].name == CsvTable.name
    except FormatRefusedError:
        return True


def _proposed(head: pd.DataFrame) -> dict[str, str]:
    """By common names, and the images and splits by what is in the cells."""
    lower = {str(column).lower(): str(column) for column in head.columns}
    by_name = {role: next((lower[name] for name in names if name in lower), "") for role, names in COMMON_NAMES.items()}
    by_name["path"] = by_name["path"] or next((name for name in head.columns if _names_images(head[name])), "")
    others = [name for name in head.columns if name not in by_name.values()]
    by_name["split"] = by_name["split"] or next((name for name in others if holds_split_words(head[name])), "")
    return {role: column for role, column in by_name.items() if column}


def _names_images(cells: pd.Series) -> bool:
    return bool(cells.str.lower().str.endswith(IMAGE_SUFFIXES).mean() > 0.5)
