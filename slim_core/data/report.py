"""What an import found: errors that refuse the data, warnings that do not, and the counts a person wants to see."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from slim_core.data.groups import grouping
from slim_core.data.table import SPLITS, ImageTable
from slim_core.errors import DataRefusedError, quoted

ROWS_KEPT = 20  # row numbers a finding keeps; its message names the first few
ROWS_NAMED = 5
NAMED = 5  # groups, classes or words that a message lists
_ONE_OR_MANY = re.compile(r"\[([^|\]]*)\|([^\]]*)\]")  # of a sentence about rows
Level = Literal["error", "warning", "note"]
Progress = Callable[[int, int, str], None]  # how far work on files is: done, total, what is being done


class FormatRefusedError(DataRefusedError):
    """The metadata cannot be read as a table; ``code`` says why in one word for tests and pages."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Finding:
    """One thing found. Rows count from 0, in the order of the metadata; the first ROWS_KEPT are named."""

    level: Level
    code: str  # "missing-files", "labels", ...: the kind of finding
    message: str  # one sentence with counts, row numbers and the remedy
    rows: tuple[int, ...] = ()
    count: int = 0  # how many rows in all
    lines: tuple[int, ...] = ()  # of the rows in the metadata file, its first line 1; none where it has no lines
    paths: tuple[str, ...] = ()  # of the rows' images, as the metadata names them


@dataclass
class Findings:
    """Collects findings while a data set is read."""

    items: list[Finding] = field(default_factory=list)
    lines: np.ndarray | None = None  # (N,) the line of each row in its file, the first line of the file 1
    paths: np.ndarray | None = None  # (N,) the image of each row, as its file names it
    by_path: bool = False  # there are no rows to look up: the images were listed from folders

    def error(self, code: str, message: str, rows: Sequence[int] | np.ndarray = ()) -> None:
        """Add what refuses the data set."""
        self._add("error", code, message, rows)

    def warning(self, code: str, message: str, rows: Sequence[int] | np.ndarray = ()) -> None:
        """Add what a person should know."""
        self._add("warning", code, message, rows)

    def note(self, code: str, message: str, rows: Sequence[int] | np.ndarray = ()) -> None:
        """Add what was decided for the data set: nothing is wrong."""
        self._add("note", code, message, rows)

    def some(self, level: Level, code: str, rows: Sequence[int] | np.ndarray, sentence: str, **values: object) -> None:
        """Add what is to be said of these rows, where there are any. In the sentence, {n} is how many they are, {where}
        the first of them, {name} one of the values, and of [one|many] that which fits their number.
        """
        if len(rows):
            fitting = _ONE_OR_MANY.sub(lambda found: found[1 if len(rows) == 1 else 2], sentence)
            self._add(level, code, fitting.format(n=f"{len(rows):,}", where=self.where(rows), **values), rows)

    def drop(self, code: str) -> None:
        """Take back the findings of one kind."""
        self.items = [item for item in self.items if item.code != code]

    def narrow(self, keeps: np.ndarray) -> None:
        """From here on rows are those of a table that kept only some: ``keeps`` (N,) bool."""
        self.lines = None if self.lines is None else self.lines[keeps]
        self.paths = None if self.paths is None else self.paths[keeps]

    def _add(self, level: Level, code: str, message: str, rows: Sequence[int] | np.ndarray) -> None:
        kept = tuple(int(row) for row in rows[:ROWS_KEPT])
        self.items.append(Finding(level, code, message, kept, len(rows), *self.named(kept)))

    def named(self, rows: Sequence[int] | np.ndarray) -> tuple[tuple[int, ...], tuple[str, ...]]:
        """Lines and image paths of rows, where they are known."""
        at = np.asarray(rows, np.int64)
        lines = () if self.lines is None else tuple(self.lines[at].tolist())
        return lines, () if self.paths is None else tuple(map(str, self.paths[at]))

    def where(self, rows: Sequence[int] | np.ndarray) -> str:
        """The first of these rows, for a message: "lines 3, 9, 17" of the file where known, else "rows 1, 7, 15".

        Of images that no file lists, their paths: nobody could look up a row.
        """
        more = ", ..." if len(rows) > ROWS_NAMED else ""
        if self.by_path and self.paths is not None:
            return ", ".join(quoted(str(path)) for path in self.paths[np.asarray(rows[:ROWS_NAMED], np.int64)]) + more
        word = "row" if self.lines is None else "line"
        named = ", ".join(str(int(row if self.lines is None else self.lines[row])) for row in rows[:ROWS_NAMED])
        return f"{word}{'s' if len(rows) > 1 else ''} {named}{more}"

    @property
    def refused(self) -> bool:
        """True where an error is among them."""
        return any(item.level == "error" for item in self.items)


