"""What an import found, in words and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.ui import chart
from app.ui.escape import prose, verbatim
from app.ui.glossary import explain
from slim_core.evaluation.charts import groups as charts

if TYPE_CHECKING:
    from slim_core.data.report import ImportReport

_LAST = "last-import-report"


def keep_last(report: ImportReport) -> None:
    """Remember a report for the rest of the session, so that a refused import stays readable."""
    st.session_state[_LAST] = report.to_json()


def show_last() -> None:
    """The findings of the last import of this session, if it was refused."""
    report = st.session_state.get(_LAST)
    if report and not report["ok"]:
        st.error(f"{verbatim(report['path'])} was not registered. Nothing was changed.", icon=":material/error:")
        findings(report)


def findings(report: Mapping[str, Any]) -> None:
    """Errors, then warnings, each as its sentence; then how the data was read, in small print."""
    for level, show in (("error", st.error), ("warning", st.warning), ("note", st.caption)):
        for one in report["findings"]:
            if one["level"] == level:
                show(prose(one["message"]))
    if report.get("reason"):
        st.caption(prose(f"Read as {report['format']}: {report['reason']}."))


def counts(report: Mapping[str, Any], *, estimated: bool = False) -> None:
    """Images per group and split, as a table and as shares; ``estimated``: of data without attributes."""
    frame = charts.split_frame(report["groups"])
    left, right = st.columns([2, 3], gap="large")
    with left:
        numbers = {split: st.column_config.NumberColumn(format="localized") for split in frame.columns}
        alt = "Images by group and split"
        st.dataframe(frame.rename_axis("Group"), width="stretch", placeholder="–", column_config=numbers, alt=alt)
        masks, images = report["n_masks"], report["n_images"]
        st.caption(
            f"{images:,} images; {masks:,} with a mask or box for attention scores.",
            help=explain("attention precision", "AIoU"),
        )
        if estimated:
            st.caption("Without attributes these are the classes. After a training, groups are class x environment.")
    with right:
        chart.show(charts.split_shares(frame), key="split-shares", alt="Share of each group in each split")
