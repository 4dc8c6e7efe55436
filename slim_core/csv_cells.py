"""Tables as CSV that no spreadsheet takes for formulas: names of people, classes and files may begin like one.

A text that begins with =, +, -, @, a tab or a carriage return is written with an apostrophe before it, which
spreadsheets leave out of sight; numbers stay numbers. What reads our own files takes it away again. JSON lines and
Parquet need none.
"""

from __future__ import annotations

import csv
import re

import pandas as pd

_LIKE_A_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # one that has its apostrophe already gets another: one way back


def to_cell(value: object) -> object:
    """A value as a cell holds it."""
    return f"'{value}" if isinstance(value, str) and _LIKE_A_FORMULA.match(value) else value


def from_cell(text: str) -> str:
    """The text that ``to_cell`` wrote so."""
    return text[1:] if text.startswith("'") and _LIKE_A_FORMULA.match(text) else text


def to_csv(frame: pd.DataFrame, *, index: bool = False, header: bool = True) -> str:
    """The table, its column names too."""
    texts = frame.select_dtypes(exclude="number").columns
    safe = frame.assign(**{name: frame[name].map(to_cell) for name in texts})
    named = safe.rename(columns=to_cell, index=to_cell if index else None)
    text = named.to_csv(index=index, header=header, lineterminator="\n")
    if "\r" in text:  # which readers take for the end of a line, and the writer does not quote
        return named.to_csv(index=index, header=header, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text
