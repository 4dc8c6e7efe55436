"""Follows studies, which another process runs: the page is drawn again when one begins, or a case of it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.ui.reruns.fragment import fragment

if TYPE_CHECKING:
    from slim_core.store import StudyRecord

POLL_S = 4


def for_the_first() -> None:
    """Where there is no study yet."""
    _first()


def for_cases(study: StudyRecord) -> None:
    """``study``: as the page shows it. One that has come to its end needs no look."""
    if study.finished_at is None:
        _cases(study)


@fragment(run_every=POLL_S)
def _first() -> None:
    if session.store().studies.all():
        st.rerun()


@fragment(run_every=POLL_S)
def _cases(known: StudyRecord) -> None:
    if session.store().studies.fetch(known.id) != known:
        st.rerun()
