"""The comparison on the page: which evaluations are compared, and against which; one view at a time, each with its
charts. All of it is kept in the address, so that a link reproduces it (?find, method, split, runs, baseline, view).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import session
from app.services import actions, loop_state, queueing, shape_progress
from app.services.results.comparison import Compared, compared_on
from app.ui import attention_change, export, groups, next_step, pick, progress, reruns, run_state, tables
from app.ui.groups import ESTIMATED
from app.ui.messages import errors_shown, explain, prose, verbatim
from slim_core.errors import NotFoundError
from slim_core.evaluation import comparison
from slim_core.evaluation.charts import results as charts
from slim_core.evaluation.charts.layout import LETTERS, without_legend
from slim_core.evaluation.charts.space import spaces_scatter
from slim_core.evaluation.comparison import (
    ANSWERED_BY_DEFINITION,
    ATTENTION,
    COST_DEFINITIONS,
    HEADLINE,
    LABELS_DEFINITION,
    evaluated_again,
    has_other_groups,
    over_seeds,
    seeds_text,
    select_runs,
    with_change,
    worst_groups,
)
from slim_core.evaluation.predictions import SPLITS, compared_frames, spaces_of
from slim_core.evaluation.report import OF_SPACES
from slim_core.formatting import counted, interval, is_or_are, percent, shortened, to_csv
from slim_core.metrics import (
    ADJUSTED,
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    COVERAGE,
    DEFINITIONS,
    LEAST_PAIRS,
    RATES,
    WGA,
    WORST_CLASS,
    WORST_GROUP,
)

if TYPE_CHECKING:
    from app.services.loop_state import Loop
    from slim_core.evaluation.verdict import Verdict
    from slim_core.store import Dataset, Run, Store

PARAM = "runs"
FIRST = 8  # evaluations chosen where the address names none


@dataclass(frozen=True, eq=False)
class ListedRuns:
    """``visible``: the rows that pass the filters, in their order, the baseline first; ``chosen``: ids among them.

    ``hidden``: ids that are chosen, too, and do not pass; ``of_split``: those of all rows of the split.
    """

    visible: pd.DataFrame
    chosen: list[str]
    hidden: list[str]
    of_split: list[str]
    baseline: str


def choose(compared: Compared) -> ListedRuns | None:
    """One row of filters and the baseline; the chosen runs come from the address. None where no run passes."""
    rows = compared.rows
    with st.container(horizontal=True, vertical_alignment="bottom"):
        find = st.text_input("Find", key="find", bind="query-params", placeholder="part of a name or id", width=140)
        methods = sorted(rows["method"].unique())
        picked = st.multiselect("Method", methods, key="method", bind="query-params", placeholder="all", width=190)
        split = _split(rows)
        baseline = _baseline(rows[rows["split"] == split])
    visible = pinned(filtered(rows, find or "", picked, split), baseline)
    if visible.empty:
        return None
    of_split = rows.index[rows["split"] == split].tolist()
    ticked = _chosen(visible, compared, baseline, of_split)
    ids = visible.index.tolist()
    hidden = [one for one in ticked if one not in ids]
    return ListedRuns(visible, [one for one in ids if one in ticked], hidden, of_split, baseline)


def filtered(rows: pd.DataFrame, find: str, methods: list[str], split: str) -> pd.DataFrame:
    """The rows of a split of the methods named (none = all), that have the text: in their label, id or model, or in a
    name of their lineage."""
    keep = rows["split"] == split
    if methods:
        keep &= rows["method"].isin(methods)
    if find.strip():
        texts = rows["label"] + " " + rows.index.astype(str) + " " + rows["model"] + " " + rows["lineage_names"]
        keep &= texts.str.contains(find.strip(), case=False, regex=False)
    return rows[keep]


def pinned(rows: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The baseline first, then the others as they come, the newest first; a click on a title of the table sorts it."""
    is_baseline = rows.index == baseline
    return pd.concat([rows[is_baseline], rows[~is_baseline]])


def _split(rows: pd.DataFrame) -> str:
    splits = [split for split in ("test", "val", "train") if (rows["split"] == split).any()]
    if len(splits) == 1:
        return splits[0]
    return st.segmented_control("Split", splits, default=splits[0], required=True, key="split", bind="query-params")


