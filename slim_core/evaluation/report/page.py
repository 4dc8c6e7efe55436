"""The report as one HTML file: plotly.js once, pictures inside, no request to anywhere, opens from a folder."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from slim_core.errors import SpecRefusedError
from slim_core.evaluation.comparison import COST_DEFINITIONS
from slim_core.evaluation.report.build import Chart, Example, Report, seeds_chart
from slim_core.evaluation.report.frames import RATES, TITLES, told_seeds
from slim_core.metrics import DEFINITIONS
from slim_core.percent import UNKNOWN, interval

ASSETS = Path(__file__).parent / "assets"
DIGITS = {"minutes": 1, "seconds": 0, "lineage_seconds": 0, "gpu_hours": 2, "answers": 0, "images": 0}
DEFINED = (*RATES, "gap", "groups")


def write(report: Report, path: Path) -> None:
    """Write the file.

    Raises:
        SpecRefusedError: it cannot be written.
    """
    try:
        path.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise SpecRefusedError(f"{path} cannot be written ({error.strerror}): name another file.") from error


def render(report: Report) -> str:
    """The whole file as text, some 5 MB of it plotly.js."""
    from plotly.offline import get_plotlyjs

    extra = seeds_chart(report.seeds)
    charts = [*report.charts, *([extra] if extra else [])]
    title = f"{len(report.rows)} models on {report.dataset.name}"
    body = "".join(
        (
            _head(report, title),
            _story(report),
            _examples(report.examples, report.missing),
            *(_chart(number, chart) for number, chart in enumerate(charts)),
            _section("Numbers and costs", _table(*numbers(report)), "Rates in %, change in points. Click a heading."),
            _section("Groups", _table(*groups(report)), _estimated(report)),
            _section(
                "Over seeds", _table(*seeds(report.seeds)), "Runs that differ by their seed alone are one method."
            ),
            _definitions(),
            _lineages(report),
            _versions(report),
        )
    )
    page = (ASSETS / "report.html").read_text(encoding="utf-8")
    parts = {
        "title": html.escape(title),
        "style": (ASSETS / "report.css").read_text(encoding="utf-8"),
        "plotly": get_plotlyjs(),
        "figures": script_json([json.loads(chart.figure.to_json()) for chart in charts]),
        "script": (ASSETS / "report.js").read_text(encoding="utf-8"),
        "body": body,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)


def script_json(value: Any) -> str:
    """JSON that may stand inside a script element: a name of a run cannot end the element."""
    return json.dumps(value).replace("<", "\\u003c")


def numbers(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of the table of runs."""
    records: list[dict[str, Any]] = report.rows.reset_index().to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            ("⚑ " if row["evaluation"] == report.baseline else "") + row["label"],
            *(shown(key, row[key]) for key in TITLES),
        ]
        for row in records
    ]
    return ["run", *TITLES.values()], cells


def shown(key: str, value: Any) -> str:
    """A cell: rates in percent, changes in points, counts with their separators, a dash where there is none."""
    if value is None or value != value:  # NaN
        return UNKNOWN
    if key in RATES or key == "share":
        return f"{100 * value:.1f}"
    if key == "change":
        return f"{100 * value:+.1f}"
    return f"{value:,.{DIGITS[key]}f}" if key in DIGITS else str(value)


