"""The way from a study to its single runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app import session
from app.ui.links import next_step

if TYPE_CHECKING:
    from slim_core.evaluation.study.summary import Result

MOST = 50  # runs that an address names


def show(result: Result, table: str) -> None:
    """The link to the evaluations of the set whose table is shown, else of the first set; bare where all are gone."""
    text = "inspect single runs: every group, its images, attention before and after."
    frame, store = result.frame, session.store()
    of_set = frame[frame["set"] == table]
    shown = of_set if len(of_set) else frame
    if len(shown) and (shown["status"] == "failed").all():
        next_step.here("read above why the cases of this table failed.")
        return
    ids = shown["evaluation"].dropna().tolist()
    first = next((run for one in ids if (run := store.runs.find(one)) is not None), None)
    if first is None:
        next_step.show(text, "compare", "Compare")
        return
    known = {run.id for run in store.runs.all(kind="evaluate", dataset=first.dataset_id, metrics=False)}
    runs = ",".join([one for one in ids if one in known][:MOST])
    next_step.show(text, "compare", "Compare", dataset=first.dataset_id, runs=runs)
