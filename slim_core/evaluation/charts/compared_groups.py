"""Every group of runs side by side: standing bars for a few groups, lying ones for more, the worst where a name each no
longer fits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slim_core.evaluation.charts.comparison import BLUE, FEW, GREY, calm, interval, run_colours

STANDING = 8  # groups whose names fit side by side
MOST = 12  # groups that one chart shows
BAR = 15  # pixels of a lying bar


def group_intervals(frame: pd.DataFrame, baseline: str | None = None) -> go.Figure:
    """Accuracy of every group in every run with its 95 % Wilson interval: bars for a few runs, dots for many.

    Of more than MOST groups it shows those with the lowest accuracy in any run, and says so on its axis.

    ``frame``: run (name), group (name), accuracy, low, high (0..1; NaN for an empty group) and n, one row a run and
    group; runs and groups keep the order of the frame. Where it has a column ``key``, each mark carries it as the first
    of its custom data.
    """
    n_groups = frame["group"].nunique()
    shown = lowest(frame)
    draw = _dots if frame["run"].nunique() > FEW else _lying if n_groups > STANDING else _standing
    return draw(shown, baseline, f"accuracy, 95 % interval{told_left_out(n_groups)}")


def told_left_out(n_groups: int) -> str:
    """What an axis says where ``lowest`` has left groups out."""
    return "" if n_groups <= MOST else f"<br>the {MOST} lowest of {n_groups:,} groups"


def lowest(frame: pd.DataFrame, most: int = MOST) -> pd.DataFrame:
    """The rows of the ``most`` groups with the lowest accuracy in any run, lowest first; all, as they are, of fewer."""
    if frame["group"].nunique() <= most:
        return frame
    rates = frame.groupby("group", sort=False)["accuracy"].agg(["min", "mean"])
    kept = rates.sort_values(["min", "mean"], kind="stable").index[:most]
    places = {group: place for place, group in enumerate(kept)}
    return frame[frame["group"].isin(kept)].sort_values(
        "group", key=lambda groups: groups.map(places), kind="stable", ignore_index=True
    )


def _standing(frame: pd.DataFrame, baseline: str | None, title: str) -> go.Figure:
    sizes = frame.groupby("group")["n"].max()
    frame = frame.assign(group=[f"{group}<br>n = {sizes[group]:,}" for group in frame["group"]])
    figure = go.Figure()
    for run, part, about in _parts(frame, baseline, "%{x}<br>%{y:.1f}"):
        figure.add_bar(x=part["group"], y=part["accuracy"] * 100, name=run, error_y=interval(part), **about)
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.08)
    figure.update_yaxes(title=title, ticksuffix=" %", range=[0, 103])
    return calm(figure, height=380)


def _lying(frame: pd.DataFrame, baseline: str | None, title: str) -> go.Figure:
    sizes = frame.groupby("group")["n"].max()
    frame = frame.assign(group=[f"{group} (n = {sizes[group]:,})" for group in frame["group"]])
    figure = go.Figure()
    for run, part, about in _parts(frame, baseline, "%{y}<br>%{x:.1f}"):
        figure.add_bar(
            y=part["group"], x=part["accuracy"] * 100, name=run, error_x=interval(part), orientation="h", **about
        )
    figure.update_layout(barmode="group", bargap=0.25, bargroupgap=0.08)
    figure.update_xaxes(title=title, ticksuffix=" %", range=[0, 103])
    figure.update_yaxes(autorange="reversed", automargin=True, type="category")
    return calm(figure, height=110 + (BAR * frame["run"].nunique() + 8) * frame["group"].nunique())


def _parts(frame: pd.DataFrame, baseline: str | None, told: str) -> list[tuple[str, pd.DataFrame, dict[str, object]]]:
    """Each run with its rows, and what its bars look like and tell."""
    colours = run_colours(frame["run"].drop_duplicates().tolist(), baseline)
    parts = [(str(run), frame[frame["run"] == run], colour) for run, colour in colours.items()]
    return [
        (
            run,
            part,
            {
                "marker": {"color": colour, "opacity": 0.8},
                "customdata": _custom(part),
                "hovertemplate": f"{run}<br>{told} % (%{{customdata[1]:.1f}} to %{{customdata[2]:.1f}})"
                "<br>%{customdata[3]} images<extra></extra>",
            },
        )
        for run, part, colour in parts
    ]


def _dots(frame: pd.DataFrame, baseline: str | None, title: str) -> go.Figure:
    """Every run a dot with its interval, by rising accuracy inside each group."""
    sizes = frame.groupby("group")["n"].max()
    order = frame["group"].drop_duplicates().tolist()
    ranked = frame.sort_values("accuracy", na_position="first").copy()
    ranked["x"] = (ranked.groupby("group").cumcount() + 0.5) / frame["run"].nunique() * 0.84 - 0.42
    ranked["x"] += [order.index(group) for group in ranked["group"]]
    figure = go.Figure()
    for name, part, colour, size in (
        ("other runs", ranked[ranked["run"] != baseline], GREY, 5),
        (str(baseline), ranked[ranked["run"] == baseline], BLUE, 10),
    ):
        if len(part):
            figure.add_scatter(
                x=part["x"],
                y=part["accuracy"] * 100,
                mode="markers",
                name=name,
                marker={"color": colour, "size": size},
                error_y={**interval(part), "thickness": 1, "width": 0, "color": colour},
                customdata=_custom(part),
                text=part["run"] + "<br>" + part["group"],
                hovertemplate="%{text}<br>%{y:.1f} % (%{customdata[1]:.1f} to %{customdata[2]:.1f})"
                "<br>%{customdata[3]} images<extra></extra>",
            )
    ticks = [f"{name}<br>n = {sizes[name]:,}" for name in order]
    edges = [-0.5, len(order) - 0.5]
    figure.update_xaxes(tickvals=list(range(len(order))), ticktext=ticks, range=edges, showgrid=False)
    figure.update_yaxes(title=title, ticksuffix=" %", range=[0, 103])
    return calm(figure, height=420)


def _custom(part: pd.DataFrame) -> np.ndarray:
    keys = part["key"] if "key" in part else part["run"]
    columns = [keys, part["low"] * 100, part["high"] * 100, part["n"]]
    return np.stack([np.asarray(column, object) for column in columns], axis=-1)