def groups(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of the table of groups: one row a run and group."""
    lowest = report.groups.groupby("run")["accuracy"].transform("min")
    records: list[dict[str, Any]] = report.groups.assign(worst=lowest).to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            row["run"],
            row["group"] + (" ← worst" if row["accuracy"] == row["worst"] else ""),
            f"{row['n']:,}",
            shown("wga", row["accuracy"]),
            interval(row["low"], row["high"]),
        ]
        for row in records
    ]
    return ["run", "group", "images", "accuracy", "95 % interval"], cells


def seeds(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Heading and cells of the table of methods over their seeds."""
    records: list[dict[str, Any]] = frame.to_dict("records")  # type: ignore[assignment]
    cells = [
        [
            row["method"],
            told_seeds(row["seeds"]),
            *(shown("wga", row[key]) for key in ("wga_mean", "wga_sd", "average_mean")),
            shown("change", row["change"]),
            interval(row["change_low"], row["change_high"], "+.1f"),
            str(row["pairs"]),
        ]
        for row in records
    ]
    return ["method", "seeds", "worst group", "sd", "average", "difference", "95 % interval", "pairs"], cells


def _head(report: Report, title: str) -> str:
    dataset = report.dataset
    facts = [
        f"{dataset.n_images:,} images",
        f"fingerprint {dataset.fingerprint}",
        f"baseline {str(report.rows.at[report.baseline, 'label'])}",
        f"made {report.made_at:%Y-%m-%d %H:%M} UTC by SLIM Studio",
    ]
    link = f'<p><a href="{html.escape(report.link)}">The same view in the dashboard</a></p>' if report.link else ""
    return f"<h1>{html.escape(title)}</h1><p class=muted>{html.escape(' · '.join(facts))}</p>{link}"


def _story(report: Report) -> str:
    cards = "".join(f"<div><h3>{html.escape(title)}</h3><p>{bold(text)}</p></div>" for title, text in report.story)
    return f"<section class=story>{cards}</section>"


def bold(text: str) -> str:
    """Escaped text in which **words** are bold."""
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text))


def _examples(examples: Sequence[Example], missing: Iterable[str]) -> str:
    told = "".join(f"<p class=muted>{html.escape(sentence)}</p>" for sentence in missing)
    cells = "".join(
        "<figure><div>"
        + "".join(
            f'<img src="{picture}" width=128 height=128 alt="Image {one.row}{what}">'
            for picture, what in zip(one.pictures, ("", ", attention before", ", attention after"), strict=True)
        )
        + "</div><figcaption>"
        + "".join(f"<span>{html.escape(name)}</span>" for name in one.names)
        + "</figcaption></figure>"
        for one in examples
    )
    note = "Chosen to show the change: images of the worst group that turned right. Image, attention before, after."
    body = f"{told}<div class=examples>{cells}</div>"
    return _section("The same images, before and after", body, note if examples else "")


def _chart(number: int, chart: Chart) -> str:
    label = html.escape(chart.title)
    body = f'<div class=chart id="chart-{number}" role=img aria-label="{label}"></div>'
    return _section(chart.title, body, chart.note)


def _section(title: str, body: str, note: str = "") -> str:
    told = f"<p class=muted>{html.escape(note)}</p>" if note else ""
    return f"<section><h2>{html.escape(title)}</h2>{told}{body}</section>"


def _table(heading: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th><button>{html.escape(name)}</button></th>" for name in heading)
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in cells)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def _estimated(report: Report) -> str:
    return "No attribute is known: these groups are estimated." if report.estimated else ""


def _definitions() -> str:
    told = [DEFINITIONS[key] for key in DEFINED]
    told += [f"{TITLES[key].capitalize()}: {text}" for key, text in COST_DEFINITIONS.items()]
    items = "".join(f"<li>{html.escape(text)}</li>" for text in told)
    return _section("What the numbers mean", f"<ul>{items}</ul>")


def _lineages(report: Report) -> str:
    heading = ["step", "run", "name", "seed", "device", "seconds", "code", "submitted (UTC)"]
    parts = []
    for label, lineage in report.lineages.items():
        cells = [[a.kind, a.id, a.name, str(a.seed), a.device, str(a.seconds), a.code, a.at] for a in lineage]
        parts.append(f"<details><summary>{html.escape(label)}</summary>{_table(heading, cells)}</details>")
    return _section("Lineage and seeds", "".join(parts), "Each number with every run it rests on, nearest first.")


def _versions(report: Report) -> str:
    return _section("Versions", _table(["package", "version"], [[*pair] for pair in report.versions.items()]))
