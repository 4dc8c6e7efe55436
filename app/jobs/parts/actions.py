"""What can be done with a run: its result, stop, resume, run again, its command, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import delete
from app.services import actions
from app.services.results import links
from app.ui import next_step, reruns, shell
from app.ui.escape import prose
from app.ui.messages import errors_shown
from app.ui.runs import config_form, progress, retry, state
from slim_core.errors import SlimError
from slim_core.parameters import parameters
from slim_core.runs.commands import command
from slim_core.steps.registry import parse_spec
from slim_core.steps.specs import Spec
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run


def show(run: Run) -> None:
    """One row of buttons; those that change something are a lead's.

    What opens has a key: else it closes, where the state of the run changes which buttons stand before it.
    """
    may = session.viewer().may("lead")
    with st.container(horizontal=True, vertical_alignment="center", key=f"actions-{run.id}"):
        if run.status == "done" and run.kind in links.PAGES:
            page, link = links.address(run)
            next_step.link(page, "Result", **link)
        if state.is_active(run):
            progress.stop_button(run)
        if may:
            retry.remedy_button(run)
        if (
            may and run.status in UNFINISHED and state.cause_of(run).id == run.id
        ):  # else it is refused: see the next step
            retry.button(run)
        if may:
            _again(run)
        _command(run)
        if may and not state.is_active(run):
            delete.button(run)


def _again(run: Run) -> None:
    with st.popover("Run again", icon=":material/refresh:", key=f"ask-again-{run.id}"):
        st.markdown("The same step on the same inputs, as a new run. Another seed gives another random result.")
        seed = config_form.field(parameters(Spec)["seed"], int(run.spec.get("seed", 0)), key=f"again-{run.id}")
        pressed = reruns.button_once("Run it again", type="primary", key=f"again-{run.id}")
    if pressed:
        with errors_shown():
            new, created = actions.run_again(run, seed=int(seed))
            st.session_state["message-once"] = "" if created else f"The run with seed {seed} exists already."
            next_step.go_to("jobs", run=new.id)


def _command(run: Run) -> None:
    with st.popover("Copy as command", icon=":material/terminal:", key=f"command-{run.id}"):
        try:
            line = command(parse_spec(run.spec))
        except SlimError as error:  # a spec of another version
            st.markdown(prose(error))
            return
        st.markdown(
            f"Queues exactly this step, from {shell.where()}. A step that is done already is not run again, "
            "except with `--force`."
        )
        shell.show(line)
