"""What changed between two runs: choose a second one, read the differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import environment
from app.jobs.parts.parameters import shown
from app.ui import tables
from app.ui.choosing import pick, url_state
from app.ui.tables import Cell
from slim_core.runs.differences import Difference, differences
from slim_core.store.runs.history import History, RunFilter
from slim_core.store.runs.kinds import title_of

if TYPE_CHECKING:
    from slim_core.store import Run

MOST = 200  # runs to choose from
PARAM = "with"


def show(run: Run, history: History) -> None:
    """The choice and the table."""
    others = [one for one in history.page(RunFilter(kinds=(run.kind,)), MOST) if one.id != run.id]
    linked = str(st.query_params.get(PARAM, ""))
    by_id = {one.id: one for one in [*others, *history.some([linked]).values()] if one.id != run.id}
    title = title_of(run.kind).lower()
    if not by_id:
        st.caption(f"There is no other {title} run to compare with.")
        return
    key = f"with-{run.id}"
    chosen = st.selectbox(
        "Compare with", list(by_id), list(by_id).index(linked) if linked in by_id else None,
        lambda one: pick.describe(by_id[one]), key=key, on_change=_keep, args=(key,), width=520,
        placeholder=f"Another {title} run", help=f"The newest {MOST} {title} runs.",
    )  # fmt: skip
    if chosen is None:
        st.caption("Choose a run to list the differences, from the inputs to the results.")
        return
    other = session.store().runs.fetch(chosen)
    found = differences(other, run, (environment.read(other), environment.read(run)))
    if not found:
        st.info("The runs are identical: same inputs, parameters, code and results.")
        return
    columns = ("Part", "Field", _named(other), _named(run), "Change")
    tables.show("What changed", columns, [row(one) for one in found])


def _keep(key: str) -> None:
    """The choice goes into the address."""
    url_state.keep(PARAM, st.session_state[key] or "")


def _named(run: Run) -> str:
    return f"{run.name or run.kind} · {run.id}"


def row(one: Difference) -> list[Cell | str]:
    """One difference as cells."""
    return [
        Cell(one.sort, "gray"),
        one.name,
        Cell(shown(one.first), code=True),
        Cell(shown(one.second), code=True),
        "" if one.change is None else f"{one.change:+.4g}",
    ]
