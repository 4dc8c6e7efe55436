"""CSV files hold no formulas, and our own readers get back what was written."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slim_core.formatting import from_cell, to_cell, to_csv

FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_looks_like_a_formula_is_written_as_text(text: str) -> None:
    frame = pd.DataFrame({text: [text], "n": [-1.5]}, dtype=object).astype({"n": float})
    rows = list(csv.reader(io.StringIO(to_csv(frame), newline="")))
    assert rows == [[f"'{text}", "n"], [f"'{text}", "-1.5"]]
    indexed = to_csv(frame.set_index("n", drop=False).rename({-1.5: text}), index=True)
    assert next(row for row in csv.reader(io.StringIO(indexed, newline="")) if row)[0] == "n"
    assert list(csv.reader(io.StringIO(indexed, newline="")))[1][0] == f"'{text}"


@given(st.text())
@example("'=1")
@example("''-x")
@example("'plain")
def test_every_text_comes_back(text: str) -> None:
    cell = to_cell(text)
    assert isinstance(cell, str) and from_cell(cell) == text
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")


def test_other_values_are_left_alone() -> None:
    values = [-1, -0.5, None, True]
    assert [to_cell(value) for value in values] == values
