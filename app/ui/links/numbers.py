"""Numbers that an address names, which anybody can write there."""

from __future__ import annotations

_MOST_DIGITS = 9  # more are no row, page or group; Python itself refuses to read 5,000


def number_of(named: str) -> int | None:
    """A whole number from 0; None of what is none."""
    return int(named) if named.isdecimal() and len(named) <= _MOST_DIGITS else None
