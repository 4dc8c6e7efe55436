"""Evaluations side by side, as frames for the table and the charts; read once for a set of runs, then kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from app import session
from slim_core.evaluation.ancestry import Ancestry
from slim_core.evaluation.comparison import scored_last
from slim_core.evaluation.report import frames
from slim_core.metrics import of_environments
from slim_core.store.runs.history import History

if TYPE_CHECKING:
    from slim_core.store import Run, Store

Named = tuple[tuple[str, str], ...]  # (id, name) each


@dataclass(frozen=True, eq=False)
class Compared:
    """``rows`` by evaluation id, ``groups`` one row a run and group (report.frames), and their lineage."""

    rows: pd.DataFrame
    groups: pd.DataFrame
    evaluations: dict[str, Run]
    ancestry: Ancestry
    estimated: bool  # some groups are class x environment, as no attributes are known


def read(dataset: str) -> Compared | None:
    """All finished evaluations of a data set, newest first; None where there is none."""
    store = session.store()
    finished = History(store.database).finished(dataset)
    if all(kind != "evaluate" for _, kind, _ in finished):
        return None
    known = tuple((run_id, name) for run_id, _, name in finished)
    campaigns = tuple((one.id, one.name) for one in store.campaigns.all(dataset))
    return _read(store, dataset, known, campaigns)


@lru_cache(maxsize=4)
def _read(store: Store, dataset: str, known: Named, campaigns: Named) -> Compared:  # noqa: ARG001
    """``known``: all finished runs, in which nothing else changes; maps made after an evaluation belong to its
    ancestry. ``campaigns``: those that the reader is shown, for what one took is said to them alone."""
    wanted = {run_id for run_id, _ in known}
    done = store.runs.all(kind="evaluate", status="done", dataset=dataset)
    found = scored_last([one for one in done if one.id in wanted])
    ancestry = Ancestry.read(store, dataset)
    rows = frames.table(store, found, ancestry)
    estimated = any(of_environments(one.metrics or {}) for one in found)
    evaluations = {one.id: one for one in found}
    groups = frames.groups(found, rows["label"].to_dict())
    return Compared(rows, groups, evaluations, ancestry, estimated)
