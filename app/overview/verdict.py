"""The verdict with its reasons, the groups before and after, examples."""

from __future__ import annotations

import html
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import session
from app.services import shape_progress
from app.services.results.comparison import maps_of, predictions_of
from app.ui import attention_change, groups, next_step, pick, pictures, reruns, tables, verdict
from app.ui.messages import errors_shown, explain, verbatim
from app.ui.reruns import fragment
from slim_core.evaluation import diagnosis
from slim_core.evaluation.charts.layout import CHOSEN, WORST, run_colours
from slim_core.evaluation.charts.results import group_frame, group_intervals, lowest
from slim_core.evaluation.predictions import examples_of_change, paired, typical_mistakes, wrong_first
from slim_core.evaluation.verdict import can_show
from slim_core.formatting import of_n, percent, points
from slim_core.metrics import (
    AIOU,
    ATTENTION_PRECISION,
    AVERAGE,
    COVERAGE,
    WGA,
    groups_of,
    of_environments,
    worst_judged,
    worst_rates,
    worst_shown,
)

if TYPE_CHECKING:
    from app.services.loop_state import Loop
    from app.services.results.comparison import Compared, Result
    from slim_core.evaluation.verdict import Verdict
    from slim_core.store import Run


# key -> (name, term of the glossary)
NUMBERS = {
    WGA: ("Worst-group accuracy", "WGA"),
    AVERAGE: ("Average accuracy", "average accuracy"),
    ATTENTION_PRECISION: ("Attention precision", "attention precision"),
    AIOU: ("AIoU", "AIoU"),
}
BEFORE = "reference"
N_EXAMPLES, N_MISTAKES = 2, 2  # of three narrow views each, of two wide ones
THUMB_PX = 96  # of an image that says what a group is
WIDE_PX, HIGH_PX = 288, 360  # of an example, however many views it has; of the chart beside all of them


def show_headline(loop: Loop, found: Verdict | None, said: set[str]) -> None:
    """The verdict, or its first number until there is one; the reasons behind one press; the worst groups beside it.

    ``said``: of ``errors_shown``.
    """
    before, after = loop.before, loop.after
    if before is None or before.metrics is None:
        return
    text, picture = st.columns([5, 3], vertical_alignment="center")
    with text:
        if found is not None:
            verdict.show(found)
        else:
            verdict.show_before(before.metrics)
        with errors_shown(said), st.popover("Why", icon=":material/psychology_alt:", key="why"):
            _texts(before, found)
    with picture, errors_shown(said):
        _worst_groups(before, after, found, _method(loop))


def _method(loop: Loop) -> str:
    """What the retrained model is called, as on Compare."""
    return loop.result.method if loop.result is not None else ""


def show_figures(loop: Loop, compared: Compared | None, found: Verdict | None, said: set[str]) -> None:
    """What the story rests on: its numbers, every group, and images. ``said``: of ``errors_shown``."""
    before, after = loop.before, loop.after
    if before is None or before.metrics is None:
        return
    with errors_shown(said), st.container(key="headline-numbers"):  # page.css keeps its room
        _numbers(before, after, found)
    with errors_shown(said):
        left, right = st.columns([5, 3], gap="large")
        with left:
            _groups({name: run for name, run in ((BEFORE, before), (_method(loop), after)) if run is not None})
        with right, errors_shown(said):
            if compared is not None:
                _examples(compared, before, after, found)


def _texts(before: Run, found: Verdict | None) -> None:
    """What the reference model gets wrong, why, and what the verdict rests on."""
    metrics, table = before.metrics or {}, session.store().datasets.table(before.dataset_id)
    texts = [
        ("What it gets wrong", diagnosis.wrong(metrics, before.spec["split"], named=verbatim)),
        ("Why", diagnosis.why(metrics, table, named=verbatim)),
        ("What the test can show", can_show(_counts(metrics), named=verbatim))
        if found is None or not found.why
        else ("What the verdict rests on", found.why),
    ]
    for title, text in texts:
        st.markdown(f"**{title}**")
        st.markdown(text)


def _worst_groups(before: Run, after: Run | None, found: Verdict | None, method: str) -> None:
    """The worst group before, and the one that is the worst now, each as two bars; of estimated ones two images say
    what they are. Nothing beside numbers of several seeds, which these are not."""
    was, now = worst_judged(before.metrics or {}), worst_judged((after.metrics if after else None) or {})
    rates = None if was is None else (was["accuracy"], now["accuracy"] if now else None)
    if was is None or (found is not None and found.rates not in (None, rates)):
        return
    old, new = ({one["name"]: one for one in groups_of(run.metrics or {})} if run else {} for run in (before, after))
    names = list(dict.fromkeys([was["name"], *([now["name"]] if now else [])]))
    images = _images_of(before, names) if of_environments(before.metrics or {}) else {}
    colours = run_colours([BEFORE, method])
    models = [(BEFORE, colours[BEFORE], old), (method, colours[method], new)]
    st.html("".join(_bars(name, models, images.get(name, "")) for name in names))


