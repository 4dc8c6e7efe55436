"""On what a run was computed: code, Python, packages, machine, seed; from what it wrote beside its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.ui import tables
from app.ui.runs import retry
from app.ui.tables import Cell
from slim_core.store.results import recorded_environment

if TYPE_CHECKING:
    from slim_core.store import Run


def show(run: Run) -> None:
    """The table, or why there is none."""
    found = read(run)
    if not found:
        st.caption("The environment is recorded when the run starts.")
        return
    packages = found.pop("packages", {})
    known = {name.replace("_", " "): value for name, value in {**found, **packages}.items() if value is not None}
    rows = [[name, Cell(str(value), code=True)] for name, value in known.items()]
    tables.show("Environment", ("What", "Version or value"), rows)


def read(run: Run) -> dict[str, Any]:
    """environment.json of the newest attempt; empty where there is none here."""
    return retry.newest_record(run, recorded_environment)
