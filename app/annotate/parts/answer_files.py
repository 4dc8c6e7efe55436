"""Answers as files: export, and import from other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import admission, session
from app.services import campaign_actions
from app.ui import download
from app.ui.escape import prose
from app.ui.messages import errors_shown
from slim_core.annotation.answer_files.checking import CheckedAnswers, check_file
from slim_core.annotation.answer_files.writing import FORMATS, export
from slim_core.formatting import counted
from slim_core.store.campaigns.values import LISTED

if TYPE_CHECKING:
    from slim_core.store import Campaign

ALL, CURRENT = "all events", "current answers"
ABOUT = {
    ALL: "One row per answer, change, undo, skip and decision: annotator, time, image, view, value and duration.",
    CURRENT: "One row per annotator and image: the answer that counts now. Leads' decisions are left out.",
}


def show(campaign: Campaign) -> None:
    """Two halves of an expander; only a lead may bring answers in."""
    with st.expander("Answers as files", icon=":material/download:"):
        _export(campaign)
        if session.viewer().may("lead"):
            st.divider()
            _import(campaign)


def _export(campaign: Campaign) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = st.selectbox("Export", (ALL, CURRENT), key="export-what", width=260)
        form = st.selectbox("Format", list(FORMATS), key="export-format", width=140)

        def content() -> bytes:
            return b"".join(export(session.store(), campaign, form, current=what == CURRENT))

        name = f"answers-{campaign.id}.{form}"
        download.button("Download", content, name, FORMATS[form], icon="download", key="export")
    st.caption(ABOUT[what])


def _import(campaign: Campaign) -> None:
    help = (
        f"CSV, JSON lines or Parquet, by the file extension. Columns: row or path, and answer ({LISTED}); optionally "
        "annotator and seconds."
    )
    admission.expect_files()
    given = st.file_uploader("Import answers from a file", type=list(FORMATS), key=f"import-{campaign.id}", help=help)
    if given is None:
        return
    with errors_shown():
        content = given.getvalue()
        checked = check_file(session.store(), campaign, content, name=given.name)
        _report(checked)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            whose = st.text_input("Annotator, if the file names none", session.viewer().name, width=320)
            label = "Import valid lines" if checked.unfit else "Import"
            if st.button(f"{label}: {checked.n_fitting:,}", type="primary", disabled=not checked.n_fitting):
                done = campaign_actions.import_answers(
                    campaign, content, given.name, annotator=whose, leave_out_unfit=bool(checked.unfit)
                )
                late = f", {done.n_over_quota:,} of them over quota (not counted)" if done.n_over_quota else ""
                known = f"{done.n_known:,} {'was' if done.n_known == 1 else 'were'} already stored"
                st.success(f"Imported {counted(done.n_new, 'new answer')}{late}; {known}.")


def _report(checked: CheckedAnswers) -> None:
    st.markdown(f"**{checked.n_fitting:,} of {checked.n_lines:,}** lines are valid.")
    for one in checked.unfit:
        st.warning(prose(one.sentence), icon=":material/warning:")
