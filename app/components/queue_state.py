"""Redis, queues and workers in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session

if TYPE_CHECKING:
    from slim_core.store import Worker


def show() -> None:
    """Who works, what waits; a clear sentence where Redis or workers are missing. Read again every two seconds."""
    _poll()


@st.fragment(run_every="2s")
def _poll() -> None:
    view = session.queue().look()
    if not view.available:
        st.error(view.message, icon=":material/cloud_off:")
    elif not view.workers:
        st.warning("No worker is running: start one with `python -m workers`.", icon=":material/person_off:")
    a, b, c, d = st.columns(4)
    a.metric("Workers", len(view.workers), help="Those that gave a sign of life within the last minute.", border=True)
    b.metric("Running", view.counts.get("running", 0) + view.counts.get("stopping", 0), border=True)
    c.metric("Waiting", view.counts.get("queued", 0), help="Of any queue.", border=True)
    d.metric("Failed", view.counts.get("failed", 0), border=True)
    st.caption("  \n".join(map(_worker, view.workers)))


def _worker(worker: Worker) -> str:
    doing = f"works on {worker.current_run}" if worker.current_run else "is free"
    memory = f" · {worker.memory_mb:,.0f} MB" if worker.memory_mb else ""
    return f"{worker.id} · {worker.device} · queues {worker.queues} · {doing}{memory}"
