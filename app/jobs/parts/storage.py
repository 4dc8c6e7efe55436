"""What uses the disk, and what of it can go: runs that nothing was made from and no campaign asks about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from rich.filesize import decimal

from app import session
from app.services import actions
from app.ui import tables
from app.ui.choosing import pick
from app.ui.escape import verbatim
from app.ui.messages import errors_shown
from app.ui.runs import state
from app.ui.tables import Cell, Row
from slim_core.formatting import counted
from slim_core.store.runs.kinds import title_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slim_core.store.storage import StoredRun

READ, CHOSEN = "storage", "storage-chosen"  # of the session: what was read, and the runs to delete
MOST_SHOWN = 20
COLUMNS = ("Run", "Step", "On disk", "Dependents", "Id")


def show() -> None:
    """A button, for it reads every file's size, once; then the areas, the largest runs, and what can be deleted."""
    st.subheader("Disk", anchor="disk")
    is_asked = READ in st.session_state
    label = "Read again" if is_asked else "Show what uses the disk"
    st.button(label, icon=":material/hard_drive:", on_click=_ask, key="storage-read")
    if not is_asked:
        return
    areas, runs = _read()
    st.markdown(" · ".join(f"**{verbatim(name)}** {decimal(n)}" for name, n in areas.items()))
    if not runs:
        st.caption("No run has files yet.")
        return
    tables.show("The largest runs", COLUMNS, [_row(one) for one in runs[:MOST_SHOWN]])
    if len(runs) > MOST_SHOWN:
        rest = sum(one.n_bytes for one in runs[MOST_SHOWN:])
        st.caption(f"and {counted(len(runs) - MOST_SHOWN, 'run')} more with {decimal(rest)} together")
    _delete([one for one in runs if one.can_go])


def _ask() -> None:
    """To be read anew."""
    st.session_state[READ] = None


def _read() -> tuple[dict[str, int], list[StoredRun]]:
    """Areas and runs, read once for each time that they are asked for."""
    if st.session_state[READ] is None:
        storage = session.store().storage
        with st.spinner("Reading the sizes of all files..."):
            st.session_state[READ] = storage.areas(), storage.runs()
    read: tuple[dict[str, int], list[StoredRun]] = st.session_state[READ]
    return read


def _row(one: StoredRun) -> Row:
    dependents = [counted(one.n_children, "run")] if one.n_children else []
    dependents += [counted(one.n_campaigns, "campaign")] if one.n_campaigns else []
    return [
        Cell(one.run.name or one.run.kind, run=one.run.id),
        title_of(one.run.kind),
        decimal(one.n_bytes),
        ", ".join(dependents) or ("none" if one.run.ended else state.WORDS[one.run.status]),
        Cell(one.run.id, "gray", code=True),
    ]


def _delete(free: Sequence[StoredRun]) -> None:
    """Several at once; each as on its own page: images and answers stay."""
    if not session.viewer().may("lead"):
        return
    by_id = {one.run.id: one for one in free}
    if not by_id:
        st.caption("Every run has dependents. Delete a run from its own page, together with what was made from it.")
        return
    chosen = st.multiselect(
        "Delete runs without dependents",
        list(by_id),
        format_func=lambda run_id: _named(by_id[run_id]),
        placeholder=f"{counted(len(by_id), 'run')} with {decimal(sum(one.n_bytes for one in free))}",
        key=CHOSEN,
    )
    if not chosen:
        return
    size = decimal(sum(by_id[run_id].n_bytes for run_id in chosen))
    with st.popover(f"Delete {counted(len(chosen), 'run')}, {size}", icon=":material/delete:"):
        st.markdown("Their results, logs and checkpoints are deleted. Images and answers are kept.")
        st.button("Yes, delete them", type="primary", on_click=_delete_all, args=(chosen,), key="storage-delete")


def _delete_all(run_ids: Sequence[str]) -> None:
    """One that has got dependents meanwhile, or is gone, is left and said; the others go.

    A second click, for which Streamlit calls this again, finds none chosen.
    """
    chosen = st.session_state.get(CHOSEN, [])
    with session.cached_lookups():
        for run_id in (one for one in run_ids if one in chosen):
            with errors_shown():
                actions.delete_run(run_id, cascade=False)
    pick.forget_runs(chosen)  # outside the loop: what touches the session may end this run of the page
    st.session_state[CHOSEN] = []
    _ask()


def _named(one: StoredRun) -> str:
    return f"{one.run.name or one.run.kind} · {decimal(one.n_bytes)} · {one.run.id}"
