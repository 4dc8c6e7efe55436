"""The chart of the README: SLIM minus other methods in each study, with intervals, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from slim_core.formatting import interval, points

BLUE, VERMILION, GREY, INK = "#0072B2", "#D55E00", "#7A838C", "#1B232A"  # Okabe and Ito, and what reads on white
WIDTH, ROW, HEADING, FIRST = 820, 22, 34, 44  # pixels
LEFT, RIGHT = 300, 640  # of the axis; names stand before it, numbers behind
LOW, HIGH, STEP = -0.2, 0.5, 0.1  # of the axis


def forest(groups: Sequence[tuple[str, Sequence[tuple[str, dict[str, Any]]]]]) -> str:
    """Heading and (name, row of tables.over_sets) of each line; blue: above 0, vermilion: below, grey: neither."""
    parts = [_text(12, 18, "SLIM minus ..., points of the worst group", colour=GREY)]
    top = FIRST
    for heading, lines in groups:
        parts.append(_text(12, top + 22, heading, weight=600))
        top += HEADING
        for name, row in lines:
            parts += _line(top, name, row)
            top += ROW
    ticks = [LOW + STEP * n for n in range(round((HIGH - LOW) / STEP) + 1)]
    axis = [f'<path d="M{_x(at):.1f} {FIRST - 16}V{top + 4}" stroke="{_grid(at)}"/>' for at in ticks]
    axis += [_text(_x(at), 18, points(at, 0).removeprefix("+"), colour=GREY, anchor="middle") for at in ticks]
    size = f'viewBox="0 0 {WIDTH} {top + 12}" width="{WIDTH}" height="{top + 12}"'
    style = 'font-family="system-ui, sans-serif" font-size="13"'
    body = "\n".join(['<rect width="100%" height="100%" fill="#FFFFFF"/>', *axis, *parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style} role="img">\n{body}\n</svg>\n'


def _line(top: int, name: str, row: dict[str, Any]) -> list[str]:
    low, high, middle = row["low"], row["high"], top + ROW // 2
    colour = BLUE if low > 0 else VERMILION if high < 0 else GREY
    said = f"{points(row['minus'])} ({interval(low, high, '+')})"
    return [
        _text(24, middle + 4, name),
        f'<path d="M{_x(low):.1f} {middle}H{_x(high):.1f}" stroke="{colour}" stroke-width="2.5"/>',
        f'<circle cx="{_x(row["minus"]):.1f}" cy="{middle}" r="4.5" fill="{colour}"/>',
        _text(RIGHT + 16, middle + 4, said, colour=colour),
    ]


def _x(at: float) -> float:
    return LEFT + (RIGHT - LEFT) * (at - LOW) / (HIGH - LOW)


def _grid(at: float) -> str:
    return INK if abs(at) < STEP / 2 else "#E3E7EB"


def _text(x: float, y: float, text: str, *, colour: str = INK, anchor: str = "start", weight: int = 400) -> str:
    about = f'fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y}" {about}>{escape(text)}</text>'
