"""Every run, newest first: filtered and paged by the database, the filters kept in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st

from app import session
from app.ui.choosing import dataset_filter, paging, url_state
from app.ui.links import link_table
from app.ui.links.link_table import Cell, Column
from app.ui.messages import for_reader
from app.ui.runs import state
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
FOLDED = ("kind", "status", "by", dataset_filter.PARAM, "since")
UNFOLDED = "history-unfolded"
SINCE = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
COLUMNS = (
    Column("Run"),
    Column("Step"),
    Column("Status"),
    Column("Data", from_px=620),
    Column("Submitted"),
    Column("Time", "Computing time of all attempts; of a pass in shards, from its first shard to its end.", right=True),
    Column("By", from_px=700),
    Column("Id", from_px=800),
)


def show() -> str | None:
    """Filters, table and pages; returns the run a click has asked for."""
    history = History(session.store().database)
    if not history.count(RunFilter()):
        _nothing(RunFilter())
        return None
    datasets = {one.id: one for one in session.store().datasets.all()}
    which = _filters(history, datasets)
    n = history.count(which)
    if not n:
        _nothing(which)
        return None
    place = st.container()
    asked = replace(which, since=None), st.session_state.get("since")  # "within an hour" is another moment in each run
    first = paging.shown(n, PER_PAGE, "history", repr(asked), param=PAGE).start
    runs = history.page(which, PER_PAGE, first)
    with place:
        shards = history.shard_totals(runs)
        rows = [row(run, datasets, shards.get(run.id)) for run in runs]
        opened = link_table.show("history", "Runs", COLUMNS, rows)
        st.caption(f"{first + 1:,} to {first + len(runs):,} of {counted(n, 'run')}")
    return opened


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
        dataset=dataset_filter.show(data, {one.id: one.name for one in datasets.values()}),
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


def row(run: Run, datasets: dict[str, Dataset], shards: ShardTotals | None = None) -> list[Cell]:
    """One run's cells, in the order of COLUMNS. ``shards``: of a run that has some."""
    data = datasets.get(run.dataset_id)
    return [
        Cell(run.name or run.kind, run=run.id, title=run.name),
        Cell(title_of(run.kind)),
        Cell(_status(run), state.TONES[run.shown_status], title=for_reader(run.message or "")),
        Cell(data.name if data else run.dataset_id, title=data.name if data else ""),
        Cell(time=run.created_at),
        _time(run, shards),
        Cell(run.created_by),
        Cell(run.id, "quiet", code=True),
    ]


def _time(run: Run, shards: ShardTotals | None) -> Cell:
    whole = run if shards is None else shards.with_merge(run)
    if shards is None or (passed := whole.passed_s) is None:
        return Cell(duration(run.seconds) if run.seconds else "–")
    return Cell(duration(passed), title=f"{duration(whole.seconds)} of computing in its shards and their merge")


def _status(run: Run) -> str:
    return f"{state.SYMBOLS[run.shown_status]} {state.WORDS[run.shown_status]}"
