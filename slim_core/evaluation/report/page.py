"""The report as one HTML file: plotly.js once, pictures inside, no request to anywhere, opens from a folder.

Here the numbers become text; ``assets/report.html`` lays them out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from slim_core.data.images.heat import heat_gradient
from slim_core.evaluation.comparison import ANSWERED_BY_DEFINITION, COST_DEFINITIONS, LABELS_DEFINITION
from slim_core.evaluation.report.build import Ancestor, Report, seeds_chart
from slim_core.evaluation.report.frames import OTHER_GROUPS, TITLES, has_other_groups, seeds_text, worst_groups
from slim_core.formatting import UNKNOWN, in_percent, interval, points, rounded
from slim_core.metrics import DEFINITIONS, RATES

ASSETS = Path(__file__).parent / "assets"
DIGITS = {
    "minutes": 1,
    "seconds": 0,
    "lineage_seconds": 0,
    "gpu_hours": 2,
    "answers": 0,
    "images": 0,
}
PAID = (
    "labels_used", "answers", "answered_by", "share", "minutes", "images", "seconds",
    "lineage_seconds", "gpu_hours",
)  # fmt: skip
DEFINED = (*RATES, "gap", "groups")


@dataclass(frozen=True)
class Grid:
    """A table as text."""

    heading: list[str]
    cells: list[list[str]]


def render(report: Report) -> str:
    """The whole file as text, some 5 MB of it plotly.js."""
    from plotly.offline import get_plotlyjs

    extra = seeds_chart(report.seeds)
    charts = [*report.charts, *([extra] if extra else [])]
    return template("report.html").render(
        title=f"{len(report.rows)} models on {report.dataset.name}",
        facts=_facts(report),
        report=report,
        charts=charts,
        numbers=numbers(report),
        costs=costs(report),
        groups=groups(report),
        seeds=seeds(report.seeds),
        definitions=_definitions(),
        lineages={label: _lineage(runs) for label, runs in report.lineages.items()},
        versions=Grid(["package", "version"], [[*pair] for pair in report.versions.items()]),
        figures=[json.loads(chart.figure.to_json()) for chart in charts],
        heat=heat_gradient(),
        style=asset("report.css"),
        script=asset("report.js"),
        plotly=Markup(get_plotlyjs()),
    )


@cache
def template(name: str) -> Template:
    """A template of ours."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bold"] = bold
    return environment.get_template(name)


def asset(name: str) -> Markup:
    """A file of ours, which needs no escaping."""
    return Markup((ASSETS / name).read_text(encoding="utf-8"))


def bold(text: str) -> Markup:
    """Escaped text in which **words** are bold."""
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", str(escape(text))))


def _facts(report: Report) -> list[str]:
    return [
        f"{report.dataset.n_images:,} images",
        f"fingerprint {report.dataset.fingerprint}",
        f"baseline {report.rows.at[report.baseline, 'label']!s}",
        f"made {report.made_at:%Y-%m-%d %H:%M} UTC by SLIM Studio",
    ]


def _definitions() -> list[str]:
    costs = [f"{TITLES[key].capitalize()}: {text}" for key, text in COST_DEFINITIONS.items()]
    return [DEFINITIONS[key] for key in DEFINED] + [LABELS_DEFINITION, ANSWERED_BY_DEFINITION, *costs]


def _lineage(runs: Sequence[Ancestor]) -> Grid:
    heading = ["step", "run", "name", "seed", "device", "seconds", "code", "submitted (UTC)"]
    return Grid(heading, [[str(cell) for cell in astuple(run)] for run in runs])


def numbers(report: Report) -> Grid:
    """Heading and cells of the table of runs: their accuracies and attention."""
    return _of_runs(report, [key for key in TITLES if key not in PAID])


def costs(report: Report) -> Grid:
    """What each run used and cost: a table of its own, so that no column leaves the page."""
    return _of_runs(report, PAID)


def _of_runs(report: Report, keys: Sequence[str]) -> Grid:
    rows = report.rows.assign(worst_group=worst_groups(report.rows, report.baseline))
    records: list[dict[str, Any]] = rows.reset_index().to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            ("⚑ " if row["evaluation"] == report.baseline else "") + row["label"],
            *(shown(key, row[key]) for key in keys),
        ]
        for row in records
    ]
    return Grid(["run", *(TITLES[key] for key in keys)], cells)


def shown(key: str, value: Any) -> str:
    """A cell: rates in percent, changes in points, counts with their separators, a dash where there is none."""
    if value is None or value != value:  # NaN
        return UNKNOWN
    if key in RATES or key == "share":
        return in_percent(value)
    if key == "change":
        return points(value)
    return rounded(value, DIGITS[key], ",") if key in DIGITS else str(value)


def groups(report: Report) -> Grid:
    """Heading and cells of the table of groups: one row a run and group."""
    lowest = report.groups.groupby("run")["accuracy"].transform("min")
    apart = set(report.rows["label"][has_other_groups(report.rows, report.baseline)])
    records: list[dict[str, Any]] = report.groups.assign(worst=lowest).to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            row["run"],
            row["group"]
            + (OTHER_GROUPS if row["run"] in apart else "")
            + (" ← worst" if row["accuracy"] == row["worst"] < 1 else ""),
            f"{row['n']:,}",
            shown("wga", row["accuracy"]),
            interval(row["low"], row["high"]),
        ]
        for row in records
    ]
    return Grid(["run", "group", "images", "accuracy", "95 % interval"], cells)


def seeds(frame: pd.DataFrame) -> Grid:
    """Heading and cells of the table of methods over their seeds."""
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            row["method"],
            seeds_text(row["seeds"]),
            *(shown("wga", row[key]) for key in ("wga_mean", "wga_sd", "average_mean")),
            shown("change", row["change"]),
            interval(row["change_low"], row["change_high"], "+"),
            str(row["pairs"]),
        ]
        for row in records
    ]
    return Grid(["method", "seeds", "worst group", "sd", "average", "difference", "95 % interval", "pairs"], cells)
