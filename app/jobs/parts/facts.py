"""A run in numbers: what it found, and when, where, how long and with how much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import attempts
from app.ui.links import link_table
from app.ui.links.link_table import Cell, Column
from slim_core.data.names import shortened
from slim_core.errors import NotFoundError
from slim_core.evaluation.headlines import empty_maps, headlines
from slim_core.formatting import duration

if TYPE_CHECKING:
    from slim_core.store import Run

MOST_LETTERS = 40  # of the name of the data set, whose column is narrow


def headline(run: Run) -> None:
    """The numbers that say what a finished run found."""
    numbers = headlines(run)
    if not numbers:
        return
    with st.container(horizontal=True):  # five of them, in columns, would cut their numbers
        for one, text in numbers:
            st.metric(one.heading, text, help=one.about, border=True, width="content")
    if said := empty_maps(run):
        st.caption(said)


def show(run: Run, *, in_shards: bool) -> None:
    """When, where, how long, how much. ``in_shards``: the run was, and has ended; it is given with what they took."""
    link_table.show(f"facts-{run.id}", "About this run", (Column("About"), Column("")), facts(run, in_shards=in_shards))


def facts(run: Run, *, in_shards: bool = False) -> list[list[Cell]]:
    """One row a fact, those that are known."""
    attempts_of = "All attempts of its shards, and the merge." if in_shards else "All attempts."
    found: list[tuple[str, Cell | None]] = [
        ("Data", _data(run)),
        ("Submitted", Cell(time=run.created_at)),
        ("By", Cell(run.created_by)),
        ("Waited", _waited(run)),
        ("Started", Cell(time=run.started_at) if run.started_at else None),
        ("Ended", Cell(time=run.finished_at) if run.finished_at else None),
        ("Time", _passed(run) if in_shards else None),
        ("Computing time", Cell(duration(run.seconds), title=attempts_of) if run.seconds else None),
        ("Attempts", Cell(str(run.attempt)) if run.attempt else None),
        ("Worker", Cell(run.worker) if run.worker else None),
        ("Device", Cell(run.device) if run.device else None),
        ("Requested device", Cell(run.device_asked) if run.device_asked else None),
        ("Peak memory", Cell(f"{run.peak_memory_mb:,.0f} MB") if run.peak_memory_mb else None),
        ("Priority", Cell(str(run.priority)) if run.priority else None),
        ("Code", Cell(run.code_version) if run.code_version else None),
    ]
    return [[Cell(name, "quiet"), cell] for name, cell in found if cell is not None]


def _passed(run: Run) -> Cell | None:
    passed = run.passed_s
    return None if passed is None else Cell(duration(passed), title="From the start of its first shard to its end.")


def _data(run: Run) -> Cell | None:
    """The data set, and which version of it where there are several."""
    datasets = session.store().datasets
    try:
        used = datasets.fetch(run.dataset_id)
    except NotFoundError:
        return Cell(f"{run.dataset_id}, removed")
    versions = [one.id for one in reversed(datasets.versions(used))]
    which = f", version {versions.index(used.id) + 1} of {len(versions)}" if len(versions) > 1 else ""
    whole = f"{used.name}, {used.id}, fingerprint {used.fingerprint}, {used.root}"
    return Cell(f"{shortened(used.name, MOST_LETTERS)}{which}", title=whole)


def _waited(run: Run) -> Cell | None:
    waited = attempts.waited_s(run)
    return None if waited is None else Cell(duration(waited), title="In the queue, until the latest attempt began.")
