"""What the model got wrong, why, and whether it is better now: three texts, the groups before and after, examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import session
from app.services import evaluation_results
from app.services import evaluations as compare_runs
from app.ui import attention_change, chart, next_step, pictures
from app.ui.escape import verbatim
from app.ui.glossary import explain
from app.ui.groups import images
from app.ui.messages import errors_shown
from slim_core.evaluation.charts.groups import group_frame, group_intervals, lowest
from slim_core.evaluation.charts.palette import CHOSEN, WORST
from slim_core.evaluation.comparison import worst_of
from slim_core.evaluation.predictions import examples_of_change, paired, wrong_first
from slim_core.evaluation.report import story
from slim_core.metrics import AIOU, ATTENTION_PRECISION, AVERAGE, GROUPS, WGA
from slim_core.percent import percent

if TYPE_CHECKING:
    from app.services.evaluations import Compared
    from slim_core.store import Run

# key -> (name, term of the glossary)
NUMBERS = {
    WGA: ("Worst-group accuracy", "WGA"),
    AVERAGE: ("Average accuracy", "average accuracy"),
    ATTENTION_PRECISION: ("Attention precision", "attention precision"),
    AIOU: ("AIoU", "AIoU"),
}
BEFORE, AFTER = "reference", "retrained"
N_EXAMPLES, N_MISTAKES = 3, 2  # of three narrow views each, of two wide ones
WIDE_PX, HIGH_PX = 288, 460  # of an example, however many views it has; of the chart beside all of them


def show(before: Run | None, after: Run | None) -> None:
    """The story of the reference model's evaluation and, where there is one, of the retrained model's."""
    first = before or after
    if first is None or first.metrics is None:
        return
    with errors_shown():
        compared = compare_runs.read(first.dataset_id)
        _texts(before, after, compared)
        _numbers(before, after)
        left, right = st.columns([5, 3], gap="large")
        with left:
            _groups({name: run for name, run in ((BEFORE, before), (AFTER, after)) if run is not None})
        with right, errors_shown():
            if compared is not None:
                _examples(compared, first, after if before is not None else None)


def _texts(before: Run | None, after: Run | None, compared: Compared | None) -> None:
    """Three boxes of text."""
    first = before or after
    assert first is not None
    metrics = first.metrics or {}
    table = session.store().datasets.table(first.dataset_id)
    texts = [
        (":material/error: What it gets wrong", story.wrong(metrics)),
        (":material/search: Why", story.why(metrics, table)),
    ]
    if before is not None and after is not None and compared is not None and after.id in compared.rows.index:
        verdict = story.better(metrics, after.metrics or {}, compared.rows.loc[after.id].to_dict())
        texts.append((":material/verified: Is it better now?", verdict.text))
    else:
        texts.append((":material/verified: Is it better now?", "Not known yet. Complete the loop below once."))
    for column, (title, text) in zip(st.columns(len(texts)), texts, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**{title}**")
            st.markdown(text)


def _numbers(before: Run | None, after: Run | None) -> None:
    """One number a column: the newest evaluation's, with its change from the reference model's."""
    latest = after or before
    assert latest is not None
    metrics, old = latest.metrics or {}, (before.metrics or {}) if after is not None and before is not None else {}
    for column, (key, (name, term)) in zip(st.columns(len(NUMBERS)), NUMBERS.items(), strict=True):
        value, was = metrics.get(key), old.get(key)
        delta = None if value is None or was is None else 100 * (value - was)
        same = delta is not None and abs(delta) < 0.05
        column.metric(
            name,
            percent(value),
            None if delta is None else f"{delta:+.1f} points",
            delta_color="off" if same else "normal",
            delta_arrow="off" if same else "auto",
            help=explain(term),
            border=True,
        )


def _groups(evaluations: dict[str, Run]) -> None:
    frames = [group_frame(run.metrics).assign(run=name) for name, run in evaluations.items() if run.metrics]
    st.markdown("**Every group, on the test images**", help=explain("group", "95 % interval"))
    figure = group_intervals(pd.concat(frames, ignore_index=True), BEFORE)
    if len(frames) == 1:  # nothing to compare with: the colours mark the worst group
        figure.update_traces(marker_color=[WORST if worst else CHOSEN for worst in lowest(frames[0])["worst"]])
    figure.update_layout(height=max(figure.layout.height, HIGH_PX))
    chart.show(figure, key="headline-groups", alt="Accuracy of each group")


def _examples(compared: Compared, first: Run, after: Run | None) -> None:
    """Images of the worst group, with the attention on them before and after."""
    worst = worst_of(first.metrics or {})
    maps = evaluation_results.maps_of(first, compared.ancestry)
    if worst is None:
        return
    index = next(group["group"] for group in (first.metrics or {})[GROUPS] if group["name"] == worst["name"])
    was = evaluation_results.predictions_of(first)
    if after is None or evaluation_results.maps_of(after, compared.ancestry) is None:
        st.markdown(f"**{verbatim(worst['name'])}: mistakes**", help="The most confident mistakes of the worst group.")
        mistakes = wrong_first(was[was["group"] == index]).head(N_MISTAKES)
        shown = [images.tile(record, maps) for record in mistakes.to_dict("records")]
    else:
        st.markdown(
            f"**{verbatim(worst['name'])}: image, attention before, after**",
            help="Examples of the change: images of the worst group that turned right, sorted by the gain in "
            "attention on the object.",
        )
        pairs = paired(was, evaluation_results.predictions_of(after)).set_index("row", drop=False)
        rows = examples_of_change(was, evaluation_results.predictions_of(after), index, N_EXAMPLES)
        runs = (maps, evaluation_results.maps_of(after, compared.ancestry))
        shown = [attention_change.tile(pairs.loc[row].to_dict(), *runs) for row in rows]
    if shown:
        pictures.linked(first.dataset_id, shown, side=WIDE_PX // len(shown[0].views))
    cell = f"{first.id}.group.{index}"
    next_step.link("compare", "All images of the group", icon="photo_library", dataset=first.dataset_id, cell=cell)
