"""Every test that docs/first-hour.md names is there under that name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)


def test_each_row_of_the_page_names_tests_that_are_there() -> None:
    rows = dict(ROW.findall((ROOT / "docs" / "first-hour.md").read_text(encoding="utf-8")))
    assert list(rows) == [str(n) for n in range(1, 38)]
    for number, row in rows.items():
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", row)
        assert named, f"row {number} names no test"
        for file, name in named:
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), (number, file, name)
