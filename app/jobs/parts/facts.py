"""A run in numbers: what it found, and when, where, how long and with how much memory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import streamlit as st

from app import session
from app.jobs.parts import attempts
from app.ui import tables
from app.ui.tables import Cell, Row
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
    tables.show("About this run", ("About", ""), facts(run, in_shards=in_shards))


def facts(run: Run, *, in_shards: bool = False) -> list[Row]:
    """One row a fact, those that are known."""
    found: list[tuple[str, str | datetime | None]] = [
        ("Data", _data(run)),
        ("Submitted", run.created_at),
        ("By", run.created_by),
        ("Waited", _waited(run)),
        ("Started", run.started_at),
        ("Ended", run.finished_at),
        ("Time", duration(run.passed_s) if in_shards and run.passed_s is not None else None),
        ("Computing time", duration(run.seconds) if run.seconds else None),
        ("Attempts", str(run.attempt) if run.attempt else None),
        ("Worker", run.worker),
        ("Device", run.device),
        ("Peak memory", f"{run.peak_memory_mb:,.0f} MB" if run.peak_memory_mb else None),
        ("Priority", str(run.priority) if run.priority else None),
        ("Code", run.code_version),
    ]
    return [[Cell(name, "gray"), value] for name, value in found if value]


def _data(run: Run) -> str:
    """The data set, and which version of it where there are several."""
    datasets = session.store().datasets
    try:
        used = datasets.fetch(run.dataset_id)
    except NotFoundError:
        return f"{run.dataset_id}, removed"
    versions = [one.id for one in reversed(datasets.versions(used))]
    which = f", version {versions.index(used.id) + 1} of {len(versions)}" if len(versions) > 1 else ""
    return f"{shortened(used.name, MOST_LETTERS)}{which}"


def _waited(run: Run) -> str | None:
    """In the queue, until the latest attempt began."""
    waited = attempts.waited_s(run)
    return None if waited is None else duration(waited)
