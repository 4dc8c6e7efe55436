"""What models reach: evaluated one by one, and side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slim_core.runs.executor import Workbench, open_workbench
from slim_core.runs.resolve import a_run
from slim_core.steps.registry import parse_spec

if TYPE_CHECKING:
    import pandas as pd

    from slim_core.store import Run


def evaluate(
    model: str | None = None,
    *,
    data: str | None = None,
    split: str = "test",
    space: str | None = None,
    at: Workbench | None = None,
    force: bool = False,
    **fields: Any,
) -> Run:
    """Every metric of a model on a split; ``fields`` are those of EvaluateSpec.

    ``data``: name or id of a data set, whose newest model is taken.
    """
    at = at or open_workbench()
    run = a_run(at, model, "train", data=data)
    clusters = None if space is None else a_run(at, space, "space").id
    spec = {"kind": "evaluate", "dataset": run.dataset_id, "model": run.id, "split": split, "space": clusters} | fields
    return at.run(parse_spec(spec), name=f"{run.name} on {split}", force=force)


def compare(
    evaluations: list[str] | None = None, *, data: str | None = None, at: Workbench | None = None
) -> pd.DataFrame:
    """Evaluate runs side by side, one row each, groups in columns; by default all of the data set evaluated last.

    ``data``: all of this one, by name or id.
    """
    import pandas as pd

    from slim_core.evaluation.comparison import rows, scored_last

    at = at or open_workbench()
    if evaluations:
        runs = [a_run(at, run_id, "evaluate", data=data) for run_id in evaluations]
    else:
        over = None if data is None else at.store.datasets.of(data).id
        runs = scored_last(_of_one_data_set(at.store.runs.all(kind="evaluate", status="done", dataset=over)))
    found = rows(at.store, runs)
    whole = {key: pd.Series([one[key] for one in found], dtype=object) for key in ("seed", "images") if found}
    return pd.DataFrame(found).assign(**whole)  # a row without one does not make 36 of the others 36.0


def _of_one_data_set(runs: list[Run]) -> list[Run]:
    """The runs over the data set of the newest one; a data set that was registered since has none to show."""
    return [run for run in runs if run.dataset_id == runs[0].dataset_id]
