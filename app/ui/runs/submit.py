"""A button that queues a step, and what becomes of it, on the same page."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Any

import streamlit as st

from app import session
from app.services import actions
from app.ui import roles
from app.ui.escape import verbatim
from app.ui.links import next_step
from app.ui.messages import errors_shown
from app.ui.runs import outcome, progress, state
from slim_core.errors import NotFoundError


def button(
    label: str,
    spec: Callable[[], Mapping[str, Any]],
    *,
    dataset: str,
    key: str,
    icon: str = "play_arrow",
    disabled: bool = False,
) -> None:
    """Queue the spec when pressed, and show its progress below the button, on each visit to this data set.

    For leads; others read what it takes.
    """
    if not roles.offers("lead", f"*{label}*"):
        return
    if st.button(label, key=key, type="primary", icon=f":material/{icon}:", disabled=disabled):
        with errors_shown():
            run, created = actions.save(spec())
            st.session_state[sent_by(key, dataset)] = st.session_state[f"{key}-made"] = run.id
            if created:
                actions.wake(run)  # may find no Redis: the run is followed all the same, and starts by itself
            else:
                status = f"is {state.WORDS[run.status]} already"
                st.info(f"A run of this step on the same inputs {status}.", icon=":material/history:")
                next_step.link("jobs", f"Open {verbatim(run.name or run.id)}", icon="history", run=run.id)
    if sent := st.session_state.get(sent_by(key, dataset)):
        follow(sent)


def sent_by(key: str, dataset: str) -> str:
    """The key of the session under which the run is kept that a button has submitted for a data set."""
    return f"{key}-run-{dataset}"


def take_made(key: str, offered: Container[str]) -> str | None:
    """The run of the last press, once, as soon as it is offered: the page then chooses it, and a person may another."""
    if st.session_state.get(f"{key}-made") not in offered:
        return None
    return str(st.session_state.pop(f"{key}-made"))


def follow(run_id: str) -> None:
    """The progress of a run and of the steps it waits for, or how it ended, with its figures."""
    try:
        run = session.store().runs.fetch(run_id)
    except NotFoundError:  # deleted meanwhile
        return
    if state.is_active(run):
        progress.chain(run)
    else:
        outcome.show(run)
