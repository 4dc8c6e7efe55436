"""Removing a data set, after counting what goes with it. Runs that wait or work keep it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step, reruns
from app.ui.choosing import pick
from app.ui.escape import prose, verbatim
from app.ui.messages import errors_shown
from slim_core.errors import ConflictError

if TYPE_CHECKING:
    from slim_core.store import Dataset
    from slim_core.store.removal import Removal

_DONE = "removed-once"  # of the session: said once, on the page that follows


def button(dataset: Dataset) -> None:
    """For leads. What goes is counted when it is asked for: that looks at every file."""
    if not session.viewer().may("lead"):
        return
    asked = st.popover("Remove", icon=":material/delete:", key=f"remove-{dataset.id}", on_change="rerun")
    if not asked.open:
        return
    with asked, errors_shown():
        with st.spinner("Counting what is removed with it..."):
            going = _preview(dataset)
        if going is not None:
            _ask(going)


def show_result() -> None:
    """What was removed by the last press."""
    if done := st.session_state.pop(_DONE, None):
        st.success(prose(done), icon=":material/delete:")


def _preview(dataset: Dataset) -> Removal | None:
    """What would go; None, and a way to its runs, while they keep it."""
    try:
        return session.store().removals.preview(dataset.id)
    except ConflictError as error:
        st.markdown(prose(error))
        next_step.link("jobs", "Jobs")
        return None


def _ask(going: Removal) -> None:
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
