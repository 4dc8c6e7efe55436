"""Charts of results: accuracy of groups with its interval, of one run or of several side by side; images; training
curves; scores; models against what they cost, the same on the Compare page and in the report.

Of many groups those with the lowest accuracy; of many runs a dot each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from slim_core.data.groups import NO_GROUP, unique_names
from slim_core.data.table import SPLITS
from slim_core.evaluation.charts.layout import (
    BLUE,
    FEW,
    GREY,
    GROUPED,
    INK,
    ORANGE,
    SKY,
    VERMILION,
    base_layout,
    colour_of,
    have_colours,
    interval,
    literal,
    run_colours,
)
from slim_core.formatting import counted
from slim_core.formatting import interval as percent_interval
from slim_core.metrics import (
    AIOU,
    ATTENTION_PRECISION,
    LEAST,
    N_MASKS,
    groups_of,
    listed_groups,
    worst_judged,
    worst_shown,
)

COLUMNS = ["group", "n", "correct", "accuracy", "low", "high", "worst"]
ATTENTION = [ATTENTION_PRECISION, AIOU]
MOST = 10  # groups that one chart shows
NAMED = 40  # letters of the names of groups without images that fit beside an axis
BAR = 15  # pixels of a lying bar
EDGE = 1  # pixels around it: all there is to see of one at 0 %
ABOVE_BARS = 1.15  # of the highest bar, which the threshold may stand in: room for what is written beside it
N_BINS = 40
NO_SCORES = "no scored images"


def group_frame(metrics: Mapping[str, Any]) -> pd.DataFrame:
    """One row a group with COLUMNS, ATTENTION and N_MASKS; rates in 0..1 (NaN for an empty group, or without masks),
    ``worst`` marks the worst of those that can be judged.

    ``metrics``: as from classification_metrics, or a part of it that has at least its groups.
    """
    frame = pd.DataFrame(listed_groups(metrics), columns=["name", *COLUMNS[1:-1], *ATTENTION, N_MASKS])
    frame = frame.rename(columns={"name": "group"})
    frame = frame.astype({"accuracy": float, "low": float, "high": float, **dict.fromkeys(ATTENTION, float)})
    is_low = frame["accuracy"] == (worst_shown(metrics) or {}).get("accuracy", 1)
    can_be_judged = (frame["n"] >= LEAST) | (worst_judged(metrics) is None)
    return frame.assign(worst=is_low & can_be_judged & (frame["accuracy"] < 1))


def group_bars(frame: pd.DataFrame, cells: Sequence[str] | None = None) -> go.Figure:
    """Accuracy per group in percent with its 95 % interval, the worst group in its own colour, those that cannot be
    judged in grey; of more than MOST groups those with the lowest accuracy, and of none without images.

    ``cells``: what a click on each bar opens, carried as the first of its custom data.
    """
    note = _note(frame)
    frame = lowest(frame.assign(cell=list(cells) if cells is not None else list(frame["group"])))
    percent = frame[["accuracy", "low", "high"]] * 100
    carried = percent[["low", "high"]].assign(cell=frame["cell"])
    colours = [
        VERMILION if worst else BLUE if n >= LEAST else GREY
        for worst, n in zip(frame["worst"], frame["n"], strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        y=[f"{name} (n = {n:,})" for name, n in zip(frame["group"], frame["n"], strict=True)],
        x=percent["accuracy"],
        orientation="h",
        marker={"color": colours, "opacity": 0.8, "line": {"color": colours, "width": EDGE}},
        error_x=interval(frame),
        customdata=carried[["cell", "low", "high"]],
        hovertemplate="%{y}<br>%{x:.1f} % (%{customdata[1]:.1f} to %{customdata[2]:.1f})<extra></extra>",
    )  # fmt: skip
    return base_layout(
        figure,
        height=90 + 26 * max(3, len(frame)),
        x={"title": f"accuracy, %{note}", "range": [0, 102]},
        y={"autorange": "reversed", "automargin": True, **_named(frame)},
        showlegend=False,
    )


def group_intervals(frame: pd.DataFrame, baseline: str | None = None, runs: Sequence[str] = ()) -> go.Figure:
    """Accuracy of every group in every run with its 95 % Wilson interval: bars for a few runs, dots for many.

    Of more than MOST groups it shows those with the lowest accuracy in any run, and says so on its axis; and there it
    names groups without images, which have no bar.

    ``frame``: run (name), group (name), accuracy, low, high (0..1; NaN for an empty group) and n, one row a run and
    group; runs and groups keep the order of the frame. Where it has a column ``key``, each mark carries it as the first
    of its custom data.

    ``runs``: all that are compared, where some are not drawn here: each keeps its colour of the charts beside this one.
    """
    shown, title = lowest(frame), f"accuracy, 95 % interval{_note(frame)}"
    drawn = frame["run"].drop_duplicates().tolist()
    if len(drawn) > FEW:
        return _dots(shown, baseline, title)
    colours = run_colours(runs if 0 < len(runs) <= FEW else drawn, baseline)
    return _bars(shown, colours, title)


def left_out_note(n_groups: int) -> str:
    """What an axis says where ``lowest`` has left groups out."""
    return "" if n_groups <= MOST else f"<br>the {MOST} lowest of {n_groups:,} groups"


def _note(frame: pd.DataFrame) -> str:
    """What an axis says of the groups of ``frame`` that a chart does not show."""
    drawn = set(_with_images(frame)["group"])
    empty = [group for group in frame["group"].drop_duplicates() if group not in drawn]
    return left_out_note(frame["group"].nunique() - len(empty)) + empty_note(empty)


def empty_note(groups: Sequence[str], what: str = "no images") -> str:
    """What an axis says of groups that a chart leaves out, since they have ``what``: their names, or how many."""
    if not groups:
        return ""
    names = "; ".join(groups)
    about = f": {names}" if len(names) <= NAMED else f" in {counted(len(groups), 'group')}"
    return f"<br>{what}{about}"


def _with_images(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of groups that have an image in any run; estimated ones may have none."""
    return frame[frame.groupby("group")["n"].transform("max") > 0]


