"""What changed between two runs: choose a second one, read the differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import environment
from app.jobs.parts.parameters import shown
from app.ui.choosing import pick, url_state
from app.ui.links import link_table
from app.ui.links.link_table import Cell, Column
from slim_core.runs.differences import Difference, differences
from slim_core.store.runs.history import History, RunFilter
from slim_core.store.runs.kinds import title_of

if TYPE_CHECKING:
    from slim_core.store import Run

MOST = 200  # runs to choose from
PARAM = "with"


def show(run: Run, history: History) -> str | None:
    """The choice and the table; returns the run a click has asked for."""
    others = [one for one in history.page(RunFilter(kinds=(run.kind,)), MOST) if one.id != run.id]
    linked = str(st.query_params.get(PARAM, ""))
    by_id = {one.id: one for one in [*others, *history.some([linked]).values()] if one.id != run.id}
    title = title_of(run.kind).lower()
    if not by_id:
        st.caption(f"There is no other {title} run to compare with.")
        return None
    key = f"with-{run.id}"
    chosen = st.selectbox(
        "Compare with", list(by_id), list(by_id).index(linked) if linked in by_id else None,
        lambda one: pick.describe(by_id[one]), key=key, on_change=_keep, args=(key,), width=520,
        placeholder=f"Another {title} run", help=f"The newest {MOST} {title} runs.",
    )  # fmt: skip
    if chosen is None:
        st.caption("Choose a run to list the differences, from the inputs to the results.")
        return None
    other = session.store().runs.fetch(chosen)
    found = differences(other, run, (environment.read(other), environment.read(run)))
    if not found:
        st.info("The runs are identical: same inputs, parameters, code and results.")
        return None
    sides = Column(_named(other)), Column(_named(run))
    columns = (Column("Part"), Column("Field"), *sides, Column("Change", right=True))
    return link_table.show(f"changes-{run.id}", "What changed", columns, [row(one) for one in found])


def _keep(key: str) -> None:
    """The choice goes into the address."""
    url_state.keep(PARAM, st.session_state[key] or "")


def _named(run: Run) -> str:
    return f"{run.name or run.kind} · {run.id}"


def row(one: Difference) -> list[Cell]:
    """One difference as cells."""
    return [
        Cell(one.sort, "quiet"),
        Cell(one.name),
        Cell(shown(one.first), code=True),
        Cell(shown(one.second), code=True),
        Cell("" if one.change is None else f"{one.change:+.4g}"),
    ]
