"""Names that must not be those of others, where a number behind one makes it another; long ones, cut short; and what a
set of a study is called."""

from __future__ import annotations

import itertools
from collections.abc import Container
from pathlib import PurePath


def free(name: str, taken: Container[str]) -> str:
    """The name where it is not taken, else the first of "name (2)", "name (3)", ... that is not."""
    numbered = (f"{name} ({n})" for n in itertools.count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def shortened(name: str, letters: int) -> str:
    """The name, or its beginning and its end where it has more letters: names of one kind often differ in their end.

    The end is what follows the last comma, such as the attribute of a group, where there is room for all of it.
    """
    if len(name) <= letters:
        return name
    last = len(name) - max(name.rfind(", "), 0)
    tail = max(2 * letters // 5, last if last <= 2 * letters // 3 else 0)
    return f"{name[: letters - tail - 1].rstrip()}…{name[-tail:].lstrip()}"


OVER_SETS = "mean over sets"  # what a study calls the rows that are no set's


def of_set(name: str | None, demo_set: str | None, data: str | None) -> str:
    """What a study calls one of its sets: by the name it is given, else as the demo set or the folder."""
    return name or demo_set or PurePath(str(data)).name
