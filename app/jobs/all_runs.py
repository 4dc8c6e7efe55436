"""Every run: the list with its filters, what uses the disk, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import streamlit as st
from rich.filesize import decimal

from app import session
from app.services import actions
from app.services.results import comparison
from app.ui import next_step, pick, progress, reruns, run_state, tables
from app.ui.messages import errors_shown, verbatim
from app.ui.tables import Row, TableText
from slim_core.formatting import counted, duration, shortened
from slim_core.store.runs.rows import TITLES, UNFINISHED, title_of
from slim_core.store.runs.runs import History, RunFilter

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from slim_core.store import Dataset, Run
    from slim_core.store.members import Role
    from slim_core.store.runs.rows import ShardTotals
    from slim_core.store.storage import StoredRun


PER_PAGE = 25
PAGE = "p"  # parameter of the address
# Parameters whose filters are drawn when one is asked for.
FOLDED = ("kind", "status", "by", pick.FILTER_PARAM, "since")
UNFOLDED = "history-unfolded"
SINCE = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}
COLUMNS = ("Run", "Step", "Status", "Data", "Submitted", "Time", "By", "Id")
MOST_LETTERS = 44  # of a name


def show_all() -> None:
    """Filters, table and pages."""
    history = session.store().history
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
    first = pick.page_rows(n, PER_PAGE, "history", repr(asked), param=PAGE).start
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
        statuses=_some(statuses, "Status", "status", run_state.WORDS),
        by=who.selectbox("By", history.submitters(), None, key="by", placeholder="Anybody", **bound),
        dataset=pick.dataset_filter(data, {one.id: one.name for one in datasets.values()}),
        since=datetime.now(UTC) - SINCE[within] if within else None,
    )


def _some(at: DeltaGenerator, label: str, param: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """The chosen ones. Not bound to the address, which keeps the database's values: Streamlit would write labels."""
    wanted, key = [one for one in reruns.chosen_in_address(param).split(",") if one in words], f"history-{param}"
    if st.session_state.get(key) != wanted:  # what is set is sent, and takes away what is being typed
        st.session_state[key] = wanted
    chosen: list[str] = at.multiselect(
        label, list(words), format_func=lambda one: words[one], key=key, placeholder="Any", on_change=_take,
        args=(param,),
    )  # fmt: skip
    return tuple(chosen)


def _take(param: str) -> None:
    reruns.put_in_address(param, ",".join(st.session_state[f"history-{param}"]))


def _nothing(which: RunFilter) -> None:
    if which == RunFilter():
        st.info("There are no runs yet. Runs submitted on other pages, or with `slim ... --queue`, appear here.")
    else:
        st.info("No run matches these filters. Clear one of them.")


def row(run: Run, datasets: dict[str, Dataset], shards: ShardTotals | None = None) -> Row:
    """One run's cells, in the order of COLUMNS. ``shards``: of a run that has some."""
    data = datasets.get(run.dataset_id)
    return [
        TableText(shortened(run.name or run.kind, MOST_LETTERS), run=run.id),
        title_of(run.kind),
        run_state.badge_cell(run.shown_status),
        shortened(data.name if data else run.dataset_id, MOST_LETTERS),
        run.created_at,
        _time(run, shards),
        run.created_by,
        TableText(run.id, "gray", code=True),
    ]


def _time(run: Run, shards: ShardTotals | None) -> str:
    """Computing time of all attempts; of a pass in shards, from its first shard to its end."""
    passed = None if shards is None else shards.with_merge(run).passed_s
    seconds = run.seconds if passed is None else passed
    return duration(seconds) if seconds else "–"


READ, CHOSEN = "storage", "storage-chosen"  # of the session: what was read, and the runs to delete
MOST_SHOWN = 20
OF_STORAGE = ("Run", "Step", "On disk", "Dependents", "Id")


def show_storage() -> None:
    """A button, for it reads every file's size, once; then the areas, the largest runs, and what can be deleted."""
    st.subheader("Disk", anchor="disk")
    is_asked = READ in st.session_state
    label = "Read again" if is_asked else "Show what uses the disk"
    st.button(label, icon=":material/hard_drive:", on_click=_ask, key="storage-read")
    if not is_asked:
        return
    areas, runs = _read()
    st.markdown(" · ".join(f"**{verbatim(name)}** {decimal(n)}" for name, n in areas.items()))
    if not runs:
        st.caption("No run has files yet.")
        return
    tables.show("The largest runs", OF_STORAGE, [_stored_row(one) for one in runs[:MOST_SHOWN]])
    if len(runs) > MOST_SHOWN:
        rest = sum(one.n_bytes for one in runs[MOST_SHOWN:])
        st.caption(f"and {counted(len(runs) - MOST_SHOWN, 'run')} more with {decimal(rest)} together")
    _delete([one for one in runs if one.can_go])


def _ask() -> None:
    """To be read anew."""
    st.session_state[READ] = None


def _read() -> tuple[dict[str, int], list[StoredRun]]:
    """Areas and runs, read once for each time that they are asked for."""
    if st.session_state[READ] is None:
        storage = session.store().storage
        with st.spinner("Reading the sizes of all files..."):
            st.session_state[READ] = storage.areas(), storage.runs()
    read: tuple[dict[str, int], list[StoredRun]] = st.session_state[READ]
    return read


