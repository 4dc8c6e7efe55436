"""Names that must not be those of others: a number behind one makes it another."""

from __future__ import annotations

import itertools
from collections.abc import Container


def free(name: str, taken: Container[str]) -> str:
    """The name where it is not taken, else the first of "name (2)", "name (3)", ... that is not."""
    numbered = (f"{name} ({n})" for n in itertools.count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)
