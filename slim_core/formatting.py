"""Numbers in words, the same way everywhere: "90.7 %", "88.1 to 92.9", "2 seeds", "3 min 05 s", "4 min ago".

Names told apart and cut short. And tables as CSV, in which names of people, classes and files may begin like a formula.
"""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

NO_BREAK = "\u00a0"
UNKNOWN = "–"
_LIKE_A_FORMULA = re.compile(r"'*[=+\-@\t\r]")  # one that has its apostrophe already gets another: one way back
MOST_LOSS = 1_000  # from which its decimals say nothing


def rounded(value: float, digits: int = 1, flags: str = "") -> str:
    """A number with so many decimals; ``flags`` as in a format: "+" for its sign, "," for its thousands.

    A tie goes away from zero. So it does in a browser (toFixed), which rounds in tables and charts; a format of Python
    takes the even neighbour, and 87.25 % would be 87.2 on one page and 87.3 on the next.
    """
    number = Decimal(float(value) + 0.0)  # no -0
    if number.is_finite():
        number = number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{number:{flags}}"


def in_percent(rate: float | None, digits: int = 1, flags: str = "") -> str:
    """90.7: a rate without its sign of percent, for a column that has it in its heading."""
    return UNKNOWN if rate is None or math.isnan(rate) else rounded(100 * rate, digits, flags)


def percent(rate: float | None, digits: int = 1) -> str:
    """90.7 %, which no line break parts; a dash for what is not known (None, NaN)."""
    text = in_percent(rate, digits)
    return text if text == UNKNOWN else f"{text}{NO_BREAK}%"


def of_n(n: int) -> str:
    """n = 1,200: how many images a rate is of; no line break parts it."""
    return f"n{NO_BREAK}={NO_BREAK}{n:,}"


def points(difference: float | None, digits: int = 1) -> str:
    """+1.2: a difference of rates (-1..1) in percentage points."""
    return in_percent(difference, digits, "+")


def loss_in_words(loss: float, digits: int) -> str:
    """0.746, with so many decimals; where a training diverges, 6.86e+14 in place of fifteen digits that say nothing."""
    return rounded(loss, digits) if abs(loss) < MOST_LOSS else f"{loss:.3g}"


def interval(low: float, high: float, flags: str = "") -> str:
    """Bounds of a rate (0..1) in percent, with "+" of a difference in points; a dash where there are none (NaN)."""
    return UNKNOWN if math.isnan(low) else f"{in_percent(low, flags=flags)} to {in_percent(high, flags=flags)}"


def counted(n: int, what: str) -> str:
    """1 seed, 2 seeds."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def done_of(progress: Mapping[str, Any]) -> str:
    """300 of 600: how far a run says it is."""
    return f"{progress['done']:,} of {progress['total']:,}"


def is_or_are(n: int) -> str:
    """The verb of what ``counted`` says."""
    return "is" if n == 1 else "are"


def first_few(names: Sequence[str]) -> str:
    """a, b, c ...: the first five of them."""
    return f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"


def duration(seconds: float) -> str:
    """Seconds in the largest two units: "0.4 s", "42 s", "3 min 05 s", "2 h 10 min", "3 d 4 h". Whole ones stay so.

    None is below 0, whatever clocks say that were set back or differ.
    """
    seconds = max(0, seconds)
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


def to_cell(value: object) -> object:
    """A value as a cell holds it."""
    return f"'{value}" if isinstance(value, str) and _LIKE_A_FORMULA.match(value) else value


def from_cell(text: str) -> str:
    """The text that ``to_cell`` wrote so."""
    return text[1:] if text.startswith("'") and _LIKE_A_FORMULA.match(text) else text


def to_csv(frame: pd.DataFrame, *, index: bool = False, header: bool = True) -> str:
    """A table as CSV that no spreadsheet takes for formulas, its column names too.

    A text that begins with =, +, -, @, a tab or a carriage return is written with an apostrophe before it, which
    spreadsheets leave out of sight; numbers stay numbers. What reads our own files takes it away again.
    """
    texts = frame.select_dtypes(exclude="number").columns
    safe = frame.assign(**{name: frame[name].map(to_cell) for name in texts})
    named = safe.rename(columns=to_cell, index=to_cell if index else None)
    text = named.to_csv(index=index, header=header, lineterminator="\n")
    if "\r" in text:  # which readers take for the end of a line, and the writer does not quote
        return named.to_csv(index=index, header=header, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    return text


def free_name(name: str, taken: Container[str]) -> str:
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
