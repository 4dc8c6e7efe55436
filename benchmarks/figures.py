"""The plots of docs/benchmark.md, from the entries of benchmarks/results, by the charts of the Studies page.

    python -m benchmarks.figures

Needs Chromium, in which Plotly draws. Each file names the numbers that it shows (``digest``), so that a test tells when
one is older than its results.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import plotly.graph_objects as go

from benchmarks.accuracy import HERE, RESULTS, kept
from benchmarks.glance import OTHERS, QUESTIONS
from slim_core.evaluation.charts import study as charts_of
from slim_core.evaluation.charts.layout import INTERVAL, base_layout
from slim_core.evaluation.charts.palette import BLUE, INK
from slim_core.evaluation.study.page import with_names
from slim_core.evaluation.study.summary import Result
from slim_core.metrics import ATTENTION_PRECISION

if TYPE_CHECKING:
    from playwright.sync_api import Page

log = logging.getLogger(__name__)

IMAGES = HERE.parent / "docs" / "images"
WIDTH, GLANCE_HEIGHT = 1000, 460
STYLE = {
    "paper_bgcolor": "white",
    "plot_bgcolor": "white",
    "font": {"family": "sans-serif", "size": 13, "color": "#222"},
}
GRID = {"gridcolor": "#ddd", "zeroline": False, "automargin": True}
MARK = "numbers: "  # before the digest, in a comment of the file


def glance() -> go.Figure:
    """SLIM minus four others on every study, in points with corrected intervals; filled where these exclude 0."""
    figure, studies = go.Figure(), list(QUESTIONS)[::-1]
    means = {name: of_study(name).over_sets.set_index("method") for name in studies}
    for column, (method, called) in enumerate(OTHERS.items(), start=1):
        there = [name for name in studies if method in means[name].index]
        rows = [means[name].loc[[method]].iloc[0] for name in there]
        middle, low, high = (
            [100 * float(row[f"minus_{what}"]) for row in rows] for what in ("mean", "corrected_low", "corrected_high")
        )
        apart = [below > 0 or above < 0 for below, above in zip(low, high, strict=True)]
        figure.add_scatter(
            x=middle,
            y=there,
            name=called,
            xaxis=f"x{column}",
            mode="markers",
            marker={
                "size": 10,
                "color": [BLUE if one else "white" for one in apart],
                "line": {"color": BLUE, "width": 2},
            },
            error_x={
                **INTERVAL,
                "array": [above - at for above, at in zip(high, middle, strict=True)],
                "arrayminus": [at - below for below, at in zip(low, middle, strict=True)],
            },
        )
        share = 1 / len(OTHERS)
        place = [(column - 1) * share, column * share - 0.03]
        figure.layout[f"xaxis{column}"] = {"title": {"text": f"minus {called}"}, "domain": place, "range": [-30, 55]}
        figure.add_shape(type="line", xref=f"x{column}", yref="paper", x0=0, x1=0, y0=0, y1=1, line={"color": INK})
    return base_layout(figure, GLANCE_HEIGHT, y={"categoryorder": "array", "categoryarray": studies}, showlegend=False)


def differences(name: str) -> go.Figure:
    """SLIM minus each other method, over the sets of a study."""
    result = of_study(name)
    return charts_of.differences(with_names(result.over_sets), result.against)


def answers() -> go.Figure:
    """Worst group against the share of images asked about."""
    return charts_of.answers_curve(of_study("shortcuts").curve)


def attention(name: str) -> go.Figure:
    """Worst group against attention on the object, a mark a method of a study."""
    return charts_of.against(
        with_names(of_study(name).over_sets),
        f"{ATTENTION_PRECISION}_mean",
        "attention on the object",
        in_percent=True,
    )


def cost() -> go.Figure:
    """Worst group against seconds of computing."""
    return charts_of.against(with_names(of_study("whole-networks").over_sets), "seconds", "seconds of computing")


FIGURES: Mapping[str, Callable[[], go.Figure]] = {
    "benchmark-glance": glance,
    "benchmark-photographs": partial(differences, "photographs"),
    "benchmark-draws": partial(differences, "draws"),
    "benchmark-baselines": partial(differences, "baselines"),
    "benchmark-three-ways": partial(differences, "three-ways"),
    "benchmark-answers": answers,
    "benchmark-attention": partial(attention, "whole-networks"),
    "benchmark-attention-last-layers": partial(attention, "attention"),
    "benchmark-cost": cost,
}


def of_study(name: str) -> Result:
    """What benchmarks/results holds of a study."""
    return kept(RESULTS / f"accuracy-{name}.json")


def digest(figure: go.Figure) -> str:
    """Of the numbers and names that a figure shows, to a tenth of a point: the same by every version of Plotly."""
    bars = ("array", "arrayminus")
    shown = [
        [
            trace.name,
            plain(trace.x),
            plain(trace.y),
            *(plain(trace[axis][bar]) for axis in ("error_x", "error_y") for bar in bars),
        ]
        for trace in figure.data
    ]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def plain(values: Any) -> list[str]:
    return [] if values is None else [one if isinstance(one, str) else f"{float(one):.1f}" for one in values]


def digest_in(file: Path) -> str:
    """The digest that a drawn file names."""
    return file.read_text().partition(MARK)[2].partition(" ")[0]


def draw(page: Page, figure: go.Figure) -> str:
    """The figure as SVG."""
    data = json.loads(figure.to_json())
    data["layout"].pop("template", None)
    data["layout"] |= STYLE
    data["data"] = [{**trace, "uid": f"{number}"} for number, trace in enumerate(data["data"])]
    for name in [key for key in data["layout"] if key.startswith(("xaxis", "yaxis"))]:
        data["layout"][name] = {**GRID, **data["layout"][name]}
    size = {"format": "svg", "width": WIDTH, "height": data["layout"]["height"]}
    found = page.evaluate("([figure, size]) => Plotly.toImage(figure, size)", [data, size])
    svg = unquote(str(found).partition(",")[2])
    by_chance = re.search(r'id="defs-([0-9a-f]+)"', svg)
    return svg.replace(by_chance[1], "slim") if by_chance else svg  # the same numbers are the same file


def main() -> int:
    """Draw each into docs/images."""
    from plotly.offline import get_plotlyjs

    from benchmarks.browser import find, launched

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    executable = find()
    if executable is None:
        log.error("No Chromium on PATH: install it (Debian: apt-get install chromium).")
        return 2
    with launched(executable) as browser:
        page = browser.new_page()
        page.add_script_tag(content=get_plotlyjs())
        for name, make in FIGURES.items():
            figure = make()
            svg = draw(page, figure)
            start = svg.index(">") + 1  # of <svg ...>
            file = IMAGES / f"{name}.svg"
            file.write_text(f"{svg[:start]}<!-- {MARK}{digest(figure)} -->{svg[start:]}\n")
            log.info("%s: %d KB", file.name, len(svg) // 1000)
    return 0


if __name__ == "__main__":
    sys.exit(main())