def _stored_row(one: StoredRun) -> Row:
    dependents = [counted(one.n_children, "run")] if one.n_children else []
    dependents += [counted(one.n_campaigns, "campaign")] if one.n_campaigns else []
    return [
        TableText(one.run.name or one.run.kind, run=one.run.id),
        title_of(one.run.kind),
        decimal(one.n_bytes),
        ", ".join(dependents) or ("none" if one.run.ended else run_state.WORDS[one.run.status]),
        TableText(one.run.id, "gray", code=True),
    ]


def _delete(free: Sequence[StoredRun]) -> None:
    """Several at once; each as on its own page: images and answers stay."""
    if not session.viewer().may("lead"):
        return
    by_id = {one.run.id: one for one in free}
    if not by_id:
        st.caption("Every run has dependents. Delete a run from its own page, together with what was made from it.")
        return
    chosen = st.multiselect(
        "Delete runs without dependents",
        list(by_id),
        format_func=lambda run_id: _named(by_id[run_id]),
        placeholder=f"{counted(len(by_id), 'run')} with {decimal(sum(one.n_bytes for one in free))}",
        key=CHOSEN,
    )
    if not chosen:
        return
    size = decimal(sum(by_id[run_id].n_bytes for run_id in chosen))
    with st.popover(f"Delete {counted(len(chosen), 'run')}, {size}", icon=":material/delete:"):
        st.markdown("Their results, logs and checkpoints are deleted. Images and answers are kept.")
        st.button("Yes, delete them", type="primary", on_click=_delete_all, args=(chosen,), key="storage-delete")


def _delete_all(run_ids: Sequence[str]) -> None:
    """One that has got dependents meanwhile, or is gone, is left and said; the others go.

    A second click, for which Streamlit calls this again, finds none chosen.
    """
    chosen = st.session_state.get(CHOSEN, [])
    with session.cached_lookups():
        for run_id in (one for one in run_ids if one in chosen):
            with errors_shown():
                actions.delete_run(run_id, cascade=False)
    pick.forget_runs(chosen)  # outside the loop: what touches the session may end this run of the page
    st.session_state[CHOSEN] = []
    _ask()


def _named(one: StoredRun) -> str:
    return f"{one.run.name or one.run.kind} · {decimal(one.n_bytes)} · {one.run.id}"


BY_A_LEAD = "A lead can retry it."  # for those who may not
# kind -> who does what follows it; what is not named here anybody sees
FOLLOWED_BY: dict[str, Role] = {"candidates": "annotator", "curate": "lead"}


def of_all() -> None:
    """On the list: see to the newest run if it has no result, or to the one it waited for; else begin or go on."""
    newest = next(iter(session.store().runs.all(limit=1, metrics=False)), None)
    if newest is not None and newest.status in UNFINISHED:
        ended = run_state.cause_of(newest)
        next_step.show(_unfinished(ended), "jobs", "Open the run", run=ended.id)
    elif not session.store().datasets.all():
        next_step.register_data()
    else:
        next_step.show("continue the loop.", "overview", "Overview")


def _unfinished(run: Run) -> str:
    named, may = verbatim(run.name or run.kind), session.viewer().may("lead")
    if run.status == "failed":
        return f"{named} failed. {'Read its log, then retry it.' if may else BY_A_LEAD}"
    again = f"{run_state.retry_label(run)} it." if may else BY_A_LEAD
    return f"{verbatim(run_state.stopped_by(run))} stopped {named}. {again}"


def of_one(run: Run | None) -> None:
    """On a run's page: its result, or what to do about it. None: there is no such run."""
    may = session.viewer().may("lead")
    if run is None:
        next_step.show("choose a run from the list.", "jobs", "All jobs")
    elif run_state.is_active(run):
        progress.wait([run.id], f"wait for the run; you can close this page.{' Or *Stop* it.' if may else ''}")
    elif run.status == "done" and run.kind in comparison.RESULT_PAGES:
        page, link = comparison.page_of(run)
        todo = next_step.can(FOLLOWED_BY.get(run.kind, "viewer"), comparison.RESULT_PAGES[run.kind][1])
        next_step.show(todo, page, "Result", **link)
    elif (ended := run_state.cause_of(run)).id != run.id:
        goes_with_it = run.id in session.store().attempts.retried_with(ended.id)
        then = " This run is queued again with it." if goes_with_it else " Then retry this one." if may else ""
        next_step.show(f"{_unfinished(ended)}{then}", "jobs", "Open that run", run=ended.id)
    elif may:
        next_step.here(_again(run))
    else:
        next_step.here(f"{BY_A_LEAD}{run_state.retried_with(run)}")


def _again(run: Run) -> str:
    again = f"*{run_state.retry_label(run)}*"
    if changes := run_state.known_remedy(run):
        again = f"*{run_state.remedy_label(changes)}*, or *Retry*"
    read = "" if run.status == "canceled" else "read the message and the end of the log, then "
    return f"{read}{again} it, or *Run again* as a new run.{run_state.retried_with(run)}"
