"""A registered data set: whether its files are still those that were registered; its versions, images and removal."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from app import session
from app.data import check
from app.services import actions
from app.ui import next_step, pick, pictures, reruns
from app.ui.messages import errors_shown, prose, verbatim
from app.ui.pictures import Tile, View
from slim_core.data.groups import Grouping, grouping
from slim_core.data.importing import ToImport
from slim_core.data.table import SPLITS, changes, changes_in_words
from slim_core.errors import ConflictError
from slim_core.formatting import to_csv

if TYPE_CHECKING:
    from slim_core.data.table import ImageTable
    from slim_core.store import Dataset
    from slim_core.store.removal import Removal

AGAIN = "again"
MOST_SHOWN = 1_000  # changes


def show_versions(dataset: Dataset) -> None:
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
        st.markdown(f"From {_named(older)} to {_named(newer)}: **{changes_in_words(found)}**.")
        if len(found):
            _list_changes(found)


def _named(one: Dataset) -> str:
    return f"{one.id} ({session.clock(one.created_at)}, {one.n_images:,} images)"


def _list_changes(found: pd.DataFrame) -> None:
    st.dataframe(found.head(MOST_SHOWN).rename(columns=str.capitalize), width="stretch", hide_index=True)
    if len(found) > MOST_SHOWN:
        st.caption(f"The first {MOST_SHOWN:,} of {len(found):,}.")
    content = to_csv(found)
    st.download_button("Download as CSV", content, "changes.csv", "text/csv", icon=":material/download:", key="changes")


PER_PAGE = 24
SIDE_PX = 112
ANY = "any group"
MASKS = "sample-masks"  # of the session: whether masks are shown


def show_images(dataset: str) -> None:
    """Filters, a page number, and the images; a mask can be shown where there is one."""
    table = session.store().datasets.table(dataset)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        split = st.segmented_control(
            "Split", SPLITS, default="train", required=True, key="sample-split", bind="query-params"
        )
        group = st.selectbox(
            "Group", [ANY, *_grouping(table).names], key="sample-group", width=240, bind="query-params"
        )
        has_mask = session.store().shapes.on(dataset, table).has_mask
        if not has_mask.any():  # it was switched on for another data set, and nobody could switch it off here
            st.session_state[MASKS] = False
        masked = st.toggle("Show masks", key=MASKS, disabled=not has_mask.any())
        rows = _rows(table, split, group, has_mask if masked else None)
        shown = rows[pick.page_rows(len(rows), PER_PAGE, "samples", f"{dataset} {split} {group} {masked}")]
    if not len(rows):
        lack = " have a mask, box or drawing" if masked else ""
        st.info(f"No {split} images of {verbatim(group)}{lack}. Choose another split or group.")
        return
    names, index = _grouping(table).names, _grouping(table).index
    captions = [names[index[row]] if index[row] >= 0 else table.label_names[table.labels[row]] for row in shown]
    view = View("mask" if masked else "image")
    tiles = [Tile(row, [view], [pictures.quiet(group)]) for row, group in zip(shown.tolist(), captions, strict=True)]
    pictures.show(dataset, tiles, wide=SIDE_PX, size=2 * SIDE_PX, small=True, opens=True)


def _rows(table: ImageTable, split: str, group: str, only: np.ndarray | None) -> np.ndarray:
    """``only``: (N,) bool, where not every image is shown."""
    rows = table.rows(split)
    if group != ANY:
        found = _grouping(table)
        rows = rows[found.index[rows] == found.names.index(group)]
    return rows if only is None else rows[only[rows]]


@lru_cache(maxsize=8)
def _grouping(table: ImageTable) -> Grouping:
    return grouping(table)


_DONE = "removed-once"  # of the session: said once, on the page that follows


def removal_button(dataset: Dataset) -> None:
    """For leads. What goes is counted when it is asked for: that looks at every file."""
    if not session.viewer().may("lead"):
        return
    asked = st.popover("Remove", icon=":material/delete:", key=f"remove-{dataset.id}", on_change="rerun")
    if not asked.open:
        return
    with asked, errors_shown():
        with st.spinner("Counting what is removed with it..."):
            going = _preview_removal(dataset)
        if going is not None:
            _ask_removal(going)


def show_removed() -> None:
    """What was removed by the last press."""
    if done := st.session_state.pop(_DONE, None):
        st.success(prose(done), icon=":material/delete:")


def _preview_removal(dataset: Dataset) -> Removal | None:
    """What would go; None, and a way to its runs, while they keep it."""
    try:
        return session.store().removals.preview(dataset.id)
    except ConflictError as error:
        st.markdown(prose(error))
        next_step.link("jobs", "Jobs")
        return None


def _ask_removal(going: Removal) -> None:
    name, counts = verbatim(going.dataset.name), (going.n_runs, going.n_campaigns)
    is_overtaken = reruns.overtaken(f"removal-{going.dataset.id}", counts)
    st.markdown(f"Remove **{name}**? This also removes {going.in_words()}.")
    st.markdown(_of_the_images(going))
    if going.cost.by:
        st.markdown("Its answers cannot be exported afterwards. Export them first, on Annotate.")
    sure = not (going.n_runs or going.n_campaigns) or st.checkbox(
        "Also remove its runs and campaigns", key=f"remove-all-{going.dataset.id}"
    )
    if st.button("Yes, remove it", key=f"remove-yes-{going.dataset.id}", type="primary", disabled=not sure):
        if is_overtaken:  # what goes is what was read before the press
            raise ConflictError("What is removed with it has changed meanwhile: read it above, then press again.")
        actions.remove_dataset(going.dataset.id)
        pick.forget_dataset(going.dataset.id)
        st.session_state[_DONE] = f"{going.dataset.name} was removed, with {going.in_words()}."
        st.rerun()


def _of_the_images(going: Removal) -> str:
    if going.unpacks:
        return "Images that were unpacked in SLIM_HOME are deleted, others are kept."
    return f"Your images in {verbatim(going.dataset.root)} are kept."