def first_baseline(rows: pd.DataFrame) -> str:
    """The oldest run of no subset that another rests on, which is a reference model, no try before it; else the oldest
    of no subset; else the oldest; of those with the groups of the newest.

    ``rows`` come newest first.
    """
    rows = rows[rows["grouping"] == rows["grouping"].iloc[0]]
    plain = rows[rows["answers"].eq(0) & ~rows["method"].str.contains(", ")]  # of no subset, and of no answers
    rested_on = set(" ".join(rows["lineage_models"].drop(plain.index)).split())
    references = plain[plain["model"].isin(rested_on)]
    return str(next(one for one in (references, plain, rows) if len(one)).index[-1])


def _baseline(rows: pd.DataFrame) -> str:
    labels = {str(one): str(label) for one, label in rows["label"].items()}
    help = "The reference for changes, paired differences, and attention before and after."
    first = first_baseline(rows)
    return pick.choose("Baseline", labels, "baseline", begin=first, missing=pick.warn_missing, help=help, width=195)


def _chosen(visible: pd.DataFrame, compared: Compared, baseline: str, of_split: list[str]) -> list[str]:
    """The runs named in the address, also those that a filter hides; else, and once another data set is chosen, the
    baseline and the newest of those that pass."""
    rows = compared.rows
    linked = reruns.chosen_in_address(PARAM, compared.evaluations[baseline].dataset_id)
    if linked == "all":
        return of_split
    if linked == "none":
        return []
    if linked:
        named = linked.split(",")
        _warn_missing([one for one in named if one not in rows.index])
        return [one for one in named if one in rows.index]
    again = set(visible.index[evaluated_again(visible, baseline)])
    newest = [one for one in rows.index if one in visible.index and one not in again | {baseline}]
    return [baseline, *newest[: FIRST - 1]]


def keep(choice: ListedRuns, chosen: list[str]) -> None:
    """Write into the address what is ticked now: ``chosen`` of the visible rows, and what a filter hides."""
    ticked = [*chosen, *choice.hidden]
    is_all = set(choice.of_split) <= set(ticked)
    reruns.put_in_address(PARAM, "all" if is_all else ",".join(ticked) or "none")


def _warn_missing(ids: list[str]) -> None:
    """Say what became of the runs of a link that are not among the finished evaluations."""
    for one in ids[:3]:
        try:
            run = session.store().runs.fetch(one)
        except NotFoundError as error:
            st.warning(prose(f"{error} It is left out."), icon=":material/link_off:")
            continue
        what = f"is a {run.kind} run, not an evaluation of this data"
        what = f"is {run_state.WORDS[run.status]}" if run.kind == "evaluate" else what
        st.warning(f"Run {verbatim(one)} {what}. It is left out.", icon=":material/link_off:")
    if more := len(ids[3:]):
        text = f"{counted(more, 'more run')} of the link {is_or_are(more)} missing."
        st.warning(text, icon=":material/link_off:")


