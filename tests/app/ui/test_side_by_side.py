"""Parts beside each other where their names leave room for it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


@pytest.mark.parametrize(("name", "n_columns"), [("1, china", 2), ("waterbird, water background", 0)])
def test_long_names_put_two_parts_below_each_other(name: str, n_columns: int) -> None:
    def page(name: str) -> None:
        from app.ui.tables import halves

        for part in halves([name], (4, 5), gap="large"):
            part.write("part")

    app = AppTest.from_function(page, args=(name,)).run()
    assert (len(app.columns), len(app.markdown)) == (n_columns, 2)
