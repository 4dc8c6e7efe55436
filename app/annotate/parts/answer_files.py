"""Answers as files: every one of them out, those of other tools in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import campaign_actions
from app.ui.escape import prose
from app.ui.messages import errors_told
from slim_core.annotation.answer_files.checking import Checked, check_file
from slim_core.annotation.answer_files.writing import FORMATS, export

if TYPE_CHECKING:
    from slim_core.store import Campaign

ALL, STANDING = "everything that happened", "the answers that count now"


def show(campaign: Campaign) -> None:
    """Two halves of an expander; only a lead may bring answers in."""
    with st.expander("Answers as files", icon=":material/download:"):
        _out(campaign)
        if session.viewer().may("lead"):
            st.divider()
            _in(campaign)


def _out(campaign: Campaign) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = st.selectbox("Export", (ALL, STANDING), key="export-what", width=260)
        form = st.selectbox("Format", list(FORMATS), key="export-format", width=140)

        def content() -> bytes:
            return b"".join(export(session.store(), campaign, form, standing=what == STANDING))

        st.download_button(
            "Download",
            content,
            file_name=f"answers-{campaign.id}.{form}",
            mime=FORMATS[form],
            icon=":material/download:",
            key="export",
            on_click="ignore",
        )
    st.caption("A row each: who, when, which image, what they saw, what they said, how long it took.")


def _in(campaign: Campaign) -> None:
    help = (
        "CSV, JSON lines or Parquet, by the ending of the file. Columns: row or path, and answer "
        "(1, 0, -1 or right, wrong, unsure); maybe annotator and seconds."
    )
    given = st.file_uploader("Import answers from a file", type=list(FORMATS), key=f"import-{campaign.id}", help=help)
    if given is None:
        return
    with errors_told():
        content = given.getvalue()
        checked = check_file(session.store(), campaign, content, name=given.name)
        _report(checked)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            whose = st.text_input("Whose answers, where the file does not say", session.viewer().name, width=320)
            label = "Import what fits" if checked.unfit else "Import"
            if st.button(f"{label}: {checked.n_fitting:,}", type="primary", disabled=not checked.n_fitting):
                done = campaign_actions.import_answers(
                    campaign, content, given.name, annotator=whose, leave_out_unfit=bool(checked.unfit)
                )
                late = f", {done.n_surplus:,} of them beyond the overlap (not counted)" if done.n_surplus else ""
                st.success(f"{done.n_new:,} answers are new{late}, {done.n_known:,} were there already.")


def _report(checked: Checked) -> None:
    st.markdown(f"**{checked.n_fitting:,} of {checked.n_lines:,}** lines fit.")
    for one in checked.unfit:
        st.warning(prose(one.sentence), icon=":material/warning:")
