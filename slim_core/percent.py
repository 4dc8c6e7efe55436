"""A rate in words: "90.7 %", the same way everywhere."""

from __future__ import annotations

NO_BREAK = "\u00a0"


def percent(rate: float, digits: int = 1) -> str:
    """90.7 %, which no line break parts."""
    return f"{100 * rate:.{digits}f}{NO_BREAK}%"