def _bars(name: str, models: Sequence[tuple[str, str, Mapping[str, Mapping[str, Any]]]], images: str) -> str:
    """``models``: what each is called, its colour, and its groups by name."""
    found = [(model, colour, known[name]) for model, colour, known in models if name in known]
    n = next((one["n"] for _, _, one in found), 0)
    rows = "".join(
        f"<span>{html.escape(model)}</span>"
        f'<i style="--rate: {one["accuracy"]:.4f}; background: {colour}"></i><b>{percent(one["accuracy"])}</b>'
        for model, colour, one in found
        if one["accuracy"] is not None
    )
    title = f"<div>{html.escape(name)} <small>{of_n(n)}</small></div>"
    return f'<div class="slim-group">{images}<div>{title}<div class="bars">{rows}</div></div></div>'


def _images_of(evaluation: Run, names: Sequence[str]) -> dict[str, str]:
    """Two images of each group that has a number for a name."""
    seen = predictions_of(evaluation)
    view = pictures.View()
    return {
        name: "".join(
            f'<img src="{pictures.address(evaluation.dataset_id, view, THUMB_PX, int(row))}" alt="Image {row}">'
            for row in seen.loc[seen["group_name"] == name, "row"].head(2)
        )
        for name in names
    }


def _counts(metrics: Mapping[str, Any]) -> dict[str, int]:
    """The images of each group."""
    return {group["name"]: group["n"] for group in groups_of(metrics)}


def _numbers(before: Run, after: Run | None, found: Verdict | None) -> None:
    """One number a column: the newest evaluation's, with its change from the reference model's.

    Only the worst group is coloured, as the verdict says; any other change is grey.
    """
    newest = after or before
    metrics, old = newest.metrics or {}, (before.metrics or {}) if after is not None else {}
    known = {key: about for key, about in NUMBERS.items() if key in (WGA, AVERAGE) or metrics.get(key) is not None}
    for column, (key, (name, term)) in zip(st.columns(len(known)), known.items(), strict=True):
        value, was = metrics.get(key), old.get(key)
        if key == WGA:  # as the verdict counts it
            was, value = found.rates if found is not None and found.rates is not None else worst_rates(old, metrics)
        delta = None if value is None or was is None or after is None else value - was
        is_shown = key == WGA and found is not None and found.way != 0
        column.metric(
            name,
            percent(value),
            None if delta is None else f"{points(delta)} points",
            delta_color="normal" if is_shown else "off",
            delta_arrow="auto" if is_shown else "off",
            help=explain(term),
            border=True,
            height="stretch",  # one without a change is as high as its neighbours
        )
    scored = metrics.get(COVERAGE)
    if not newest.spec.get("attention", True):  # as `slim run --frozen` does
        st.caption("Attention is not scored: this model was evaluated without attention maps.")
    elif scored is not None and scored < 1:
        dataset, split = before.dataset_id, str(before.spec["split"])
        none = shape_progress.not_scored_yet(dataset, split) or "no image has a drawing, mask or box."
        text = (
            f"Attention is scored on {percent(scored)} of the images: those with a drawing, mask or box."
            if scored
            else f"Attention is not scored: {none}"
        )
        groups.show_scored(text, scored, dataset=dataset, split=split)


def _groups(evaluations: dict[str, Run]) -> None:
    frames = [group_frame(run.metrics).assign(run=name) for name, run in evaluations.items() if run.metrics]
    first = next(iter(evaluations.values()))
    badge = " :gray-badge[estimated]" if of_environments(first.metrics or {}) else ""
    terms = ("estimated group" if badge else "group", "95 % interval")
    st.markdown(f"**Every group, on the {first.spec['split']} images**{badge}", help=explain(*terms))
    figure = group_intervals(pd.concat(frames, ignore_index=True), BEFORE)
    if len(frames) == 1:  # nothing to compare with: the colours mark the worst group
        colours = [WORST if worst else CHOSEN for worst in lowest(frames[0])["worst"]]
        figure.update_traces(marker_color=colours, marker_line_color=colours)
    figure.update_layout(height=max(figure.layout.height, HIGH_PX))
    tables.show_chart(figure, key="headline-groups", alt="Accuracy of each group")


