"""What an importer reads from its metadata, before anything is checked; and how importers put it together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from slim_core.data.outlines import Outline
from slim_core.data.report import FormatRefusedError
from slim_core.data.table import BOX_COLUMNS

_NAME = re.compile(r'\s*(?:"((?:[^"]|"")+)"\s*|([^,]*)),')  # one of an option, with the comma behind it
BOTH = frozenset({"label", "attribute"})  # what may be names
Counts = Mapping[str, Sequence[int]]  # images per group, by split


@dataclass(frozen=True)
class Packed:
    """The images of N rows, in their order."""

    where: str  # the files, for messages
    n: int
    n_bytes: int  # as the files say; what they hold is counted as it comes
    images: Callable[[], Iterator[bytes | str]]  # the content of each, or where it lies beside; "" = neither


@dataclass(frozen=True)
class Draft:
    """Raw columns of N rows. Splits, labels and attributes are as written; the checks make them numbers."""

    source: str  # file name of the metadata, for messages
    root: Path  # what relative paths start from
    paths: pd.Series  # (N,) of str
    splits: pd.Series | None  # (N,) of anything; None: they are to be made
    labels: pd.Series  # (N,) of integers, or of names where ``label_names`` is None and they are no numbers
    attributes: pd.Series | None = None  # (N,) likewise
    masks: pd.Series | None = None  # (N,) of str, "" = none
    outlines: Sequence[Outline | None] | None = None  # N of which the masks are drawn, once it is known where to
    boxes: pd.DataFrame | None = None  # (N, 4) BOX_COLUMNS, NaN = none
    units: pd.Series | None = None  # (N,) of anything: whose images go to one split (a patient, a video), "" = alone
    label_names: tuple[str, ...] | None = None
    attribute_name: str | None = None
    attribute_names: tuple[str, ...] | None = None
    metadata: tuple[Path, ...] = ()  # every file the rows were read from
    expected: Counts = field(default_factory=dict)  # published counts, where known
    may_be_names: frozenset[str] = frozenset()  # of "label" and "attribute": those whose cells need be no integers
    lines: bool = False  # the index of ``paths`` is the line of each row in ``source``, the first line of the file 1
    notes: tuple[str, ...] = ()  # what the importer decided, a sentence each
    model: str = ""  # that the images are made for, where that is known
    packed: Packed | None = None  # the images, where they lie inside the files; ``paths`` are empty until they are out


class Importer(Protocol):
    """Reads one form of data set. Each lives in a file of its own and is listed in FORMATS."""

    name: str
    about: str  # one line for ``slim import --help`` and the page
    options: tuple[str, ...]  # the option names it understands

    def matches(self, path: Path) -> str | None:
        """Why the folder or file looks like this form, as the end of "It is read as ..., for ..."; None where not."""
        ...

    def read(self, path: Path, options: Mapping[str, str]) -> Draft:
        """The raw table.

        Raises:
            FormatRefusedError: the metadata is missing, unreadable or lacks a column.
        """
        ...


def need_columns(frame: pd.DataFrame, columns: Sequence[str], source: str, remedy: str = "") -> None:
    """Raise FormatRefusedError unless all columns are there."""
    missing = [column for column in columns if column not in frame]
    if missing:
        plural = "s" if len(missing) > 1 else ""
        there = ", ".join(map(str, list(frame.columns)[:20]))
        raise FormatRefusedError(
            "missing-column",
            f"{source} lacks the column{plural} {', '.join(missing)} (it has: {there})"
            f"{': ' + remedy if remedy else ': add it' if not plural else ': add them'}.",
        )


def need_different(columns: Sequence[tuple[str, str]], source: str) -> None:
    """Refuse a column that is to be two things: of (what for, column)."""
    roles: dict[str, str] = {}
    for role, column in columns:
        if roles.setdefault(column, role) != role:
            raise FormatRefusedError(
                "columns",
                f"The column {column} of {source} is used as {roles[column]} and as {role}: name another for one of "
                "them.",
            )


def texts(cells: pd.Series) -> pd.Series:
    """(N,) of str, without blanks around them; "" for an empty cell, and also of numbers, as Parquet may hold them."""
    return cells.astype(object).where(cells.notna(), "").astype(str).str.strip()


def boxes_frame(boxes: Mapping[int, Sequence[float]], n: int) -> pd.DataFrame:
    """(N, 4) BOX_COLUMNS from row -> (x, y, width, height); NaN where a row has none."""
    values = np.full((n, 4), np.nan)
    for row, box in boxes.items():
        values[row] = box
    return pd.DataFrame(values, columns=list(BOX_COLUMNS))


def find_masks(folder: Path, paths: pd.Series, candidates: Callable[[str], Sequence[str]]) -> pd.Series:
    """(N,) of str: for each image the first candidate name that exists under ``folder``, else ""."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix.lower() == ".png")
    there = {f"{name[:-4]}.png": name for name in found}  # PNG, too; where both lie there, the later, in small letters
    return paths.map(lambda path: next((there[name] for name in candidates(path) if name in there), ""))


def names_option(options: Mapping[str, str], key: str) -> tuple[str, ...] | None:
    """A comma-separated option as names; one that holds a comma is in double quotes, as in a CSV file."""
    found = _NAME.findall(options[key] + ",") if options.get(key) else None
    return None if found is None else tuple(quoted.replace('""', '"') or plain.strip() for quoted, plain in found)


def as_option(names: Sequence[str]) -> str:
    """The names as one option, for ``names_option``."""
    is_plain = {name: "," not in name and not name.startswith('"') and name == name.strip() for name in names}
    return ",".join(name if is_plain[name] else '"{}"'.format(name.replace('"', '""')) for name in names)
