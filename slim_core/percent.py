"""Numbers in words, the same way everywhere: "90.7 %", "88.1 to 92.9", "2 seeds", "3 min 05 s", "4 min ago"."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

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


def few(names: Sequence[str], most: int = 5) -> str:
    """a, b, c ...: the first of them."""
    return f"{', '.join(names[:most])}{' ...' if len(names) > most else ''}"


def duration(seconds: float) -> str:
    """Seconds in the largest two units: "0.4 s", "42 s", "3 min 05 s", "2 h 10 min", "3 d 4 h". Whole ones stay so."""
    whole = round(seconds)
    if seconds != whole and seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "< 0.1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long since, in the largest unit: "just now", "12 s ago", "4 min ago", "3 h ago", "2 days ago"."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, name in ((86400, "day"), (3600, "h"), (60, "min"), (5, "s")):
        if seconds >= unit:
            n = int(seconds if name == "s" else seconds // unit)
            return f"{n} {name}{'s' if name == 'day' and n > 1 else ''} ago"
    return "just now"
