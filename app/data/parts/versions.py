"""Whether the files are still those that were registered, and what differs between the versions of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app import session
from app.data.parts import check
from app.ui.escape import prose
from app.ui.messages import errors_shown
from slim_core.data.changes import changes, in_words
from slim_core.data.importing import ToImport
from slim_core.formatting import to_csv

if TYPE_CHECKING:
    from slim_core.store import Dataset

AGAIN = "again"
MOST_SHOWN = 1_000  # changes


def show(dataset: Dataset) -> None:
    """A line where the files have changed, with a check of what is there now; and the other versions, to compare."""
    with errors_shown():
        _change(dataset)
        others = [one for one in session.store().datasets.versions(dataset) if one.id != dataset.id]
        if others:
            _compare(dataset, others)


def _change(dataset: Dataset) -> None:
    if not Path(dataset.root).is_dir():
        return  # said in place of the images
    said = session.store().datasets.change_since(dataset)
    if said is None:
        return
    report = dataset.report
    asked = ToImport(report["path"], dataset.format, dataset.imported_as, report.get("options", {}))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":orange[:material/warning:] {prose(said)}", width="stretch")
        pressed = session.viewer().may("lead") and st.button("Check again", icon=":material/refresh:")
    check.show(asked, pressed=pressed, place=AGAIN)


def _compare(dataset: Dataset, others: list[Dataset]) -> None:
    folded = st.expander(f"Versions: {len(others) + 1}", icon=":material/history:", key="versions", on_change="rerun")
    if not folded.open:
        return
    with folded:
        by_id = {one.id: one for one in others}
        chosen = st.selectbox("Compare with", list(by_id), format_func=lambda one: _named(by_id[one]), width=480)
        older, newer = sorted((by_id[chosen], dataset), key=lambda one: one.created_at)
        tables = session.store().datasets
        found = changes(tables.table_of(older), tables.table_of(newer))
        st.markdown(f"From {_named(older)} to {_named(newer)}: **{in_words(found)}**.")
        if len(found):
            _list(found)


def _named(one: Dataset) -> str:
    return f"{one.id} ({session.clock(one.created_at)}, {one.n_images:,} images)"


def _list(found: pd.DataFrame) -> None:
    st.dataframe(found.head(MOST_SHOWN).rename(columns=str.capitalize), width="stretch", hide_index=True)
    if len(found) > MOST_SHOWN:
        st.caption(f"The first {MOST_SHOWN:,} of {len(found):,}.")
    content = to_csv(found)
    st.download_button("Download as CSV", content, "changes.csv", "text/csv", icon=":material/download:", key="changes")
