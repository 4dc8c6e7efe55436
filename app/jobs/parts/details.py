"""One run: its state in a sentence, progress, curves and log as they come, and everything it is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import (
    actions,
    attempts,
    changes,
    environment,
    facts,
    lineage,
    log,
    parameters,
    queue_state,
    shards,
)
from app.ui import next_step, notes
from app.ui.escape import prose, verbatim
from app.ui.messages import for_reader
from app.ui.reruns import fragment
from app.ui.runs import progress, retry, state, training
from slim_core.errors import NotFoundError
from slim_core.store.runs.history import History
from slim_core.store.runs.kinds import title_of
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run

TABS = ("Parameters", "Lineage", "What happened", "What changed", "Environment")


def show(run_id: str) -> Run | None:
    """Everything about a run; what changes while it is active polls, the rest stays as it is. None: no such run."""
    with st.container(horizontal=True, vertical_alignment="center"):
        next_step.link("jobs", "All jobs", icon="arrow_back")
        try:
            run = session.store().runs.fetch(run_id)
        except NotFoundError as error:
            st.warning(prose(error), icon=":material/search_off:")
            return None
        st.subheader(verbatim(run.name or run.kind), anchor=False, width="content")
        st.caption(f"{title_of(run.kind)} · {run.id}")
    notes.show(run.id, run.name or run.kind)
    place = st.container()
    with st.container():  # made in any case: what follows stays as it is
        _say_once()
    fragment(run_every=1 if state.is_active(run) else None)(_now)(run.id, run.status)
    if run.status in UNFINISHED:
        retry.watch(run.id)
    _tabs(run)
    if state.is_active(run):
        with place:
            queue_state.show()
    return run


def _say_once() -> None:
    """What the press that led here has done; where it is not drawn again each second, which would take it away."""
    if message := st.session_state.pop("message-once", ""):
        st.info(prose(message), icon=":material/history:")


def _now(run_id: str, known: str) -> None:
    """What changes while it runs. The page follows what is drawn: else a press that came meanwhile would be lost."""
    run = session.store().runs.fetch(run_id)
    _draw(run)
    if run.status != known:
        st.rerun()


def _draw(run: Run) -> None:
    parts = History(session.store().database).shard_totals([run]).get(run.id)
    whole = run if parts is None else parts.with_merge(run)
    _state(whole)
    actions.show(run)
    left, right = st.columns([5, 2], gap="large")
    with left:
        facts.headline(run)
        if run.kind == "train" and run.attempt > 0:
            training.curves(run)
        shards.show(run)
        st.markdown("**Log**")
        log.show(run)
    with right:
        facts.show(whole, in_shards=parts is not None)


def _state(run: Run) -> None:
    view = session.queue().view()
    with st.container(horizontal=True, vertical_alignment="center"):
        state.show(run.shown_status)
        st.markdown(prose(state.sentence(run, view)), width="stretch")
    if state.is_active(run):
        if run.shown_status != "queued":
            st.progress(progress.fraction(run), text=progress.text(run))
        return
    if run.message:
        (st.error if run.status == "failed" else st.info)(prose(for_reader(run.message)))
    if run.status != "done" and run.progress.get("total"):
        st.progress(progress.fraction(run), text=progress.text(run))
    state.show_notes(state.notes_of(run))


def _tabs(run: Run) -> None:
    history = History(session.store().database)
    bodies: tuple[Callable[[], None], ...] = (
        lambda: parameters.show(run),
        lambda: lineage.show(run, history),
        lambda: attempts.show(run),
        lambda: changes.show(run, history),
        lambda: environment.show(run),
    )
    for tab, body in zip(st.tabs(TABS, key="about", on_change="rerun", bind="query-params"), bodies, strict=True):
        if tab.open:
            with tab:
                body()
