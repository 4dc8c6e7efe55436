"""One run: what happened, its parameters, where it came from, its log; retry and delete."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import streamlit as st

from app import actions, session
from app.components import next_step, run_progress, run_state
from app.components.telling import errors_told

if TYPE_CHECKING:
    from slim_core.store import Run

LOG_LINES = 200
PAGES = {"train": "train", "gradcam": "attention", "features": "space", "space": "space", "curate": "curate",
         "evaluate": "compare"}  # fmt: skip


def show(run: Run) -> None:
    """Everything about a run; its progress and log poll while it is active."""
    _head(run)
    if run.message:
        (st.error if run.status == "failed" else st.info)(run.message)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Log**")
        _live_log(run) if run_state.is_active(run) else _log(run)
    with right:
        _family(run)
        st.markdown("**Parameters**")
        _parameters(run)


def _head(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        run_state.show(run.status)
        st.markdown(f"**{run.name or run.kind}** `{run.id}`", width="stretch")
        if run.status == "done":
            next_step.link(PAGES[run.kind], "Result", run=run.id, dataset=run.dataset_id)
        if run.status in ("failed", "canceled"):
            _retry(run)
        if not run_state.is_active(run):
            _delete(run)
    st.caption(_facts(run))


def _facts(run: Run) -> str:
    facts = [f"by {run.created_by}", f"attempt {run.attempt}"]
    facts += [run_progress.duration(run.seconds)] if run.seconds else []
    facts += [f"on {run.worker}"] if run.worker else []
    facts += [str(run.device)] if run.device else []
    facts += [f"{run.peak_memory_mb:,.0f} MB at most"] if run.peak_memory_mb else []
    facts += [f"code {run.code_version}"] if run.code_version else []
    return " · ".join(facts)


def _parameters(run: Run) -> None:
    given = {name: str(value) for name, value in run.spec.items() if value not in (None, [], {})}
    st.dataframe(
        {"field": list(given), "value": list(given.values())}, hide_index=True, width="stretch",
        height=min(500, 3 + 35 * (1 + len(given))),
    )  # fmt: skip


def _family(run: Run) -> None:
    runs = session.store().runs
    for title, related in (("Made from", [one for _, one in runs.parents(run.id)]), ("Used by", runs.children(run.id))):
        if related:
            st.markdown(f"**{title}**")
            for one in related:
                next_step.link("jobs", f"{one.kind}: {one.name or one.id}", icon="arrow_right_alt", run=one.id)


@st.fragment(run_every="1s")
def _live_log(run: Run) -> None:
    fresh = session.store().runs.fetch(run.id)
    if fresh.status != run.status:
        st.rerun()
    st.progress(run_progress.fraction(fresh), text=run_progress.told(fresh))
    _log(fresh)


def _log(run: Run) -> None:
    path = session.store().artifacts.log(run.id)
    if path is None:
        st.caption("No log yet.")
        return
    with path.open(errors="replace") as lines:
        tail = "".join(deque(lines, LOG_LINES))
    st.code(tail or "The log is empty.", language=None, height=360, wrap_lines=True)


def _retry(run: Run) -> None:
    if st.button("Retry", icon=":material/replay:", help="Goes on from its last checkpoint."):
        with errors_told():
            actions.retry(run.id)
            st.rerun()


def _delete(run: Run) -> None:
    children = session.store().runs.children(run.id)
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(f"Delete **{run.name or run.kind}**? Its results, log and checkpoints go. Images stay.")
        cascade = bool(children) and st.checkbox(f"Also delete the {len(children)} runs made from it, and theirs")
        blocked = bool(children) and not cascade
        if st.button("Yes, delete it", key=f"delete-{run.id}", type="primary", disabled=blocked):
            with errors_told():
                actions.delete_run(run.id, cascade=cascade)
                st.query_params.pop("run", None)
                st.rerun()
