"""The next step of a data set's loop, as a page ends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ui.escape import prose
from app.ui.links import next_step
from app.ui.messages import for_reader

if TYPE_CHECKING:
    from app.services.loop_state import Loop
    from slim_core.evaluation.report.story import Verdict


def show(loop: Loop, found: Verdict | None = None) -> None:
    """The one next thing, with a link to where it is done. ``found``: whether the complete loop's result is better."""
    step = loop.next
    if step is None and found is not None and found.better is not True:
        text = "this result is not shown to be better. Try one of the steps under *Try next*, or compare the models."
        next_step.show(text, "compare", "Compare")
    elif step is None:
        next_step.show("the loop is complete: compare the models.", "compare", "Compare")
    elif step.state == "running" and step.run is not None:
        page = "train" if step.run.kind == "train" else "jobs"
        how = "waiting in the queue" if step.run.status == "queued" else "running"
        next_step.show(f"The {step.title} step is {how}.", page, "Watch", run=step.run.id)
    elif step.state == "failed" and step.run is not None:
        why = f": {prose(for_reader(step.run.message))}" if step.run.message else "."
        text = f"The {step.title} step failed{why} Read its log, then retry it."
        next_step.show(text, "jobs", "See the log", run=step.run.id)
    elif step.state == "stopped" and step.run is not None:
        text = f"The {step.title} step was stopped. Resume it, or start another."
        next_step.show(text, "jobs", "Open the run", run=step.run.id)
    else:
        next_step.show(step.todo, step.page, step.action, **step.params)
