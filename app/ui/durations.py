"""Times in words."""

from __future__ import annotations

from datetime import UTC, datetime


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
