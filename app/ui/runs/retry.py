"""Queue a run again that failed or was stopped: it resumes where it was, starts anew, or runs with what fits into
memory; and notice that others did.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from app import session
from app.services import actions
from app.ui import next_step
from app.ui.messages import errors_shown
from app.ui.reruns import fragment
from slim_core.errors import ArtifactDamagedError, SpecRefusedError
from slim_core.formatting import counted
from slim_core.store.results import recorded_remedy
from slim_core.store.runs.history import History
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run


def newest_record(run: Run, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """As ``read`` reads it from the attempt's folder; empty where it is not on this machine, or half written."""
    log = session.store().artifacts.log(run.id)
    try:
        return read(log.parent) if log else {}
    except ArtifactDamagedError:
        return {}


_ABOUT = "A new run, with batches that fit into memory."


def remedy_button(run: Run) -> None:
    """Runs it with the fields that its newest attempt has named; nothing where it has named none."""
    changes = known_remedy(run)
    if not changes:
        return
    if st.button(remedy_label(changes), type="primary", icon=":material/memory:", help=_ABOUT, key=f"remedy-{run.id}"):
        with errors_shown():
            new, created = actions.run_with(run, changes)
            st.session_state["message-once"] = "" if created else "This run exists already."
            next_step.go_to("jobs", run=new.id)


def remedy_label(changes: dict[str, Any]) -> str:
    """The label of the button."""
    return f"Run with {' and '.join(f'{name} {value}' for name, value in changes.items())}"


def known_remedy(run: Run) -> dict[str, Any]:
    """The fields and their values; empty where none are known on this machine."""
    return newest_record(run, recorded_remedy) if run.status == "failed" and run.shard_of is None else {}


def button(run: Run) -> None:
    """For leads."""
    about = "Resumes from its last checkpoint." if has_checkpoint(run) else "Starts again."
    kind = emphasis(run)
    about = f"{about}{with_it(run)}"
    if st.button(label(run), icon=":material/replay:", help=about, type=kind, key=f"retry-{run.id}"):
        with errors_shown():
            actions.retry(run.id)
            st.rerun()


def emphasis(run: Run) -> Literal["primary", "secondary"]:
    """Of a button that queues it again: the first thing to press, unless the same again would fail again."""
    return "secondary" if known_remedy(run) or is_refused(run) else "primary"


def is_refused(run: Run) -> bool:
    """Whether it failed for what it was asked to do, such as too large a learning rate, and not by chance."""
    return run.status == "failed" and run.progress.get("error") == SpecRefusedError.__name__


def label(run: Run) -> str:
    """The label of the button."""
    return "Resume" if has_checkpoint(run) else "Retry"


def with_it(run: Run) -> str:
    """How many runs a retry queues again beside it, in a sentence; nothing where none ended with it."""
    n = len(session.store().attempts.retried_with(run.id))
    return f" {counted(n, 'run')} that waited for it {'is' if n == 1 else 'are'} queued again with it." if n else ""


def has_checkpoint(run: Run) -> bool:
    """Whether an attempt has left a checkpoint to resume from, on this machine."""
    return run.attempt > 0 and any(session.store().artifacts.checkpoints(run.id).iterdir())


@fragment(run_every=4)
def watch(*ids: str) -> None:
    """Draws the page again when one of these runs, which ended without a result, is queued again, done by now, or gone.

    A short one may be queued again and done between two looks.
    """
    runs = History(session.store().database).some(ids)
    if len(runs) < len(ids) or any(run.status not in UNFINISHED for run in runs.values()):
        st.rerun()