@dataclass(frozen=True)
class LeftOut:
    """Images that were left out for one cause: a fact of the data set. The first thousand are named."""

    cause: str  # "missing", "broken", "large" or "duplicates"
    count: int
    lines: tuple[int, ...]  # of the metadata file, its first line 1; none where the format has no lines
    paths: tuple[str, ...]  # of the images, as the metadata names them


@dataclass(frozen=True)
class ImportReport:
    """The whole answer of an import; plain values only."""

    format: str
    name: str
    path: str
    findings: tuple[Finding, ...]
    n_images: int = 0
    splits: dict[str, int] = field(default_factory=dict)  # images per split
    groups: tuple[dict[str, Any], ...] = ()  # one {"split", "group", "name", "n"} a split and group
    n_masks: int = 0  # images with a mask or a box
    checked: str = ""  # how thoroughly the files were read
    metadata: tuple[str, ...] = ()  # paths of the files the table was read from
    reason: str = ""  # why it was read as this format
    options: dict[str, str] = field(default_factory=dict)  # of the format, as they were given
    root: str = ""  # what the paths of the images start from
    left_out: tuple[LeftOut, ...] = ()  # images that were left out, by cause
    model: str = ""  # that a demo set is made for

    @property
    def ok(self) -> bool:
        """True where the data set may be used."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What refuses it."""
        return tuple(f for f in self.findings if f.level == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What to know about it."""
        return tuple(f for f in self.findings if f.level == "warning")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the database and ``slim import --json``."""
        return {**asdict(self), "groups": list(self.groups), "ok": self.ok}


@dataclass(frozen=True)
class Imported:
    """A table, unless it was refused, and the report on it."""

    table: ImageTable | None
    report: ImportReport
    read: ImageTable | None = None  # the table, also where it was refused; without what was left out
    looked_at: tuple[str, ...] = ()  # where there is none: the files of metadata, which the report may quote

    @property
    def files(self) -> list[str]:
        """The paths of all that was read, or is named in the report."""
        named = [path for each in self.report.findings for path in each.paths]
        named += [path for each in self.report.left_out for path in each.paths]
        found = [] if self.read is None else self.read.files
        tables = [*self.report.metadata, *self.looked_at]
        return [*tables, *found, *(os.path.join(self.report.root, path) for path in named)]


def require(imported: Imported) -> ImageTable:
    """The table of an import that found no error.

    Raises:
        DataRefusedError: with the first errors' sentences.
    """
    if imported.table is not None and imported.report.ok:
        return imported.table
    messages = [finding.message for finding in imported.report.errors]
    more = f" ({len(messages) - 3} more errors follow.)" if len(messages) > 3 else ""
    raise DataRefusedError(" ".join(messages[:3]) + more)


def describe(table: ImageTable) -> tuple[dict[str, int], tuple[dict[str, Any], ...]]:
    """Images per split, and per split and group."""
    groups, found = grouping(table), []
    for split in SPLITS:
        counts = groups.counts(table.rows(split))
        found += [
            {"split": split, "group": g, "name": name, "n": int(n)}
            for g, (name, n) in enumerate(zip(groups.names, counts, strict=True))
        ]
    return {split: len(table.rows(split)) for split in SPLITS}, tuple(found)
