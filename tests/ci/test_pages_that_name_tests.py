"""Every test that docs/first-hour.md and docs/hostile.md name is there under that name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\w?\d+) \|(.*)\|$", re.MULTILINE)
FINDINGS = [f"{grade}{n}" for grade, most in (("H", 8), ("M", 15), ("L", 23), ("A", 8)) for n in range(1, most + 1)]


@pytest.mark.parametrize(("page", "numbers"), [("first-hour", [*map(str, range(1, 38))]), ("hostile", FINDINGS)])
def test_each_row_of_the_page_names_tests_that_are_there(page: str, numbers: list[str]) -> None:
    rows = dict(ROW.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")))
    assert list(rows) == numbers
    for number, row in rows.items():
        named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", row)
        assert named, f"row {number} names no test"
        for file, name in named:
            assert f"def {name}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), (number, file, name)
