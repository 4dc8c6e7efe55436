"""From an opened image to those like it, which the Space page shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from app import session
from app.ui import next_step

if TYPE_CHECKING:
    from slim_core.store import Run


def of(run: Run) -> Callable[[int], None]:
    """Draws the link for a row of an attention run; nothing where no space of its split is made from that run."""

    def link(row: int) -> None:
        store = session.store()
        split = store.datasets.table(run.dataset_id).splits[row]
        spaces = [one for one in store.runs.children(run.id) if one.kind == "space" and one.status == "done"]
        space = next((one for one in spaces[::-1] if one.spec["split"] == split), None)
        if space is not None:
            link = {"dataset": run.dataset_id, "run": space.id, "like": str(row)}
            next_step.link("space", "More like this", icon="image_search", **link)

    return link
