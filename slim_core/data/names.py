"""Names that must not be those of others, where a number behind one makes it another; and long ones, cut short."""

from __future__ import annotations

import itertools
from collections.abc import Container


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
