"""The one next step at the end of the Jobs page: of all runs, or of the one that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.services.results import links
from app.ui.escape import verbatim
from app.ui.links import next_step
from app.ui.runs import cause, progress, remedy, retry, state
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run


def of_all() -> None:
    """On the list: see to the newest run if it has no result, or to the one it waited for; else continue the loop."""
    newest = next(iter(session.store().runs.all(limit=1, metrics=False)), None)
    if newest is not None and newest.status in UNFINISHED:
        ended = cause.of(newest)
        next_step.show(_unfinished(ended), "jobs", "Open the run", run=ended.id)
    else:
        next_step.show("continue the loop.", "overview", "Overview")


def _unfinished(run: Run) -> str:
    named = verbatim(run.name or run.kind)
    if run.status == "failed":
        return f"{named} failed. Read its log, then retry it."
    return f"{verbatim(cause.stopped_by(run))} stopped {named}. {retry.label(run)} it."


def of_one(run: Run | None) -> None:
    """On a run's page: its result, or what to do about it. None: there is no such run."""
    if run is None:
        next_step.show("choose a run from the list.", "jobs", "All jobs")
    elif state.is_active(run):
        progress.wait([run.id], "wait for the run; you can close this page. Or *Stop* it.")
    elif run.status == "done" and run.kind in links.PAGES:
        page, link = links.address(run)
        next_step.show(links.PAGES[run.kind][1], page, "Result", **link)
    elif (ended := cause.of(run)).id != run.id:
        goes_with_it = run.id in session.store().attempts.retried_with(ended.id)
        then = "This run is queued again with it." if goes_with_it else "Then retry this one."
        next_step.show(f"{_unfinished(ended)} {then}", "jobs", "Open that run", run=ended.id)
    else:
        again = f"*{retry.label(run)}*"
        if changes := remedy.known(run):
            again = f"*{remedy.label(changes)}*, or *Retry*"
        read = "" if run.status == "canceled" else "read the message and the end of the log, then "
        next_step.here(f"{read}{again} it, or *Run again* as a new run.{retry.with_it(run)}")
