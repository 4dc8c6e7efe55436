"""By person, kind and data set; kept in the address, so that a link shows the same events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app import session
from app.services import queueing
from app.ui import export, pick, reruns, run_state, tables
from app.ui.tables import Row, TableText
from slim_core.formatting import to_csv
from slim_core.store.events import KINDS, Activity, ActivityFilter, find_activity

BEFORE = "before"  # parameter of the address: only events older than this one


def show_filters() -> ActivityFilter:
    """The filters that were chosen.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    session.acting_as("admin")
    datasets = {one.id: one.name for one in session.store().datasets.all()}
    who, kind, data = st.columns(3)
    bound: dict[str, Any] = {"bind": "query-params", "on_change": _to_the_newest}
    return ActivityFilter(
        who=who.text_input("Person", key="who", placeholder="Beginning of a name or e-mail", **bound) or "",
        kind=kind.selectbox("Kind", KINDS, None, key="kind", placeholder="Any", **bound),
        dataset=pick.dataset_filter(data, datasets, _to_the_newest),
    )


def _to_the_newest() -> None:
    reruns.put_in_address(BEFORE, "")


PER_PAGE = 50
MOST_IN_A_FILE = 100_000
COLUMNS = ("When", "Who", "What", "Subject", "Details", "Id")
# as the Jobs page says it; what is not here is said as it is recorded
WORDS = {
    "run.claimed": "run started",
    "run.stop": "run stop requested",
    "run.canceled": f"run {run_state.WORDS['canceled']}",
    "run.handed_back": "run requeued",
}


def show_events(which: ActivityFilter) -> None:
    """One page of events.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    before = _before()
    found = read(which, PER_PAGE + 1, before)
    if not found:
        st.info("No event matches. Clear a filter." if which != ActivityFilter() or before else "No events yet.")
        return
    page = found[:PER_PAGE]
    tables.show("Events, newest first", COLUMNS, [row(one) for one in page])
    with st.container(horizontal=True):
        if before is not None:
            st.button("Newest", icon=":material/first_page:", on_click=_go, args=(None,))
        if len(found) > PER_PAGE:
            st.button("Older", icon=":material/chevron_right:", on_click=_go, args=(page[-1].id,))
        most = f"The newest {MOST_IN_A_FILE:,} events that match, at most."
        make = partial(as_csv, which)
        export.download_button("Download as CSV", make, "activity.csv", "text/csv", icon="download", help=most)


def read(which: ActivityFilter, n: int, before: int | None = None) -> list[Activity]:
    """At most ``n`` events, newest first, for an admin.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    session.acting_as("admin")
    return find_activity(session.store().database, which, n, before=before)


def as_csv(which: ActivityFilter) -> bytes:
    """The events that match, newest first.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    found = read(which, MOST_IN_A_FILE)
    columns = ["at", "who", "what", "subject", "name", "details"]
    cells = [(one.at.isoformat(), one.who, one.what, one.subject, one.name, json.dumps(one.details)) for one in found]
    return to_csv(pd.DataFrame(cells, columns=columns)).encode()


def row(event: Activity) -> Row:
    """One event's cells, in the order of COLUMNS."""
    is_run = event.what.startswith("run.") and bool(event.name)
    name, more = event.name, event.details
    if event.what.startswith("pipeline.") and (title := queueing.TITLES.get(more.get("kind", ""))):
        name, more = title, {key: value for key, value in more.items() if key != "kind"}  # as the pages call it
    return [
        event.at,
        event.who or "–",
        WORDS.get(event.what, event.what.replace(".", " ").replace("_", " ")),
        TableText(name or event.subject, run=event.subject if is_run else None),
        TableText(details(more), "gray"),
        TableText(event.subject if name else "", "gray", code=True),
    ]


def details(given: Mapping[str, Any]) -> str:
    """What else is known of an event, in one line."""
    known = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    return ", ".join(
        f"{name}: {json.dumps(value) if isinstance(value, list | dict) else value}" for name, value in known.items()
    )


def _before() -> int | None:
    """The event that the address names; a word there is no event."""
    given = reruns.chosen_in_address(BEFORE)
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def _go(before: int | None) -> None:
    reruns.put_in_address(BEFORE, "" if before is None else str(before))
