"""Charts of a study: differences, worst group against answers, against attention and against cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from slim_core.evaluation.charts.layout import INTERVAL, base_layout, literal
from slim_core.evaluation.charts.palette import BLUE, GREEN, INK, ORANGE, PURPLE, run_colours

# What a method uses beyond classes -> its colour and mark; of several labels the dearest counts.
USES = {
    "none": (ORANGE, "circle"),
    "answers": (BLUE, "diamond"),
    "groups in validation": (PURPLE, "square"),
    "groups in training": (GREEN, "triangle-up"),
}
NAMED = 12  # methods that can be named beside their marks
PLOT_PX = 640, 300  # of the marks, on a page of 1,024 pixels
BELOW = 0.1  # of the highest rate: so much is drawn below 0 where a mark lies near it; numbers are further apart
PERCENT = {"ticksuffix": " %", "rangemode": "nonnegative"}
BESIDE = 0.01  # of the shares drawn: how far the marks of two lines at one share stand apart, for their bars to be seen
LETTER_PX, LINE_PX, OFF_PX = 5.6, 13, 10  # of a name; how far it is from its mark


def differences(frame: pd.DataFrame, against: str) -> go.Figure:
    """``against`` minus each other method with its paired 95 % interval, in points.

    ``frame``: name, labels_used, minus_mean, minus_low, minus_high and minus_corrected_low, minus_corrected_high, drawn
    in place of these where they are known (-1..1; NaN: no interval), one row a method.
    """
    shown = frame.dropna(subset=["minus_mean"]).iloc[::-1]
    low, high = (shown[f"minus_corrected_{end}"].fillna(shown[f"minus_{end}"]) for end in ("low", "high"))
    shown = shown.assign(low=low, high=high)
    figure = go.Figure()
    for uses, (colour, symbol) in USES.items():
        part = shown[shown["labels_used"].map(dearest) == uses]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["minus_mean"] * 100,
            y=part["name"],
            name=f"labels used: {uses}",
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 11},
            error_x={
                **INTERVAL,
                "array": (part["high"] - part["minus_mean"]) * 100,
                "arrayminus": (part["minus_mean"] - part["low"]) * 100,
            },
            hovertemplate=f"{against} minus %{{y}}: %{{x:+.1f}} points<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": INK, "width": 1})
    return base_layout(
        figure,
        height=120 + 32 * max(len(shown), 2),
        x={"title": f"{against} minus it, points of worst-group accuracy"},
        y={"categoryorder": "array", "categoryarray": shown["name"].tolist()},
    )


def answers_curve(frame: pd.DataFrame) -> go.Figure:
    """Worst-group accuracy against the share of images asked about, one line a set, with sd over seeds.

    Marks at one share stand beside each other. ``frame``: set, method, answers (0..1), wga_mean, wga_sd (0..1).
    """
    figure = go.Figure()
    lines = [f"{row.set}, {row.method}" for row in frame.itertuples()]
    several = frame["method"].nunique() > 1
    named = frame.assign(line=lines if several else frame["set"])
    colours = run_colours(named["line"].drop_duplicates().tolist())
    apart = BESIDE * float(np.ptp(named["answers"]))
    for place, (name, part) in enumerate(named.groupby("line", sort=False)):
        part = part.sort_values("answers")
        figure.add_scatter(
            x=(part["answers"] + (place - (len(colours) - 1) / 2) * apart) * 100,
            y=part["wga_mean"] * 100,
            name=str(name),
            mode="lines+markers",
            line={"color": colours[str(name)]},
            error_y={"type": "data", "array": part["wga_sd"] * 100, "thickness": 1, "width": 3},
            customdata=part["answers"] * 100,
            hovertemplate=f"%{{y:.1f}} % with %{{customdata:.3g}} % of the images asked about<extra>{name}</extra>",
        )
    return base_layout(
        figure,
        height=400,
        x={"title": "images asked about", "ticksuffix": " %"},
        y={"title": "worst group, mean and sd", "ticksuffix": " %", **_all_zero(frame["wga_mean"])},
    )


def against(frame: pd.DataFrame, column: str, title: str, *, in_percent: bool = False) -> go.Figure:
    """Mean worst-group accuracy against another mean of each method, marked by the labels it uses.

    ``frame``: name, labels_used, wga_mean and ``column``, one row a method. Above NAMED methods, and where a name would
    lie on another, names are shown on hover.
    """
    figure = go.Figure()
    known = frame.dropna(subset=[column, "wga_mean"])
    known = known.assign(place=_places(known, column, from_zero=not in_percent))
    for uses, (colour, symbol) in USES.items():
        part = known[known["labels_used"].map(dearest) == uses]
        if part.empty:
            continue
        figure.add_scatter(
            x=part[column] * (100 if in_percent else 1),
            y=part["wga_mean"] * 100,
            name=f"labels used: {uses}",
            mode="markers+text" if len(known) <= NAMED else "markers",
            text=part["name"].where(part["place"] != "", ""),
            textposition=part["place"].replace("", "top right").tolist(),
            textfont={"size": 11},
            cliponaxis=False,
            customdata=part["name"].map(literal),
            marker={"color": colour, "symbol": symbol, "size": 10, "opacity": 0.85},
            hovertemplate="%{customdata}<br>worst group %{y:.1f} %<br>" + title + " %{x:,.4~g}<extra></extra>",
        )
    return base_layout(
        figure,
        height=420,
        x={"title": title, **(PERCENT if in_percent else {"rangemode": "tozero"})},
        y={"title": "worst group, mean over seeds", "ticksuffix": " %", **_room_below(known["wga_mean"])},
    )


def _all_zero(rates: pd.Series) -> dict[str, Any]:
    """The range of an axis in percent where every rate is 0: by itself it would go from -1 % to 1 %."""
    return {} if rates.max() > 0 else _room_below(rates)


def _room_below(rates: pd.Series) -> dict[str, Any]:
    """The range of an axis in percent that has room for a name below the lowest mark, but no number below 0."""
    lowest, highest = rates.min() * 100, rates.max() * 100 or 100.0
    if not lowest < highest * BELOW:
        return {"rangemode": "nonnegative"}
    return {"range": [-highest * BELOW, highest * (1 + BELOW)], "autorange": False}


def _places(frame: pd.DataFrame, column: str, *, from_zero: bool) -> list[str]:
    """Where the name of each mark goes: above it or below it, inwards from the edges; "" where other names lie.

    ``from_zero``: whether the axis of ``column`` begins there, not at the lowest mark.
    """
    wide, high = PLOT_PX
    x, y = frame[column].to_numpy(float), frame["wga_mean"].to_numpy(float)
    across, up = _along(x, wide, 0.0 if from_zero else x.min(initial=1)), _along(y, high, y.min(initial=1))
    taken: list[tuple[float, float, float]] = []  # left and right edge, and height, of the names so far
    places = []
    for at, above, name in zip(across, up, frame["name"], strict=True):
        side, long = "left" if at > wide / 2 else "right", len(name) * LETTER_PX
        left = at - OFF_PX - long if side == "left" else at + OFF_PX
        boxes = {where: (left, left + long, above + off) for where, off in (("top", OFF_PX), ("bottom", -OFF_PX))}
        free = [where for where, box in boxes.items() if not any(_lies_on(box, other) for other in taken)]
        places.append(f"{free[0]} {side}" if free else "")
        taken += [boxes[where] for where in free[:1]]
    return places


def _along(values: NDArray[np.float64], pixels: float, least: float) -> NDArray[np.float64]:
    """How far from the beginning of an axis of so many pixels each value lies; it ends at the highest."""
    return (values - least) / ((values.max(initial=least) - least) or 1.0) * pixels


def _lies_on(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    return one[0] < other[1] and other[0] < one[1] and abs(one[2] - other[2]) < LINE_PX


def dearest(labels_used: str) -> str:
    """What costs most of the labels that a method uses: the last that is named."""
    return labels_used.rpartition(", ")[2]
