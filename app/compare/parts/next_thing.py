"""What to do after the comparison, from how far the loop has come and from what it has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.services import loop_state
from app.services.results import evidence
from app.services.results.compared_split import compared_on
from app.ui import loop_next, next_step, roles

if TYPE_CHECKING:
    from app.services.loop_state import Loop
    from app.services.results.comparison import Compared
    from slim_core.store import Dataset


def until_evaluated(dataset: Dataset, *, is_offered: bool) -> None:
    """A model is there and its evaluation is not: the button above queues it, or it comes by itself."""
    what = f"press *Evaluate on {compared_on(dataset)}* above" if is_offered else "wait for the evaluation"
    next_step.here(f"{what}. The accuracy of every group appears here.")


def show(dataset: str, compared: Compared, *, is_offered: bool) -> None:
    """The one next thing. ``is_offered``: whether the page has the button that evaluates a model."""
    store = session.store()
    loop = loop_state.read(store, dataset)
    step = loop.next
    if any(one.state == "active" for one in store.pipelines.all(dataset)):
        next_step.show("wait for the steps under way; their model appears here.", "jobs", "Watch", dataset=dataset)
    elif step is not None and step.name == "compare" and step.state != "running":  # if it failed, the box above says so
        until_evaluated(store.datasets.fetch(dataset), is_offered=is_offered)
    elif step is not None and (step.run is not None or loop.after is None):
        loop_next.show(loop)
    else:
        _after_result(dataset, loop, compared)


def _after_result(dataset: str, loop: Loop, compared: Compared) -> None:
    found = evidence.verdict(loop, compared)
    if found is None or found.better is not True:
        todo = "answer more images, or curate another subset."
        next_step.show(roles.can("lead", todo), "curate", "Curate", dataset=dataset)
    elif not evidence.of(loop, compared).random:
        text = "check on Overview whether a random subset of the same size does as well."
        next_step.show(text, "overview", "Overview", dataset=dataset)
    else:
        next_step.here("the retrained model is better. Download it with *Model* below the table.")
