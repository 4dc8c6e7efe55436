"""What to do after the comparison, from how far the loop has come and from what it has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.services import loop_state
from app.services.queueing import evaluating
from app.services.results import evidence
from app.ui.links import loop_next, next_step

if TYPE_CHECKING:
    from app.services.loop_state import Loop
    from app.services.results.comparison import Compared


def show(dataset: str, compared: Compared) -> None:
    """The one next thing."""
    store = session.store()
    loop = loop_state.read(store, dataset)
    step = loop.next
    if any(one.state == "active" for one in store.pipelines.all(dataset)):
        next_step.show("wait for the steps under way; their model appears here.", "jobs", "Watch", dataset=dataset)
    elif step is not None and step.name == "compare" and step.state != "running":  # if it failed, the box above says so
        on = evaluating.compared_on(store.datasets.fetch(dataset))
        next_step.here(f"press *Evaluate on {on}* above. The accuracy of every group appears here.")
    elif step is not None and (step.run is not None or loop.after is None):
        loop_next.show(loop)
    else:
        _after_result(dataset, loop, compared)


def _after_result(dataset: str, loop: Loop, compared: Compared) -> None:
    found = evidence.verdict(loop, compared)
    if found is None or found.better is not True:
        next_step.show("answer more images, or curate another subset.", "curate", "Curate", dataset=dataset)
    elif not evidence.of(loop, compared).random:
        text = "check on Overview whether a random subset of the same size does as well."
        next_step.show(text, "overview", "Overview", dataset=dataset)
    else:
        next_step.here("the retrained model is better. Download it by *Model*, below the table.")
