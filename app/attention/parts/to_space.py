"""From the images of an attention run to its space: to those like an opened one, and to asking about a filter's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app import session
from app.ui import next_step
from app.ui.choosing import pick, selection
from app.ui.escape import verbatim

if TYPE_CHECKING:
    from slim_core.store import NamedFilter, Run


def of(run: Run) -> Callable[[int], None]:
    """Draws the link for a row of an attention run; nothing where no space of its split is made from that run."""

    def link(row: int) -> None:
        split = session.store().datasets.table(run.dataset_id).splits[row]
        space = next((one for one in _spaces(run) if one.spec["split"] == split), None)
        if space is not None:
            link = {"dataset": run.dataset_id, "run": space.id, "like": str(row)}
            next_step.link("space", "More like this", icon="image_search", **link)

    return link


def ask(run: Run, named: NamedFilter) -> None:
    """For leads: the way to a campaign about the images of a named filter; nothing without a space of the run."""
    spaces = pick.of_train_first(_spaces(run))
    if spaces and session.viewer().may("lead"):
        link = {"dataset": run.dataset_id, "space": spaces[0].id, "section": "new", selection.FILTER: named.id}
        split = spaces[0].spec["split"]
        next_step.link("annotate", f"Ask annotators about {verbatim(named.name)} in {split}", icon="campaign", **link)


def _spaces(run: Run) -> list[Run]:
    """Those made from the run, the newest first."""
    found = [one for one in session.store().runs.children(run.id) if one.kind == "space" and one.status == "done"]
    return found[::-1]
