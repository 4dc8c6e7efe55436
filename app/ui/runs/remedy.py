"""What a failed run would have fitted into memory with, and the button that runs it so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.services import actions
from app.services.results import recorded
from app.ui.links import pages
from app.ui.messages import errors_shown
from slim_core.store.results import recorded_remedy

if TYPE_CHECKING:
    from slim_core.store import Run

_ABOUT = {
    "accumulation": "The same batches for the optimizer, computed in parts that fit into memory.",
    "batch_size": "A new run, with batches that fit into memory.",
}


def button(run: Run) -> None:
    """Runs it with the fields that its newest attempt has named; nothing where it has named none."""
    changes = known(run)
    if not changes:
        return
    about = " ".join(_ABOUT[name] for name in changes)
    if st.button(label(changes), type="primary", icon=":material/memory:", help=about, key=f"remedy-{run.id}"):
        with errors_shown():
            new, created = actions.run_with(run, changes)
            st.session_state["message-once"] = "" if created else "This run exists already."
            pages.go_to("jobs", run=new.id)


def label(changes: dict[str, Any]) -> str:
    """The label of the button."""
    return f"Run with {' and '.join(f'{name} {value}' for name, value in changes.items())}"


def known(run: Run) -> dict[str, Any]:
    """The fields and their values; empty where none are known on this machine."""
    return recorded.newest(run, recorded_remedy) if run.status == "failed" and run.shard_of is None else {}
