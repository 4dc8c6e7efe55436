"""How far a study is, and its tables as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from app.ui import download
from app.ui.escape import prose
from slim_core.evaluation.study import text
from slim_core.evaluation.study.page import render

if TYPE_CHECKING:
    from slim_core.evaluation.study.summary import Result
    from slim_core.store import StudyRecord


def show(study: StudyRecord, result: Result) -> None:
    """One line of facts and four buttons; the files are made when they are pressed."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(prose(" · ".join(text.facts(result))), width="stretch")
        with st.container(horizontal=True, width="content"):  # on a narrow page they go below the facts together
            _button("CSV", lambda: text.to_csv(result), f"{study.name}.csv", "text/csv", "table")
            _button("LaTeX", lambda: text.to_latex(result), f"{study.name}.tex", "text/plain", "functions")
            _button("JSON", lambda: text.json_text(result), f"{study.name}.json", "application/json", "data_object")
            _button("Report", lambda: render(result), f"{study.name}.html", "text/html", "description")
    if study.finished_at is None:
        share = study.n_ended / max(study.n_cases, 1)
        st.progress(share, f"{study.n_ended:,} of {study.n_cases:,} cases. The study is running or was "
                           f"interrupted: the same command resumes it.")  # fmt: skip


def _button(label: str, make: Callable[[], str], name: str, mime: str, icon: str) -> None:
    download.button(label, lambda: make().encode(), name, mime, icon=icon, key=f"study-{label}")
