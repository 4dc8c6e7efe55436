"""Whether the queue and its workers are there, in clear sentences; nothing where all is well."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.escape import prose, verbatim
from app.ui.messages import errors_told
from slim_core.version import outdated

EVERY_S = 5


@st.fragment(run_every=EVERY_S)
def show() -> None:
    """Say what is missing: Redis, workers, or workers of this version; look again every few seconds.

    A Redis that does not answer is waited for: call it when the rest of the page is drawn, in a place kept for it.
    """
    with errors_told():
        _draw(session.queue().silence())


def _draw(silence: str | None) -> None:
    view = session.queue().look()
    if silence:
        st.error(silence, icon=":material/cloud_off:")
    elif not view.workers and not view.warnings:  # on a full disk nobody can say that they live
        st.warning("No worker is running: start one with `python -m workers`.", icon=":material/person_off:")
    for warning in view.warnings:
        st.error(prose(warning), icon=":material/hard_drive:")
    old = [worker.id for worker in view.workers if worker.version and outdated(worker.version, view.version)]
    if old:
        st.warning(
            f"{verbatim(', '.join(old))}: of older code than this dashboard, and will take none of its runs until "
            "restarted (`python -m workers`).",
            icon=":material/update:",
        )
