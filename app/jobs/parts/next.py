"""The one next step at the end of the Jobs page: of all runs, or of the one that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.jobs.parts.actions import has_checkpoint
from app.services import result_links
from app.ui import next_step
from app.ui.escape import verbatim
from app.ui.runs import remedy, state

if TYPE_CHECKING:
    from slim_core.store import Run


def of_all() -> None:
    """On the list: see to the newest run if it failed, or to the one it waited for; else continue the loop."""
    newest = next(iter(session.store().runs.all(limit=1, metrics=False)), None)
    if newest is not None and newest.status == "failed":
        cause = _cause(newest)
        named = verbatim(cause.name or cause.kind)
        next_step.show(f"{named} failed. Read its log, then retry it.", "jobs", "Open the run", run=cause.id)
    else:
        next_step.show("continue the loop.", "overview", "Overview")


def _cause(run: Run) -> Run:
    """The run that failed by itself: those that waited for it failed with it, and their logs are empty."""
    parents = [parent for _, parent in session.store().runs.parents(run.id)]
    failed = next((parent for parent in parents if parent.status == "failed"), None)
    return run if failed is None else _cause(failed)


def of_one(run: Run | None) -> None:
    """On a run's page: its result, or what to do about it. None: there is no such run."""
    if run is None:
        next_step.show("choose a run of the list.", "jobs", "All jobs")
    elif state.is_active(run):
        next_step.here("wait for the run; you can close this page. Or *Stop* it: its progress is kept.")
    elif run.status == "done" and run.kind in result_links.PAGES:
        page, link = result_links.address(run)
        next_step.show(result_links.PAGES[run.kind][1], page, "Result", **link)
    else:
        again = "*Resume*" if has_checkpoint(run) else "*Retry*"
        if changes := remedy.known(run):
            again = f"*{remedy.label(changes)}*, or *Retry*"
        read = "" if run.status == "canceled" else "read the message and the end of the log, then "
        next_step.here(f"{read}{again} it, or *Run again* as a new run.")