def _examples(compared: Compared, before: Run, after: Run | None, found: Verdict | None) -> None:
    """Images of the reference's worst group with the attention on them before and after; of the group that is the worst
    now where nothing is better."""
    is_better = found is None or found.way > 0
    worst = worst_shown((before if is_better or after is None else after).metrics or {})
    if worst is None:
        return
    maps = [maps_of(one, compared.ancestry) if one else None for one in (before, after)]
    was = predictions_of(before)
    if after is None or maps[1] is None:
        shown = [groups.tile(record, maps[0]) for record in _mistakes(was, worst, str(before.spec["split"]))]
    else:
        now = predictions_of(after)
        rows = _shown_rows(was, now, worst, found)
        pairs = paired(was, now).set_index("row", drop=False)
        shown = [_numbered(attention_change.tile(pairs.loc[row].to_dict(), maps[0], maps[1])) for row in rows]
    if shown:
        pictures.linked(before.dataset_id, shown, side=WIDE_PX // len(shown[0].views))
    cell = f"{before.id}.group.{worst['group']}"
    next_step.link("compare", "All images of the group", icon="photo_library", dataset=before.dataset_id, cell=cell)


def _numbered(tile: pictures.Tile) -> pictures.Tile:
    """With the number of the image below it, where its group would stand: the title says that once."""
    first, *others = tile.views
    return replace(tile, views=[replace(first, name=pictures.quiet(f"image {tile.row}")), *others], lines=())


def _mistakes(was: pd.DataFrame, worst: dict[str, Any], split: str) -> list[dict[Hashable, Any]]:
    """Under their title: the mistakes of the worst group that it is most confident of; that there is none."""
    wrong = was[~was["correct"]]
    if wrong.empty:
        st.markdown(f"**No mistakes on {split}.**")
        return []
    st.markdown(f"**{verbatim(worst['name'])}: mistakes**", help="The most confident mistakes of the worst group.")
    return wrong_first(wrong[wrong["group"] == worst["group"]]).head(N_MISTAKES).to_dict("records")


def _shown_rows(was: pd.DataFrame, now: pd.DataFrame, worst: dict[str, Any], found: Verdict | None) -> list[int]:
    """Under their title: what changed where it is better now, else first what stayed wrong."""
    name, is_better = verbatim(worst["name"]), found is not None and found.way > 0
    wrong = [] if is_better else typical_mistakes(was, now, worst["group"], N_EXAMPLES)
    if wrong:
        st.markdown(
            f"**{name}: still wrong**",
            help="Image, attention before, attention after. Typical images of the worst group that both models get "
            "wrong: those of medium confidence.",
        )
        return wrong
    st.markdown(
        f"**{name}: before and after**",
        help="Image, attention before, attention after: images of the worst group that turned right, sorted by the "
        "gain in attention on the object.",
    )
    return examples_of_change(was, now, worst["group"], N_EXAMPLES)


PARAM, KEY = "result", "overview-result"
SAID = "overview-result-said"  # of the session: the visit whose link was followed; after it, the data set was changed
HELP = "A model retrained on a subset, and the reference model that the subset was chosen with."


def show(results: Sequence[Result]) -> str:
    """A select box of all results; the id of the chosen one. Only another one than the first stands in the address."""
    by_id, linked = {one.id: one for one in results}, reruns.chosen_in_address(PARAM)
    if linked and linked not in by_id and st.session_state.get(SAID) != reruns.visit_number():
        pick.warn_missing(linked)  # the story below is of another result than the link's
    st.session_state[SAID] = reruns.visit_number()
    first = results[0].id
    key = pick.box_key(KEY, linked if linked in by_id else first)
    chosen = st.selectbox(
        "Result", list(by_id), format_func=pick.label_function({one.id: one.name for one in results}), key=key,
        help=HELP, on_change=_keep, args=(key, first), width="stretch",
    )  # fmt: skip
    return str(chosen)


def _keep(key: str, first: str) -> None:
    if pick.is_shown_box(KEY, key):
        chosen = st.session_state[key]
        reruns.put_in_address(PARAM, "" if chosen == first else chosen)


State = tuple[tuple[tuple[str, int], ...], int]


def state(dataset: str | None = None) -> State:
    """How many runs (of a data set) have each status, and how many data sets there are."""
    store = session.store()
    return tuple(sorted(store.runs.counts(dataset).items())), len(store.datasets.all())


@fragment(run_every=4)
def for_news(known: State, dataset: str | None = None) -> None:
    """Draw the page again when a data set or a run appears or ends; call it last, where nothing on the page polls.

    ``known``: the state before the page read what it shows. What ends while it is drawn is news, too: one part of the
    page would know of it and another would not, and nothing would come to tell them.
    """
    if state(dataset) != known:
        st.rerun()
