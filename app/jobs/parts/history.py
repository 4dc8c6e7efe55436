"""Every run, newest first: filtered and paged by the database, the filters kept in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.ui import tables
from app.ui.choosing import paging, pick, url_state
from app.ui.runs import state
from app.ui.tables import Cell, Row
from slim_core.data.names import shortened
from slim_core.formatting import counted, duration
from slim_core.store.runs.history import History, RunFilter
from slim_core.store.runs.kinds import TITLES, title_of

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Dataset, Run
    from slim_core.store.runs.shards import ShardTotals

PER_PAGE = 25
PAGE = "p"  # parameter of the address
# Parameters whose filters are drawn when one is asked for.
FOLDED = ("kind", "status", "by", pick.FILTER_PARAM, "since")
UNFOLDED = "history-unfolded"
SINCE = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
COLUMNS = ("Run", "Step", "Status", "Data", "Submitted", "Time", "By", "Id")
MOST_LETTERS = 44  # of a name


def show() -> None:
    """Filters, table and pages."""
    history = History(session.store().database)
    if not history.count(RunFilter()):
        _nothing(RunFilter())
        return
    datasets = {one.id: one for one in session.store().datasets.all()}
    which = _filters(history, datasets)
    n = history.count(which)
    if not n:
        _nothing(which)
        return
    place = st.container()
    asked = replace(which, since=None), st.session_state.get("since")  # "within an hour" is another moment in each run
    first = paging.shown(n, PER_PAGE, "history", repr(asked), param=PAGE).start
    runs = history.page(which, PER_PAGE, first)
    with place:
        shards = history.shard_totals(runs)
        rows = [row(run, datasets, shards.get(run.id)) for run in runs]
        tables.show("Runs", COLUMNS, rows)
        st.caption(f"{first + 1:,} to {first + len(runs):,} of {counted(n, 'run')}")


def _filters(history: History, datasets: dict[str, Dataset]) -> RunFilter:
    """Filters, bound to parameters of the address. Most are folded until used: so the table is drawn sooner."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search", key="q", placeholder="Name, note, tag or start of the id", label_visibility="collapsed",
            icon=":material/search:", width=320, bind="query-params",
        )  # fmt: skip
        unfolded = st.session_state.get(UNFOLDED, False) or any(map(st.query_params.get, FOLDED))
        st.session_state[UNFOLDED] = unfolded  # they stay when the last of them is cleared
        if not unfolded:
            st.button("More filters", icon=":material/filter_list:", on_click=_unfold)
    if not unfolded:
        return RunFilter(text=text or "")
    return replace(_folded(history, datasets), text=text or "")


def _unfold() -> None:
    st.session_state[UNFOLDED] = True


def _folded(history: History, datasets: dict[str, Dataset]) -> RunFilter:
    kinds, statuses, who, data, since = st.columns(5)
    bound: dict[str, Any] = {"bind": "query-params"}
    within = since.selectbox("Within a", list(SINCE), None, key="since", placeholder="All time", **bound)
    return RunFilter(
        kinds=_some(kinds, "Step", "kind", TITLES),
        statuses=_some(statuses, "Status", "status", state.WORDS),
        by=who.selectbox("By", history.submitters(), None, key="by", placeholder="Anybody", **bound),
        dataset=pick.dataset_filter(data, {one.id: one.name for one in datasets.values()}),
        since=datetime.now(UTC) - SINCE[within] if within else None,
    )


def _some(at: DeltaGenerator, label: str, param: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """The chosen ones. Not bound to the address, which keeps the database's values: Streamlit would write labels."""
    wanted, key = [one for one in url_state.chosen(param).split(",") if one in words], f"history-{param}"
    if st.session_state.get(key) != wanted:  # what is set is sent, and takes away what is being typed
        st.session_state[key] = wanted
    chosen: list[str] = at.multiselect(
        label, list(words), format_func=lambda one: words[one], key=key, placeholder="Any", on_change=_take,
        args=(param,),
    )  # fmt: skip
    return tuple(chosen)


def _take(param: str) -> None:
    url_state.put(param, ",".join(st.session_state[f"history-{param}"]))


def _nothing(which: RunFilter) -> None:
    if which == RunFilter():
        st.info("There are no runs yet. Runs submitted on other pages, or with `slim ... --queue`, appear here.")
    else:
        st.info("No run matches these filters. Clear one of them.")


def row(run: Run, datasets: dict[str, Dataset], shards: ShardTotals | None = None) -> Row:
    """One run's cells, in the order of COLUMNS. ``shards``: of a run that has some."""
    data = datasets.get(run.dataset_id)
    return [
        Cell(shortened(run.name or run.kind, MOST_LETTERS), run=run.id),
        title_of(run.kind),
        state.cell(run.shown_status),
        shortened(data.name if data else run.dataset_id, MOST_LETTERS),
        run.created_at,
        _time(run, shards),
        run.created_by,
        Cell(run.id, "gray", code=True),
    ]


def _time(run: Run, shards: ShardTotals | None) -> str:
    """Computing time of all attempts; of a pass in shards, from its first shard to its end."""
    passed = None if shards is None else shards.with_merge(run).passed_s
    seconds = run.seconds if passed is None else passed
    return duration(seconds) if seconds else "–"
