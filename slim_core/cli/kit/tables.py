"""A table in a terminal of any width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table

from slim_core.cli.kit.console import console, escaped, say, visible
from slim_core.formatting import UNKNOWN

LONGEST_WORD = 15  # letters up to which none is broken: "class-balanced,"
LONGEST_CELL = 24  # letters from which a cell of one word, such as a path, is broken
FRAME = 3  # what stands between two columns
NUMBER = re.compile(r"[-+]?\d[^A-Za-z:]*(?:\b(?:to|s|min|h|B|kB|MB|GB|TB)\b[^A-Za-z:]*)*")  # no moment: it may wrap


@dataclass(frozen=True)
class Column:
    """A heading and its cells, as they are shown."""

    heading: str
    cells: tuple[str, ...]

    @cached_property
    def is_of_numbers(self) -> bool:
        """Whether it stands to the right, and is never cut."""
        known = [cell for cell in self.cells if cell not in ("", UNKNOWN)]
        return bool(known) and all(NUMBER.fullmatch(cell) for cell in known)

    @cached_property
    def content(self) -> int:
        """The width of the longest cell."""
        return max((cell_len(line) for cell in self.cells for line in cell.split("\n")), default=0)

    @property
    def width(self) -> int:
        """That of its cells and its heading on one line."""
        return max(self.content, *(cell_len(line) for line in self.heading.split("\n")))

    @cached_property
    def wraps(self) -> bool:
        """Whether its cells may take several lines; ids may not."""
        return not self.is_of_numbers and (self.content > LONGEST_CELL or any(" " in cell for cell in self.cells))

    @property
    def in_lines(self) -> Column:
        """The same with its heading a word a line, where that is wider than the cells."""
        in_lines = "\n".join(self.heading.split())
        return Column(in_lines if cell_len(self.heading) > self.content else self.heading, self.cells)

    @cached_property
    def narrowest(self) -> int:
        """The width below which it cannot be read: a word a line."""
        content = min(_longest_word(self.cells), LONGEST_WORD) if self.wraps else self.content
        return max(content, _longest_word([self.heading]))


def table(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], keys: int = 1, empty: str | None = None
) -> None:
    """Print a table, numbers to the right; or ``empty``, where there are no rows.

    Where the terminal is too narrow, words take several lines; and where that is not enough, the columns are parted
    into several tables, each of which begins with the first ``keys`` columns, which say what a row is of.
    """
    if empty is not None and not rows:
        say(escaped(empty))
        return
    columns = [
        Column(visible(heading), tuple(visible(row[number]) for row in rows)) for number, heading in enumerate(headings)
    ]
    say(f"[italic]{escaped(title)}[/]")
    if room_beside([column.width for column in columns], console.width) >= 0:
        console.print(_drawn(columns, [column.width for column in columns]))
        return
    for part in parts(columns, keys, console.width):
        console.print(_drawn([column.in_lines for column in part], widths(part, console.width)))


def room_beside(taken: Sequence[int], width: int) -> int:
    """What a table of columns leaves of a line; below 0: what it exceeds it by."""
    return width - 1 - sum(one + FRAME for one in taken)


def parts(columns: Sequence[Column], keys: int, width: int) -> list[list[Column]]:
    """As many columns beside the first ``keys`` as are readable in a width, and again, until all are shown."""
    named, parted = list(columns[:keys]), [list(columns[:keys])]
    for column in columns[keys:]:
        wider = [*parted[-1], column]
        if len(wider) > keys + 1 and room_beside([one.narrowest for one in wider], width) < 0:
            parted.append([*named, column])
        else:
            parted[-1] = wider
    return parted


def widths(columns: Sequence[Column], width: int) -> list[int]:
    """Of the columns of a part: what is free goes to those that lack most."""
    given = [column.narrowest for column in columns]
    for _ in range(room_beside(given, width)):
        lacking = [column.content - have for column, have in zip(columns, given, strict=True)]
        if max(lacking) <= 0:
            break
        given[lacking.index(max(lacking))] += 1
    return given


def _drawn(columns: Sequence[Column], widths: Sequence[int]) -> Table:
    drawn = Table()
    for number, (column, width) in enumerate(zip(columns, widths, strict=True)):
        justify: JustifyMethod = "right" if number and column.is_of_numbers else "left"
        drawn.add_column(escaped(column.heading), justify=justify, overflow="fold", width=width)
    for row in zip(*(column.cells for column in columns), strict=True):
        drawn.add_row(*map(escaped, row))
    return drawn


def _longest_word(texts: Iterable[str]) -> int:
    return max((cell_len(word) for text in texts for word in text.split()), default=0)
