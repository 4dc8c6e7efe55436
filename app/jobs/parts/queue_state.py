"""Whether the queue and its workers are there, in clear sentences; nothing where all is well."""

from __future__ import annotations

import streamlit as st

from app import session
from app.ui.escape import prose
from app.ui.messages import for_reader
from app.ui.reruns import fragment
from slim_core.settings import settings
from workers.local import is_starting, workers_are_starting

EVERY_S = 5
_SILENT = "redis-silent"


@fragment(run_every=EVERY_S)
def show() -> None:
    """Say what is missing, Redis or workers; look again every few seconds.

    A Redis that does not answer is waited for: call it when the rest of the page is drawn, in a place kept for it.
    """
    starts = is_starting(settings())  # asked first: it may be up by the time it is asked what is wrong
    _draw(session.queue().silence(), starts)


def is_silent() -> bool:
    """Whether Redis did not answer when this session last asked it, at most seconds ago; it is asked where none has."""
    if _SILENT not in st.session_state:
        st.session_state[_SILENT] = session.queue().silence() is not None
    return bool(st.session_state[_SILENT])


def _draw(silence: str | None, starts: bool) -> None:
    st.session_state[_SILENT] = silence is not None
    view = session.queue().view()
    if silence and starts:
        st.info(for_reader(silence), icon=":material/hourglass:")
    elif silence:
        st.error(for_reader(silence), icon=":material/cloud_off:")
    elif not view.workers and workers_are_starting(settings()):
        st.info("The workers of this dashboard are starting.", icon=":material/hourglass:")
    elif not view.workers and not view.warnings:  # on a full disk no heartbeat arrives
        st.warning("No workers online. Run `python -m workers` on each machine.", icon=":material/person_off:")
    for warning in view.warnings:
        st.error(prose(for_reader(warning)), icon=":material/hard_drive:")
