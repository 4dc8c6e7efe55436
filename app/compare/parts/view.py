"""The comparison on the page: one view at a time, each with its charts; which one is in the address (?view)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.compare.parts import spaces
from app.services import shape_progress
from app.services.results.comparison import Compared
from app.ui import chart, next_step, tables
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.groups import images, report
from app.ui.groups.report import ESTIMATED
from app.ui.images import attention_change
from slim_core.data.names import shortened
from slim_core.evaluation.charts import comparison as charts
from slim_core.evaluation.charts.groups import group_intervals
from slim_core.evaluation.charts.layout import LETTERS, without_legend
from slim_core.evaluation.comparison import COST_DEFINITIONS, over_seeds
from slim_core.evaluation.report.frames import ATTENTION, HEADLINE, has_other_groups, seeds_text, select_runs
from slim_core.formatting import counted, interval, percent
from slim_core.metrics import AVERAGE, COVERAGE, DEFINITIONS, LEAST_PAIRS, WGA

COST_TITLES = {  # column -> title of its axis
    "answers": "images asked about",
    "images": "training images",
    "minutes": "minutes of annotation",
    "lineage_seconds": "compute seconds, whole lineage",
}
SIMULATED = {
    "answers": "The answers of {} come from the simulated annotator, not from people.",
    "minutes": "The answers of {} come from the simulated annotator and took nobody's time; runs that no person "
    "answered are not plotted.",
}
ENOUGH_SEEDS = 5  # below, an interval is too wide to tell (METHOD section 2)


@dataclass(frozen=True, eq=False)
class SelectedRuns:
    """The ticked runs: ``rows`` in the order of the table; ``name`` is the baseline's where it is among them."""

    compared: Compared
    rows: pd.DataFrame
    baseline: str

    @property
    def dataset(self) -> str:
        """Whose runs they are."""
        return self.compared.evaluations[self.rows.index[0]].dataset_id

    @property
    def name(self) -> str | None:
        """The baseline's label, if it is ticked."""
        return self.rows["label"].get(self.baseline)


