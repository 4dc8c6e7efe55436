"""A study as one HTML file: its tables, its charts and what was asked for; opens from a folder, fetches nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup

from slim_core.evaluation.charts import study as charts_of
from slim_core.evaluation.comparison import ALL_ANSWERS_DEFINITION, LABELS_DEFINITION
from slim_core.evaluation.report.page import Grid, asset, template
from slim_core.evaluation.study.summary import Result
from slim_core.evaluation.study.text import (
    CORRECTED,
    SECONDS,
    cells,
    facts,
    headings,
    is_corrected,
    label,
    records,
    sections,
    sentences,
    warnings,
)
from slim_core.metrics import ATTENTION_PRECISION, DEFINITIONS, WGA

NOTE = "Means over seeds; rates in %, differences in points, each paired by seed. Click a heading."


@dataclass(frozen=True)
class StudyChart:
    """A titled figure with a sentence on how to read it."""

    title: str
    note: str
    figure: go.Figure


def render(result: Result) -> str:
    """The whole file as text, some 5 MB of it plotly.js."""
    from plotly.offline import get_plotlyjs

    drawn = charts(result)
    return template("study.html").render(
        title=f"Study {result.spec['name']}",
        facts=facts(result),
        note=f"{NOTE} {CORRECTED}" if is_corrected(result) else NOTE,
        tables=[(name, grid(result, frame)) for name, frame in sections(result)],
        warnings=warnings(result),
        failures=sentences(result),
        charts=drawn,
        definitions=definitions(),
        spec=json.dumps(result.spec, indent=1),
        figures=[json.loads(chart.figure.to_json()) for chart in drawn],
        style=asset("report.css"),
        script=asset("report.js"),
        plotly=Markup(get_plotlyjs()),
    )


def grid(result: Result, frame: pd.DataFrame) -> Grid:
    """A table as text."""
    return Grid(headings(result), [cells(row) for row in records(frame)])


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with what a chart calls each method."""
    return frame.assign(name=[label(row) for row in records(frame)])


def charts(result: Result, table: str | None = None) -> list[StudyChart]:
    """Those that one table (by its title; default: the first) has numbers for; the first shows every set's curve."""
    frames = dict(sections(result))
    name = table if table in frames else next(iter(frames))
    frame, against = with_names(frames[name]), result.against
    curve = result.curve[result.curve["set"] == name] if name in result.sets and table else result.curve
    drawn: list[StudyChart] = []
    if frame["minus_mean"].notna().any():
        note = f"Right of 0: {against} is better than the method of the row."
        if frame["minus_low"].notna().any():
            kind = "corrected intervals" if frame["minus_corrected_low"].notna().any() else "paired 95 % intervals"
            note += f" Lines: {kind} over the seeds."
        drawn.append(StudyChart(f"{against} and the others", note, charts_of.differences(frame, against)))
    if curve["answers"].nunique() > 1:
        note = "Mean over the seeds; bars: standard deviation."
        drawn.append(StudyChart("Worst group against answers", note, charts_of.answers_curve(curve)))
    attention = f"{ATTENTION_PRECISION}_mean"
    if frame[attention].notna().any():
        figure = charts_of.against(frame, attention, "attention on the object", in_percent=True)
        drawn.append(StudyChart("Attention and worst group", DEFINITIONS[ATTENTION_PRECISION], figure))
    if frame["seconds"].notna().any():
        figure = charts_of.against(frame, "seconds", "seconds of computing")
        drawn.append(StudyChart("Cost", SECONDS, figure))
    return drawn


def definitions() -> list[str]:
    """What the columns mean."""
    return [DEFINITIONS[WGA], DEFINITIONS[ATTENTION_PRECISION], LABELS_DEFINITION, ALL_ANSWERS_DEFINITION]
