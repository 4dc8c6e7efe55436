"""Times in words."""

from __future__ import annotations

from datetime import UTC, datetime


def ago(moment: datetime, now: datetime | None = None) -> str:
    """How long since, in the largest unit: "just now", "12 s ago", "4 min ago", "3 h ago", "2 days ago"."""
    seconds = max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    for unit, name in ((86400, "day"), (3600, "h"), (60, "min"), (5, "s")):
        if seconds >= unit:
            n = int(seconds if name == "s" else seconds // unit)
            return f"{n} {name}{'s' if name == 'day' and n > 1 else ''} ago"
    return "just now"