COST_TITLES = {  # column -> title of its axis
    "answers": "images asked about",
    "images": "training images",
    "minutes": "minutes of annotation",
    "lineage_seconds": "compute seconds, whole lineage",
}
SIMULATED = {
    "answers": "The answers of {} come from the simulated annotator, not from people.",
    "minutes": "The answers of {} come from the simulated annotator, without annotation time; runs that no person "
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


def show_view(chosen: SelectedRuns) -> None:
    """The view that is picked, for the ticked runs."""
    views = {"Groups": _groups, "Cost": _costs, "Seeds": _seeds, "Attention": _attention, "Space": show_spaces}
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
        groups.images_menu(dict(zip(with_images["key"], called, strict=True)))
    figure = charts.group_intervals(frame, chosen.name, chosen.rows["label"].tolist())
    groups.clickable(figure, "compare-groups", "Accuracy of every group in every run, with 95 % intervals")
    groups.images_panel(chosen.compared, part="group")
    st.subheader("Worst group and averages", anchor=False, help=" ".join(DEFINITIONS[key] for key in HEADLINE))
    headline = charts.averages(chosen.rows, HEADLINE, chosen.name)
    tables.show_chart(headline, key="headline", alt="Worst-group and average accuracy of each run")


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
            none_of_it = "0 in every run." if frame[key].notna().all() else "not measured in these runs."
            st.caption(_simulated(frame, key) or f"{title.capitalize()}: {none_of_it}")


def _legend(colours: Mapping[str, str]) -> None:
    """One line, or several, of which each begins with a dot."""
    nbsp = "\N{NO-BREAK SPACE}"
    names = {method: verbatim(shortened(method, LETTERS)).replace(" ", nbsp) for method in colours}
    entries = (f':color[●]{{foreground="{colour}"}}{nbsp}:small[{names[method]}]' for method, colour in colours.items())
    st.markdown("\N{EM SPACE} ".join(entries))


def _cost(frame: pd.DataFrame, key: str, figure: go.Figure) -> None:
    title = COST_TITLES[key]
    st.subheader(f"Against {title.partition(',')[0]}", anchor=False, help=COST_DEFINITIONS[key])
    tables.show_chart(figure, key=f"cost-{key}", alt=f"Worst-group accuracy of each run against {title}")
    if text := _simulated(frame, key):
        st.caption(text)


def _simulated(frame: pd.DataFrame, key: str) -> str:
    """What simulated answers mean for a cost; "" where there are none."""
    simulated = int(frame["answered_by"].str.contains("simulated", na=False).sum())
    return SIMULATED[key].format(counted(simulated, "run")) if key in SIMULATED and simulated else ""


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
        tables.show_chart(charts.seed_differences(frame), key="seed-differences", alt=alt)


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
        groups.show_scored(_coverage(chosen.rows), least, dataset=chosen.dataset)
        alt = "Attention precision and AIoU of each run"
        tables.show_chart(charts.attention(chosen.rows, ATTENTION, chosen.name), key="attention-change", alt=alt)
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


TITLES = {"label": "Run", **{key: f"{name[0].upper()}{name[1:]}" for key, name in comparison.TITLES.items()}}
ON_DEMAND = (ADJUSTED, WORST_CLASS, AIOU, "share", "minutes", "images", "seconds", "lineage_seconds", "gpu_hours")
SHOWN = tuple(key for key in (*TITLES, "run") if key not in ON_DEMAND)  # what fits a page without scrolling sideways
WIDE = 860  # pixels that a page of 1,280 gives the table beside the box for ticks and a scroll bar; the browser deals
# out to all columns what a wider one has left. Without the redundant columns, the others fit a page of 1,024.
WIDTHS = {
    "label": 181, WGA: 82, "change": 58, WORST_GROUP: 76, AVERAGE: 60, ATTENTION_PRECISION: 67, COVERAGE: 60,
    "labels_used": 76, "answers": 62, "answered_by": 76, "run": 28,
}  # fmt: skip
NAMED = (WORST_GROUP, "answered_by", "labels_used")  # columns of names, in the order in which they take what is left
LETTER_PX, MARGIN_PX, MOST_PX = 6.5, 18, 230  # of such a name
PINNED = "⚑ "
CHANGE_HELP = "Worst group, in points against the baseline; empty where the groups differ."


def show_table(choice: ListedRuns) -> list[str]:
    """Draw the visible runs; returns the ids of those that are ticked, and keeps them in the address."""
    ids = choice.visible.index.tolist()
    ticked = [ids.index(one) for one in choice.chosen]
    shown = percentages(choice)
    widths = column_widths(shown)
    row_px = row_height(shown, widths)
    state = st.dataframe(
        shown,
        hide_index=True,
        column_config=column_config(widths),
        column_order=[key for key in SHOWN if key in widths],  # the table's own menu, an eye, has the others
        placeholder="–",
        height=tables.height(len(ids), row_px=row_px),
        row_height=row_px,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": ticked}},
        key=f"compare-table-{_digest(ids)}",  # ticks are positions: another order is another table
        alt="Evaluations with their accuracies, attention scores and costs",
    )
    chosen = [ids[place] for place in sorted(state["selection"]["rows"]) if place < len(ids)]
    keep(choice, chosen)
    return chosen


def percentages(choice: ListedRuns) -> pd.DataFrame:
    """The columns of TITLES, rates and changes in percent and points; then the address of the run."""
    rows = with_change(choice.visible, choice.baseline)
    shown = rows.assign(**{key: rows[key] * 100 for key in (*RATES, "share", "change")})
    shown[WORST_GROUP] = worst_groups(rows, choice.baseline)
    shown["answered_by"] = rows["answered_by"].replace(" annotator", "", regex=True)  # the help of the column says it
    shown["label"] = [PINNED + name if one == choice.baseline else name for one, name in shown["label"].items()]
    return shown[list(TITLES)].assign(run=[f"jobs?run={one}" for one in shown.index])


def column_widths(rows: pd.DataFrame) -> dict[str, int]:
    """The pixels of every column that is shown at first; names that are longer than usual take what WIDE leaves."""
    redundant = _redundant(rows)
    widths = {key: width for key, width in WIDTHS.items() if key not in redundant}
    for key in (key for key in NAMED if key in widths):
        widths[key] += max(0, min(_needed(rows[key]) - widths[key], WIDE - sum(widths.values())))
    return widths


def row_height(rows: pd.DataFrame, widths: Mapping[str, int]) -> int:
    """The pixels of a row: of several lines where runs could not be told apart by what one shows of their names, for
    the seed comes last."""
    n_shown = int((widths["label"] - MARGIN_PX) / LETTER_PX)
    is_cut_alike = rows["label"].str.removeprefix(PINNED).str[:n_shown].duplicated().any()
    return tables.LINES_PX if is_cut_alike else tables.ROW_PX


def _redundant(rows: pd.DataFrame) -> set[str]:
    """Columns that say no more than others do: the labels where the answers are all, or none, that was used; and over
    how many images the attention is scored, where it is over all of them."""
    answered = rows["answers"].gt(0)
    used = answered.map({True: "answers", False: "none"})
    found = {"labels_used"} if rows["labels_used"].eq(used).all() else set()
    return found | ({COVERAGE} if rows[COVERAGE].fillna(100).ge(100).all() else set())


def _needed(names: pd.Series) -> int:
    """Pixels of the longest name, up to MOST_PX."""
    return min(MARGIN_PX + int(LETTER_PX * names.fillna("").astype(str).str.len().max()), MOST_PX)


def column_config(widths: Mapping[str, int]) -> dict[str, Any]:
    """Title, format and definition of every column, and the width of those in ``widths``."""
    number = st.column_config.NumberColumn
    text = st.column_config.TextColumn
    columns: dict[str, Any] = {key: number(TITLES[key], format="%.1f %%", help=DEFINITIONS[key]) for key in RATES}
    columns["run"] = st.column_config.LinkColumn(
        "From", display_text=":material/open_in_new:", help="The evaluation run: its lineage, parameters and log."
    )
    columns["label"] = text(
        TITLES["label"], pinned=True, help="Name, method and seed of the model; ⚑ marks the baseline."
    )
    columns[WORST_GROUP] = text(TITLES[WORST_GROUP], help=DEFINITIONS[WORST_GROUP])
    columns["labels_used"] = text(TITLES["labels_used"], help=LABELS_DEFINITION)
    columns["answered_by"] = text(TITLES["answered_by"], help=ANSWERED_BY_DEFINITION)
    columns["change"] = number("Change", format="%+.1f", help=CHANGE_HELP)
    formats = {"share": "%.1f %%", "minutes": "%.1f", "seconds": "%.0f", "lineage_seconds": "%.0f", "gpu_hours": "%.2f"}
    for key, definition in COST_DEFINITIONS.items():
        columns[key] = number(TITLES[key], format=formats.get(key, "localized"), help=definition)
    for key, width in widths.items():
        columns[key]["width"] = width
    return columns


def _digest(ids: list[str]) -> str:
    return hashlib.sha256(",".join(ids).encode()).hexdigest()[:12]


def show_spaces(chosen: SelectedRuns) -> None:
    """Baseline against one other run (?after); a model that has no space gets one by a button."""
    compared, rows, baseline = chosen.compared, chosen.rows, chosen.baseline
    st.subheader("The attention space, before and after", anchor=False, help=explain("attention space"))
    if baseline not in rows.index:
        st.info("Tick the baseline in the table. Its space is the one shown first.")
        return
    others = [one for one in rows.index if one != baseline]
    labels: dict[Any, str] = compared.rows["label"].to_dict()
    shown = [baseline, *([attention_change.choose_after(others, labels)] if others else [])]
    models = [compared.evaluations[one].spec["model"] for one in shown]
    found = spaces_of(compared.ancestry.runs.values(), models)
    names = [labels[one] for one in shown]
    if not others:
        st.caption("Tick a second run in the table to see its space beside this one.")
    _missing([model for model, space in zip(models, found, strict=True) if space is None], names, found)
    known = [(space, name) for space, name in zip(found, names, strict=True) if space is not None]
    if known:
        _show_figure([space for space, _ in known], [name for _, name in known])


def _show_figure(spaces: Sequence[Run], names: Sequence[str]) -> None:
    st.caption(OF_SPACES + " Click a group in the legend to hide it.")
    made = figure(tuple(one.id for one in spaces), tuple(names))
    tables.show_chart(made, key="compared-spaces", alt=f"Attention space of {' and of '.join(names)}", toolbar=True)
    with st.container(horizontal=True):
        for space, name in zip(spaces, names, strict=True):
            next_step.link("space", f"Open the space of {verbatim(name)}", dataset=space.dataset_id, run=space.id)


def _missing(models: Sequence[str], names: Sequence[str], found: Sequence[Run | None]) -> None:
    """Which of them have no space, and the button that makes one; while it is made, its steps."""
    if not models:
        return
    store = session.store()
    trained = [store.runs.fetch(model) for model in models]
    under_way = progress.show_pipelines(trained[0].dataset_id, lambda one: one.kind == "spaces")
    progress.follow_changes(trained[0].dataset_id, "space")  # one that has ended since the comparison was read
    if {_model_of(store.runs.fetch(one)) for one in under_way} >= set(models):
        return
    without = " and ".join(verbatim(name) for name, space in zip(names, found, strict=True) if space is None)
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"There is no attention space of {without} yet.", width="stretch")
        if not next_step.offers("lead", "Building a space"):
            return
        label = "Build it" if len(trained) == 1 else "Build both"
        if st.button(label, key="build-spaces", type="primary", icon=":material/scatter_plot:"):
            with errors_shown():
                split = next((space.spec["split"] for space in found if space is not None), SPLITS[0])
                queueing.to_spaces(trained, split)
                st.rerun()