def lowest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the MOST groups with the lowest accuracy in any run, lowest first; all, as they are, of fewer.

    Groups without images are none of them.
    """
    frame = _with_images(frame)
    if frame["group"].nunique() <= MOST:
        return frame
    rates = frame.groupby("group", sort=False)["accuracy"].agg(["min", "mean"])
    kept = rates.sort_values(["min", "mean"], kind="stable").index[:MOST]
    places = {group: place for place, group in enumerate(kept)}
    return frame[frame["group"].isin(kept)].sort_values(
        "group", key=lambda groups: groups.map(places), kind="stable", ignore_index=True
    )


def _bars(frame: pd.DataFrame, colours: Mapping[str, str], title: str) -> go.Figure:
    """A bar a run and group; names of groups have room beside lying ones, however long."""
    sizes = frame.groupby("group")["n"].max()
    frame = frame.assign(group=[f"{group} (n = {sizes[group]:,})" for group in frame["group"]])
    figure = go.Figure()
    for run in frame["run"].drop_duplicates():
        part = frame[frame["run"] == run]
        figure.add_bar(
            y=part["group"],
            x=part["accuracy"] * 100,
            name=str(run),
            error_x=interval(part),
            orientation="h",
            marker={"color": colours[run], "opacity": 0.8, "line": {"color": colours[run], "width": EDGE}},
            customdata=_custom(part),
            hovertemplate=f"{run}<br>%{{y}}<br>%{{x:.1f}} % (%{{customdata[1]:.1f}} to %{{customdata[2]:.1f}})"
            "<br>%{customdata[3]} images<extra></extra>",
        )
    return base_layout(
        figure,
        height=110 + (BAR * frame["run"].nunique() + 8) * frame["group"].nunique(),
        x={"title": title, "ticksuffix": " %", "range": [0, 103]},
        y={"autorange": "reversed", "automargin": True, **_named(frame)},
        **GROUPED,
    )


def _named(frame: pd.DataFrame) -> dict[str, bool]:
    """Of the axis of groups: no names where there are none, for Plotly would count from -1 to 6."""
    return {"showticklabels": bool(len(frame))}


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
    return base_layout(
        figure,
        height=420,
        x={"tickvals": list(range(len(order))), "ticktext": ticks, "range": edges, "showgrid": False},
        y={"title": title, "ticksuffix": " %", "range": [0, 103]},
    )


def _custom(part: pd.DataFrame) -> np.ndarray:
    keys = part["key"] if "key" in part else part["run"]
    columns = [keys, part["low"] * 100, part["high"] * 100, part["n"]]
    return np.stack([np.asarray(column, object) for column in columns], axis=-1)


def split_frame(groups: Sequence[Mapping[str, Any]], splits: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Groups by row, splits by column, from an import report's list of {split, name, n} and its images per split.

    0 where none; a last row NO_GROUP where images are of no known group, so that each column adds up to its split.
    """
    frame = pd.DataFrame(groups, columns=["split", "name", "n"]).rename(columns={"name": "group"})
    names = list(frame["group"].drop_duplicates())
    counts = frame.pivot_table(index="group", columns="split", values="n", aggfunc="sum", fill_value=0).reindex(
        index=names, columns=list(SPLITS), fill_value=0
    )
    left = pd.Series({split: (splits or {}).get(split, 0) for split in SPLITS}) - counts.sum()
    return pd.concat([counts, left.to_frame(NO_GROUP).T.rename_axis("group")]) if (left > 0).any() else counts