def show(chosen: SelectedRuns) -> None:
    """The view that is picked, for the ticked runs."""
    views = {"Groups": _groups, "Cost": _costs, "Seeds": _seeds, "Attention": _attention, "Space": _spaces}
    picked = st.segmented_control(
        "View", list(views), default="Groups", required=True, key="view", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    views[picked](chosen)


def _groups(chosen: SelectedRuns) -> None:
    st.subheader("Every group", anchor=False, help=explain("group", "95 % interval"))
    text = "Click a bar to see its images."
    if chosen.compared.estimated:
        text = f"{ESTIMATED} {text}"
    alike = chosen.rows[~has_other_groups(chosen.rows, chosen.baseline)]
    frame = select_runs(chosen.compared.groups, alike["label"].tolist())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(text, width="stretch")
        with_images = frame[frame["n"] > 0]
        called = with_images["group"] + " · " + with_images["run"]
        images.choice(dict(zip(with_images["key"], called, strict=True)))
    figure = group_intervals(frame, chosen.name, chosen.rows["label"].tolist())
    images.clickable(figure, "compare-groups", "Accuracy of every group in every run, with 95 % intervals")
    images.panel(chosen.compared, part="group")
    st.subheader("Worst group and averages", anchor=False, help=" ".join(DEFINITIONS[key] for key in HEADLINE))
    headline = charts.averages(chosen.rows, HEADLINE, chosen.name)
    chart.show(headline, key="headline", alt="Worst-group and average accuracy of each run")


def _costs(chosen: SelectedRuns) -> None:
    frame = chosen.rows.assign(run=chosen.rows["label"])
    figures = {
        key: charts.cost_scatter(frame, key, title, chosen.name)
        for key, title in COST_TITLES.items()
        if charts.has_cost(frame, key)
    }
    if any(figure.layout.showlegend for figure in figures.values()):  # one for all of them: the methods are the same
        _legend(charts.method_colours(frame, chosen.name))
        figures = {key: without_legend(figure) for key, figure in figures.items()}
    drawn = list(figures)
    for at in range(0, len(drawn), 2):
        for column, key in zip(st.columns(2, gap="large"), drawn[at : at + 2], strict=False):
            with column:
                _cost(frame, key, figures[key])
    for key, title in COST_TITLES.items():
        if key not in drawn:
            st.caption(_simulated(frame, key) or f"{title.capitalize()}: {_none_of_it(frame[key])}")


def _legend(colours: Mapping[str, str]) -> None:
    """One line, or several, of which each begins with a dot."""
    nbsp = "\N{NO-BREAK SPACE}"
    names = {method: verbatim(shortened(method, LETTERS)).replace(" ", nbsp) for method in colours}
    entries = (f':color[●]{{foreground="{colour}"}}{nbsp}:small[{names[method]}]' for method, colour in colours.items())
    st.markdown("\N{EM SPACE} ".join(entries))


def _cost(frame: pd.DataFrame, key: str, figure: go.Figure) -> None:
    title = COST_TITLES[key]
    st.subheader(f"Against {title.partition(',')[0]}", anchor=False, help=COST_DEFINITIONS[key])
    chart.show(figure, key=f"cost-{key}", alt=f"Worst-group accuracy of each run against {title}")
    if text := _simulated(frame, key):
        st.caption(text)


def _simulated(frame: pd.DataFrame, key: str) -> str:
    """What simulated answers mean for a cost; "" where there are none."""
    simulated = int(frame["answered_by"].str.contains("simulated", na=False).sum())
    return SIMULATED[key].format(counted(simulated, "run")) if key in SIMULATED and simulated else ""


def _none_of_it(costs: pd.Series) -> str:
    """Why a cost is not drawn."""
    return "0 in every run." if costs.notna().all() else "not measured in these runs."


def _seeds(chosen: SelectedRuns) -> None:
    st.subheader("Over seeds", anchor=False, help=SEEDS_HELP)
    if chosen.baseline not in chosen.rows.index:
        st.info("Tick the baseline in the table. Differences are paired with its method, seed by seed.")
        return
    frame = over_seeds(chosen.rows, chosen.baseline)
    most = int(frame["n"].max())
    if most < ENOUGH_SEEDS:
        none = f" An interval requires {LEAST_PAIRS}." if most < LEAST_PAIRS else ""
        st.caption(f"At most {counted(most, 'seed')} per method.{none} Small differences need {ENOUGH_SEEDS} or more.")
    height = tables.height(len(frame))
    st.dataframe(seeds_table(frame), hide_index=True, column_config=SEED_COLUMNS, height=height, placeholder="–")
    if (frame["pairs"] > 0).any():
        alt = "Change of worst-group accuracy of each method with its 95 % interval"
        chart.show(charts.seed_differences(frame), key="seed-differences", alt=alt)


SEEDS_HELP = (
    "Runs that differ only in the seed, along their whole lineage, are one method. The difference to the baseline's "
    "method is taken seed by seed, on the same groups; its interval is Student's t over those pairs."
)
_percent = st.column_config.NumberColumn
SEED_COLUMNS = {
    "method": st.column_config.TextColumn("Method"),
    "seeds": st.column_config.TextColumn("Seed", help="The number of each seed, not how many there are."),
    "wga": _percent("Worst group, mean", format="%.1f %%", help=DEFINITIONS[WGA]),
    "wga_sd": _percent("sd", format="%.1f", help="Standard deviation over the seeds, in points."),
    "average": _percent("Average, mean", format="%.1f %%", help=DEFINITIONS[AVERAGE]),
    "average_sd": _percent("sd ", format="%.1f", help="Standard deviation over the seeds, in points."),
    "change": _percent("Difference", format="%+.1f", help="Worst group, in points, paired by seed."),
    "interval": st.column_config.TextColumn(
        "95 % interval", help=f"Of the mean difference; requires {LEAST_PAIRS} pairs."
    ),
    "pairs": _percent("Pairs", help="Seeds that both methods have."),
}


def seeds_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of SEED_COLUMNS from over_seeds; rates in percent, differences in points."""
    bounds = zip(frame["change_low"], frame["change_high"], strict=True)  # NaN: fewer than LEAST_PAIRS
    intervals = [interval(low, high, "+") for low, high in bounds]
    made = pd.DataFrame({"method": frame["method"], "seeds": [seeds_text(seeds) for seeds in frame["seeds"]]})
    for measure in (WGA, AVERAGE):
        made[measure], made[f"{measure}_sd"] = frame[f"{measure}_mean"] * 100, frame[f"{measure}_sd"] * 100
    return made.assign(change=frame["change"] * 100, interval=intervals, pairs=frame["pairs"])[list(SEED_COLUMNS)]


def _attention(chosen: SelectedRuns) -> None:
    st.subheader("Attention scores", anchor=False, help=" ".join(DEFINITIONS[key] for key in ATTENTION))
    if charts.long(chosen.rows, ATTENTION).empty:
        _not_scored(chosen)
    else:
        least = float(chosen.rows[COVERAGE].min())
        report.show_scored(_coverage(chosen.rows), least, dataset=chosen.dataset)
        alt = "Attention precision and AIoU of each run"
        chart.show(charts.attention(chosen.rows, ATTENTION, chosen.name), key="attention-change", alt=alt)
    attention_change.show(chosen.compared, chosen.rows, chosen.baseline)


def _not_scored(chosen: SelectedRuns) -> None:
    """Why no run has a score, and the way to one."""
    evaluations = [chosen.compared.evaluations[one] for one in chosen.rows.index]
    if not any(one.spec.get("attention", True) for one in evaluations):  # as `slim run --frozen` does
        st.caption("Attention is scored on maps, and these models were evaluated without them.")
        return
    drawn = shape_progress.not_scored_yet(chosen.dataset, str(chosen.rows["split"].iloc[0]))
    st.caption(drawn or "Attention scores need masks, boxes or drawings, and these images have none.")
    link = "Score them on the Draw page" if drawn else "Draw where the object is"
    next_step.link("draw", link, icon="draw", dataset=chosen.dataset)


def _coverage(rows: pd.DataFrame) -> str:
    """On how many of the images attention is scored; their means may leave out some (DEFINITIONS[COVERAGE])."""
    low, high = rows[COVERAGE].min(), rows[COVERAGE].max()
    share = percent(high) if low == high else f"{percent(low)} to {percent(high)}"
    return f"Scored on {share} of the images: those with a drawing, mask or box."


def _spaces(chosen: SelectedRuns) -> None:
    spaces.show(chosen.compared, chosen.rows, chosen.baseline)