def _model_of(step: Run) -> str:
    """Whose attention a step of such a pipeline maps or lays out."""
    maps = step if step.kind == "gradcam" else session.store().runs.fetch(step.spec["attention"])
    return str(maps.spec["model"])


def figure(spaces: tuple[str, ...], titles: tuple[str, ...]) -> go.Figure:
    """The spaces of finished space runs, coloured by group; read only, for it is shared.

    Raises:
        NotFoundError: the files of one, or of the attention it was made from, were removed.
    """
    return _figure(session.store(), spaces, titles)


@lru_cache(maxsize=2)  # a figure of 100,000 images takes some 50 MB
def _figure(store: Store, spaces: tuple[str, ...], titles: tuple[str, ...]) -> go.Figure:
    return spaces_scatter(compared_frames(store, [store.runs.fetch(one) for one in spaces]), titles, "group")


def show_other_groups(chosen: SelectedRuns) -> None:
    """Nothing where all have the same groups."""
    apart = chosen.rows[has_other_groups(chosen.rows, chosen.baseline)]
    if apart.empty:
        return
    first = chosen.baseline if chosen.baseline in chosen.rows.index else chosen.rows.index[0]
    names, of = "; ".join(apart["label"]), chosen.rows.at[first, "label"]
    on_split = chosen.compared.rows[chosen.compared.rows["split"] == chosen.rows.at[first, "split"]]
    again = evaluated_again(on_split, first)
    apart = apart[~again[apart.index]]
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**Other estimated groups:** {verbatim(names)}. They are not comparable group by group with "
            f"{verbatim(of)}; their worst group and average are shown without a change.",
            width="stretch",
        )
        if apart.empty:
            st.markdown("Their models are evaluated on those groups, too: tick these.")
            return
        if not next_step.offers("lead", "Evaluating on the same groups"):
            return
        if st.button(f"Evaluate on the groups of {verbatim(of)}", key="same-groups", icon=":material/fact_check:"):
            with errors_shown():
                found, groups = chosen.compared.evaluations, chosen.compared.evaluations[first]
                models = map(session.store().runs.fetch, dict.fromkeys(found[one].spec["model"] for one in apart.index))
                actions.wake(*[queueing.save_on_groups_of(groups, one) for one in models])
                st.rerun()


