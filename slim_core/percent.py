"""Numbers in words, the same way everywhere: "90.7 %", "88.1 to 92.9", "2 seeds"."""

from __future__ import annotations

NO_BREAK = "\u00a0"
UNKNOWN = "–"


def percent(rate: float | None, digits: int = 1) -> str:
    """90.7 %, which no line break parts; a dash for what is not known (None, NaN)."""
    if rate is None or rate != rate:
        return UNKNOWN
    return f"{100 * rate:.{digits}f}{NO_BREAK}%"


def interval(low: float, high: float, form: str = ".1f") -> str:
    """Bounds of a rate (0..1) in percent, or of a difference in points; a dash where there are none (NaN)."""
    return UNKNOWN if low != low else f"{100 * low:{form}} to {100 * high:{form}}"


def counted(n: int, what: str) -> str:
    """1 seed, 2 seeds."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
