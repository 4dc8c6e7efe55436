"""The one next step at the end of the Jobs page: of all runs, or of the one that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.services.results import links
from app.ui import next_step, roles
from app.ui.escape import verbatim
from app.ui.runs import progress, retry, state
from slim_core.store.runs.states import UNFINISHED

if TYPE_CHECKING:
    from slim_core.store import Run
    from slim_core.store.people.members import Role

BY_A_LEAD = "A lead can retry it."  # for those who may not
# kind -> who does what follows it; what is not named here anybody sees
FOLLOWED_BY: dict[str, Role] = {"features": "lead", "candidates": "annotator", "curate": "lead"}


def of_all() -> None:
    """On the list: see to the newest run if it has no result, or to the one it waited for; else begin or go on."""
    newest = next(iter(session.store().runs.all(limit=1, metrics=False)), None)
    if newest is not None and newest.status in UNFINISHED:
        ended = state.cause_of(newest)
        next_step.show(_unfinished(ended), "jobs", "Open the run", run=ended.id)
    elif not session.store().datasets.all():
        next_step.register_data()
    else:
        next_step.show("continue the loop.", "overview", "Overview")


def _unfinished(run: Run) -> str:
    named, may = verbatim(run.name or run.kind), session.viewer().may("lead")
    if run.status == "failed":
        return f"{named} failed. {'Read its log, then retry it.' if may else BY_A_LEAD}"
    again = f"{retry.label(run)} it." if may else BY_A_LEAD
    return f"{verbatim(state.stopped_by(run))} stopped {named}. {again}"


def of_one(run: Run | None) -> None:
    """On a run's page: its result, or what to do about it. None: there is no such run."""
    may = session.viewer().may("lead")
    if run is None:
        next_step.show("choose a run from the list.", "jobs", "All jobs")
    elif state.is_active(run):
        progress.wait([run.id], f"wait for the run; you can close this page.{' Or *Stop* it.' if may else ''}")
    elif run.status == "done" and run.kind in links.PAGES:
        page, link = links.address(run)
        todo = roles.can(FOLLOWED_BY.get(run.kind, "viewer"), links.PAGES[run.kind][1])
        next_step.show(todo, page, "Result", **link)
    elif (ended := state.cause_of(run)).id != run.id:
        goes_with_it = run.id in session.store().attempts.retried_with(ended.id)
        then = " This run is queued again with it." if goes_with_it else " Then retry this one." if may else ""
        next_step.show(f"{_unfinished(ended)}{then}", "jobs", "Open that run", run=ended.id)
    elif may:
        next_step.here(_again(run))
    else:
        next_step.here(f"{BY_A_LEAD}{retry.with_it(run)}")


def _again(run: Run) -> str:
    again = f"*{retry.label(run)}*"
    if changes := retry.known_remedy(run):
        again = f"*{retry.remedy_label(changes)}*, or *Retry*"
    read = "" if run.status == "canceled" else "read the message and the end of the log, then "
    return f"{read}{again} it, or *Run again* as a new run.{retry.with_it(run)}"