OF_A_RESULT = ("model", "maps", "fiftyone")  # of a model, and of its evaluation


def show_export(dataset: Dataset, chosen: SelectedRuns) -> None:
    """Two buttons, whose files are made when they are pressed, and the models and predictions of the ticked runs."""
    link = st.context.url
    ids, baseline, after = chosen.rows.index.tolist(), chosen.baseline, st.query_params.get("after")
    address = f"{link}?{_query()}" if link else None
    compared = chosen.compared
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"{len(ids):,} of {len(compared.rows):,} runs ticked. More columns: the eye icon above the table.",
            help="The address of this page reproduces this view.",
        )
        export.download_button(
            "CSV", lambda: to_csv(chosen.rows, index=True).encode(), f"compare-{dataset.name}.csv", "text/csv",
            icon="table", help="The ticked rows with all metrics; rates from 0 to 1.",
        )  # fmt: skip
        export.report_button(
            f"compare-{dataset.name}", [compared.evaluations[one] for one in ids],
            baseline=baseline, ancestry=compared.ancestry, after=after, link=address,
        )  # fmt: skip
        if opened := export.popover("Model"):
            with opened, errors_shown():
                _model(chosen)


def _model(chosen: SelectedRuns) -> None:
    """The forms of one of the ticked runs: of its model, and of its evaluation."""
    labels: dict[Any, str] = chosen.rows["label"].to_dict()
    picked = st.selectbox("Run", list(labels), format_func=labels.__getitem__, key="export-run")
    evaluation = chosen.compared.evaluations[picked]
    model = session.store().runs.find(evaluation.spec["model"])
    export.choose_form([one for one in (model, evaluation) if one is not None], OF_A_RESULT)


