"""Whether the queue and its workers are there, in clear sentences; nothing where all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from slim_core.version import outdated

if TYPE_CHECKING:
    from workers.queue import QueueView


def show(view: QueueView) -> None:
    """Say what is missing: Redis, workers, or workers of this version."""
    if not view.available:
        st.error(view.message, icon=":material/cloud_off:")
    elif not view.workers:
        st.warning("No worker is running: start one with `python -m workers`.", icon=":material/person_off:")
    for warning in view.warnings:
        st.error(warning, icon=":material/hard_drive:")
    old = [worker.id for worker in view.workers if worker.version and outdated(worker.version, view.version)]
    if old:
        st.warning(
            f"{', '.join(old)}: of older code than this dashboard, and will take none of its runs until restarted "
            "(`python -m workers`).",
            icon=":material/update:",
        )