def split_shares(frame: pd.DataFrame) -> go.Figure:
    """The share of each group within each split, in percent; ``frame`` as from split_frame.

    More groups than there are colours have two by turns and no legend: each is named on hover.
    """
    named = have_colours(len(frame))
    shares = 100 * frame / frame.sum().clip(lower=1)
    figure = go.Figure()
    for position, group in enumerate(frame.index):
        figure.add_bar(
            y=list(frame.columns), x=shares.loc[group], name=str(group), orientation="h",
            marker={"color": colour_of(position) if named else (BLUE, SKY)[position % 2]}, customdata=frame.loc[group],
            hovertemplate=f"{group}<br>%{{customdata:,}} images, %{{x:.1f}} % of %{{y}}<extra></extra>",
        )  # fmt: skip
    note = "" if named else f"<br>each strip is one of {len(frame.index.drop(NO_GROUP, errors='ignore')):,} groups"
    return base_layout(
        figure,
        height=220,
        x={"title": f"share of the split, %{note}", "range": [0, 100.5]},
        y={"autorange": "reversed"},
        barmode="stack",
        showlegend=named,
    )


def history_frame(history: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row an epoch and series: epoch, series ("loss", "average", "worst group", or a group's name), value.

    ``history``: what a train run writes, one dict an epoch with epoch, train_loss and val (the metrics, or None).
    """
    rows: list[tuple[int, str, float]] = []
    for entry in history:
        epoch, val = int(entry["epoch"]), entry.get("val") or {}
        named = {"loss": entry.get("train_loss"), "average": val.get("average"), "worst group": val.get("wga")}
        groups = groups_of(val)
        names = unique_names([*named, *(group["name"] for group in groups)])  # a class may be called "loss"
        values = [*named.values(), *(group["accuracy"] for group in groups)]
        rows += [(epoch, series, value) for series, value in zip(names, values, strict=True) if value is not None]
    return pd.DataFrame(rows, columns=["epoch", "series", "value"])


def has_curves(frame: pd.DataFrame) -> bool:
    """Whether there is a loss by epoch: a last layer that is refitted has a single point, and none."""
    return bool((frame["series"] == "loss").any())


def loss_curve(frame: pd.DataFrame, epochs: int, best_epoch: int | None = None) -> go.Figure:
    """The training loss by epoch; ``frame`` as from history_frame, ``epochs``: of the whole training."""
    part = frame[frame["series"] == "loss"]
    figure = go.Figure()
    figure.add_scatter(
        x=part["epoch"], y=part["value"], name="training loss", mode="lines+markers", line={"color": BLUE, "width": 2},
        hovertemplate="epoch %{x}<br>loss %{y:.4f}<extra></extra>",
    )  # fmt: skip
    return _by_epoch(figure, epochs, best_epoch, {"title": "training loss", "rangemode": "tozero"})


def accuracy_curves(frame: pd.DataFrame, epochs: int, best_epoch: int | None = None) -> go.Figure:
    """Validation accuracy of every group (thin), the average (dashed) and the worst group (thick), in percent.

    More groups than there are colours are thin grey lines without a legend, named on hover.
    """
    figure = go.Figure()
    groups = [name for name in frame["series"].drop_duplicates() if name not in ("loss", "average", "worst group")]
    lines = {name: {"color": colour_of(position), "width": 1.5} for position, name in enumerate(groups)}
    named = have_colours(len(groups))
    if not named:
        lines = dict.fromkeys(groups, {"color": "rgba(154,160,166,0.35)", "width": 1})
    strong = GREY if named else INK
    lines |= {"average": {"color": strong, "width": 2, "dash": "dash"}, "worst group": {"color": strong, "width": 4}}
    summary = ("worst group", "average")
    for name in (*summary, *groups) if named else (*groups, *summary):  # the last one drawn lies on top
        part = frame[frame["series"] == name]
        if len(part):
            figure.add_scatter(
                x=part["epoch"], y=part["value"] * 100, name=name, line=lines[name],
                showlegend=named or name in summary,
                mode="lines" if len(part) > 1 else "markers",
                hovertemplate=f"{name}<br>epoch %{{x}}<br>%{{y:.1f}} %<extra></extra>",
            )  # fmt: skip
    accuracy = {"title": "validation accuracy, %", "range": [-12, 102], "tick0": 0, "dtick": 20}
    return _by_epoch(figure, epochs, best_epoch, accuracy, at="bottom")  # below 0, where no curve is


def _by_epoch(figure: go.Figure, epochs: int, best_epoch: int | None, y: dict[str, Any], at: str = "top") -> go.Figure:
    margin = 0.02 * epochs + 0.05  # the axis holds all epochs to come, so that nothing jumps while they arrive
    ticks = {"tick0": 0, "dtick": max(1, math.ceil(epochs / 10))}
    if best_epoch is not None:
        line = {"color": GREY, "width": 1, "dash": "dot"}
        side = f"{at} left" if best_epoch > epochs / 2 else f"{at} right"  # inside the plot
        figure.add_vline(x=best_epoch, line=line, annotation_text="kept", annotation_position=side)
    return base_layout(figure, 320, x={"title": "epoch", **ticks, "range": [1 - margin, epochs + margin]}, y=y)


def group_scores(frame: pd.DataFrame) -> go.Figure:
    """Mean attention precision and AIoU of each group; of more than MOST groups those with the lowest precision. Groups
    without a scored image take no room, and the axis says so.

    ``frame``: one row a group with name, n, n_scored (images with a mask), attention_precision, aiou (0..1, NaN
    where no image of the group has a mask).
    """
    is_scored = frame["n_scored"] > 0
    note = left_out_note(int(is_scored.sum())) + empty_note(frame.loc[~is_scored, "name"].tolist(), NO_SCORES)
    frame = frame[is_scored]
    if len(frame) > MOST:
        frame = frame.sort_values("attention_precision", kind="stable").head(MOST)
    figure = go.Figure()
    for column, name, colour in (
        ("attention_precision", "Attention precision", BLUE),
        ("aiou", "AIoU", ORANGE),
    ):
        figure.add_bar(
            y=frame["name"],
            x=frame[column] * 100,
            name=name,
            orientation="h",
            marker_color=colour,
            customdata=np.stack([frame["n_scored"], frame["n"]], axis=-1) if len(frame) else None,
            hovertemplate="%{y}<br>" + name + " %{x:.1f} %<br>over %{customdata[0]} of %{customdata[1]} images",
        )
    return base_layout(
        figure,
        height=120 + 52 * max(len(frame), 1),
        x={"range": [0, 103], "title": f"mean of the images{note}", "ticksuffix": " %"},
        y={"autorange": "reversed", "automargin": True},
    )


def score_histogram(frame: pd.DataFrame, threshold: float | None = None, above: str = "kept") -> go.Figure:
    """Propagated score of every image, stacked by class, with the threshold and what the images right of it are.

    More classes than there are colours all have the same one.

    ``frame``: score (0..1, NaN = not scored) and class (name), one row an image. Of a categorical, each class has the
    colour of its place, as on every other page.
    """
    if not have_colours(len(frame["class"].astype("category").cat.categories)):
        frame = frame.assign(**{"class": "all classes"})
    edges = np.linspace(0, 1, N_BINS + 1)
    figure, stacked = go.Figure(), np.zeros(N_BINS)
    for position, (name, part) in enumerate(frame.groupby("class", sort=True, observed=False)):
        if part.empty:
            continue
        counts, _ = np.histogram(part["score"].dropna(), bins=edges)
        stacked += counts
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2,
            y=counts,
            width=1 / N_BINS,
            name=str(name),
            marker_color=colour_of(position),
            hovertemplate=f"{name}<br>score %{{x:.2f}}<br>%{{y}} images",
        )
    if threshold is not None:
        label = f"{above} from {threshold:.2f}"
        figure.add_vline(x=threshold, line_color=INK, line_width=2, annotation_text=label)
    return base_layout(
        figure,
        height=300,
        x={"range": [0, 1], "title": "propagated score"},
        y={"title": "images", "range": [0, ABOVE_BARS * max(1.0, stacked.max())]},
        barmode="stack",
        bargap=0,
    )


LISTED = 3 * FEW  # runs that a line each can show


def cost_scatter(frame: pd.DataFrame, cost: str, title: str, baseline: str | None = None) -> go.Figure:
    """Worst-group accuracy against what it cost, one dot a run with its 95 % interval.

    ``frame``: run and method (names), wga, wga_low, wga_high (0..1) and the column ``cost``, one row a run. Runs of one
    method share a colour where there are few methods.
    """
    figure = go.Figure()
    colours = method_colours(frame, baseline)
    lowest = np.nan_to_num(frame["wga_low"].astype(float).min()) * 100
    start = max(0.0, 20 * np.floor((lowest - 5) / 20))  # dots need no zero: they fill the plot
    for method, colour in colours.items():
        part = frame[frame["method"] == method]
        figure.add_scatter(
            x=part[cost],
            y=part["wga"] * 100,
            name=str(method),
            mode="markers",
            customdata=part["run"].map(literal),
            cliponaxis=False,
            marker={"color": colour, "size": 10 if len(frame) <= 5 * FEW else 7, "opacity": 0.85},
            error_y={
                **interval(part, "wga", "wga_low", "wga_high"),
                "thickness": 1,
                "width": 0,
                "color": colour,
            },
            hovertemplate="%{customdata}<br>worst group %{y:.1f} %<br>" + title + " %{x:,.4~g}<extra></extra>",
        )
    highest = float(np.nan_to_num(frame[cost].to_numpy(float)).max(initial=0)) or 1.0
    return base_layout(
        figure,
        height=400,
        x={"title": title, "range": [-0.06 * highest, 1.06 * highest]},
        y={"title": "worst group, 95 % interval", "ticksuffix": " %", "range": [start, 103]},
        showlegend=len(colours) <= FEW,
    )


def method_colours(frame: pd.DataFrame, baseline: str | None = None) -> dict[str, str]:
    """The colour of each method where a dot is a run, as of ``cost_scatter``; ``baseline`` is the name of a run."""
    against = frame.loc[frame["run"] == baseline, "method"]
    return run_colours(frame["method"].drop_duplicates().tolist(), against.iloc[0] if len(against) else None)


def has_cost(frame: pd.DataFrame, cost: str) -> bool:
    """Whether a run cost anything: where none did, all lie on one line, and their names on each other."""
    return bool(frame[cost].fillna(0).max() > 0)


def seed_differences(frame: pd.DataFrame) -> go.Figure:
    """Change of worst-group accuracy against the baseline, in points: mean and 95 % t interval over paired seeds.

    ``frame``: method, change, change_low, change_high (0..1, NaN = too few pairs for an interval) and pairs, one row a
    method (slim_core.evaluation.comparison.over_seeds).
    """
    shown = frame[frame["pairs"] > 0]
    bounds = zip(shown["change_low"], shown["change_high"], strict=True)
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": INK, "width": 1, "dash": "dot"})
    figure.add_scatter(
        x=shown["change"] * 100,
        y=[f"{method} ({counted(n, 'seed')})" for method, n in zip(shown["method"], shown["pairs"], strict=True)],
        mode="markers",
        marker={"color": BLUE, "size": 11},
        error_x=interval(shown, "change", "change_low", "change_high"),
        customdata=["no interval" if low != low else percent_interval(low, high, "+") for low, high in bounds],
        hovertemplate="%{y}<br>%{x:+.1f} points (%{customdata})<extra></extra>",
    )
    return base_layout(
        figure,
        height=110 + 40 * max(len(shown), 1),
        x={"title": "change of worst-group accuracy, points", "zeroline": False},
        y={"autorange": "reversed", "automargin": True},
    )


def averages(rows: pd.DataFrame, measures: Mapping[str, str], baseline: str | None = None) -> go.Figure:
    """A line a run with its worst group and averages; above LISTED runs worst group against average, a dot a run.

    ``rows``: one row a run, as from slim_core.evaluation.comparison.table.
    """
    if len(rows) <= LISTED:
        return headline(long(rows, measures))
    return cost_scatter(
        rows.assign(run=rows["label"], percent=rows["average"] * 100), "percent", "average, %", baseline
    )


def attention(rows: pd.DataFrame, measures: Mapping[str, str], baseline: str | None = None) -> go.Figure:
    """Attention scores of each run; above LISTED runs worst group against attention precision, a dot a run."""
    if len(rows) <= LISTED:
        return headline(long(rows, measures), "mean of the images")
    frame = rows.assign(run=rows["label"], percent=rows["attention_precision"] * 100)
    return cost_scatter(frame, "percent", "attention precision, %", baseline)


def headline(frame: pd.DataFrame, title: str = "accuracy") -> go.Figure:
    """The numbers of each run on one line: how far worst group, average and adjusted average lie apart.

    ``frame``: run (name), measure (name), value (0..1), one row a run and measure.
    """
    figure = go.Figure()
    symbols = ("circle", "diamond-open", "square-open", "triangle-up-open", "cross-open")
    for position, measure in enumerate(frame["measure"].drop_duplicates()):
        part = frame[frame["measure"] == measure]
        figure.add_scatter(
            x=part["value"] * 100,
            y=part["run"],
            mode="markers",
            name=str(measure),
            marker={
                "size": 12,
                "symbol": symbols[position % len(symbols)],
                "color": INK,
                "line": {"width": 2, "color": INK},
            },
            hovertemplate=f"%{{y}}<br>{measure} %{{x:.1f}} %<extra></extra>",
        )
    return base_layout(
        figure,
        height=120 + 34 * max(frame["run"].nunique(), 1),
        x={"ticksuffix": " %", "title": title, "range": [-2, 103]},  # a mark at 0 % is whole
        y={"autorange": "reversed", "automargin": True},
    )


def long(rows: pd.DataFrame, measures: Mapping[str, str]) -> pd.DataFrame:
    """run, measure, value: one row a run and measure, without measures that no run has.

    ``measures``: their names by column of ``rows``, which has one row a run and its ``label``.
    """
    parts = [
        pd.DataFrame({"run": rows["label"], "measure": name, "value": rows[key]})
        for key, name in measures.items()
        if rows[key].notna().any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", "measure", "value"])