def _query() -> str:
    """What the address says after its question mark."""
    return urlencode([(key, value) for key in st.query_params for value in st.query_params.get_all(key)])


def until_evaluated(dataset: Dataset, *, is_offered: bool) -> None:
    """A model is there and its evaluation is not: the button above queues it, or it comes by itself."""
    what = f"press *Evaluate on {compared_on(dataset)}* above" if is_offered else "wait for the evaluation"
    next_step.here(f"{what}. The accuracy of every group appears here.")


def show_next(dataset: str, loop: Loop, found: Verdict | None, compared: Compared, *, is_offered: bool) -> None:
    """The one next thing.

    ``found``: the verdict about the loop's result; ``is_offered``: whether the page has the button that evaluates a
    model.
    """
    store, step = session.store(), loop.next
    if any(one.state == "active" for one in store.pipelines.all(dataset)):
        next_step.show("wait for the steps under way; their model appears here.", "jobs", "Watch", dataset=dataset)
    elif step is not None and step.name == "compare" and step.state != "running":  # if it failed, the box above says so
        until_evaluated(store.datasets.fetch(dataset), is_offered=is_offered)
    elif step is not None and (step.run is not None or loop.after is None):
        progress.show_next(loop, found)
    else:
        _after_result(dataset, loop, found, compared)


def _after_result(dataset: str, loop: Loop, found: Verdict | None, compared: Compared) -> None:
    if found is not None and found.is_perfect:
        progress.show_next(loop, found)
    elif found is None or found.way <= 0:
        todo = "answer more images, or curate another subset."
        next_step.show(next_step.can("lead", todo), "curate", "Curate", dataset=dataset)
    elif not loop_state.facts_of(loop, compared).random:
        text = "check on Overview whether a random subset of the same size does as well."
        next_step.show(text, "overview", "Overview", dataset=dataset)
    else:
        next_step.here("the retrained model is better. Download it with *Model* below the table.")
