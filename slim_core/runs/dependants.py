"""What rests on a run, and goes with it or can no longer work where it is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slim_core.store.runs.history import History

if TYPE_CHECKING:
    from slim_core.store import Campaign, Run, Store


@dataclass(frozen=True)
class Dependants:
    """On one run."""

    runs: tuple[Run, ...]  # made from it, or from what was; shards are parts of their run
    campaigns: tuple[Campaign, ...]  # that ask about a space among them

    def __bool__(self) -> bool:
        return bool(self.runs or self.campaigns)


def find_dependants(store: Store, run: Run) -> Dependants:
    """What was made from a run, and the campaigns that ask about any of it."""
    below = store.lineage.descendants([run.id])
    runs = tuple(one for one in History(store.database).some(below).values() if one.shard_of is None)
    spaces = {run.id, *below}
    return Dependants(runs, tuple(one for one in store.campaigns.all(run.dataset_id) if one.space_run_id in spaces))
