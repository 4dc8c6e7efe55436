"""A table in a terminal of any width."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import JustifyMethod
from rich.table import Table

from slim_core.cli.kit.console import console, escaped, say, visible
from slim_core.formatting import UNKNOWN

LONGEST_CELL = 24  # letters from which a cell of one word, such as a path, is broken
FRAME = 3  # what stands between two columns
NUMBER = re.compile(r"[-+]?\d[^A-Za-z:]*(?:\b(?:to|s|min|h|B|kB|MB|GB|TB)\b[^A-Za-z:]*)*")  # no moment: it may wrap


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], empty: str | None = None) -> None:
    """Print a table, numbers to the right; or ``empty``, where there are no rows.

    Numbers and ids are never broken. Where the terminal is too narrow for that, each row is a list of its cells.
    """
    if empty is not None and not rows:
        say(escaped(empty))
        return
    say(f"[italic]{escaped(title)}[/]")
    drawn, least = Table(), 1
    for number, heading in enumerate(headings):
        cells = [visible(row[number]) for row in rows]
        narrowest, wraps = _narrowest(cells)
        justify: JustifyMethod = "right" if number and are_numbers(cells) else "left"
        drawn.add_column(escaped(heading), justify=justify, no_wrap=not wraps, overflow="fold", min_width=narrowest)
        least += FRAME + max(narrowest, _longest_word(visible(heading)))
    if least > console.width:
        for row in rows:
            console.print(_listed(headings, row))
        return
    for row in rows:
        drawn.add_row(*map(escaped, row))
    console.print(drawn)


def _listed(headings: Sequence[str], row: Sequence[str]) -> Table:
    listed = Table(show_header=False)
    listed.add_column(overflow="fold")
    listed.add_column(overflow="fold")
    for heading, cell in zip(headings, row, strict=True):
        listed.add_row(" ".join(escaped(heading).split()), escaped(cell))
    return listed


def are_numbers(cells: Sequence[str]) -> bool:
    """Whether a column of them stands to the right."""
    known = [cell for cell in cells if cell not in ("", UNKNOWN)]
    return bool(known) and all(NUMBER.fullmatch(cell) for cell in known)


def _narrowest(cells: Sequence[str]) -> tuple[int, bool]:
    """The width below which a column of cells cannot be read, and whether they may take several lines."""
    content = max(map(cell_len, cells), default=0)
    if are_numbers(cells) or (content <= LONGEST_CELL and not any(" " in cell for cell in cells)):
        return content, False
    return min(LONGEST_CELL, max(map(_longest_word, cells))), True


def _longest_word(text: str) -> int:
    return max(map(cell_len, text.split()), default=0)
