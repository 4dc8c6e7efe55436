"""What is meant where something is left out: the newest data set, run or campaign that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slim_core.errors import NotFoundError, SpecRefusedError
from slim_core.runs.executor import Workbench

if TYPE_CHECKING:
    from slim_core.store import Campaign, Dataset, Run


def newest_data_set(at: Workbench) -> Dataset:
    """The data set registered last.

    Raises:
        NotFoundError: no data set is registered.
    """
    known = at.store.datasets.all()
    if not known:
        raise NotFoundError(
            "No data set is registered yet: name a folder (--data DIR), or import one: slim import DIR."
        )
    return max(known, key=lambda dataset: dataset.created_at)


def newest_run(at: Workbench, kind: str | Sequence[str], *, fits: Callable[[Run], bool] = lambda _run: True) -> Run:
    """The finished run of a kind (or of one of several) that was submitted last.

    Raises:
        NotFoundError: no finished run fits.
    """
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    fitting = [run for one in kinds for run in at.store.runs.all(kind=one, status="done") if fits(run)]
    if not fitting:
        raise NotFoundError(f"There is no finished {kinds[0]} run yet: start one with slim {kinds[0]}.")
    return max(fitting, key=lambda run: run.created_at)


def a_run(at: Workbench, run_id: str | None, kind: str | Sequence[str], **which: Any) -> Run:
    """A run by its id, checked to be of the kind (or of one of several), or the newest that fits.

    Raises:
        NotFoundError: no run has this id, or no finished run fits.
        SpecRefusedError: the run is of another kind.
    """
    if run_id is None:
        return newest_run(at, kind, **which)
    run, kinds = at.store.runs.fetch(run_id), (kind,) if isinstance(kind, str) else tuple(kind)
    if run.kind not in kinds:
        needed = " or ".join(kinds)
        raise SpecRefusedError(f"{run_id} is a run of {run.kind}, but one of {needed} is needed: name another.")
    return run


def newest_campaign(at: Workbench) -> Campaign:
    """The campaign created last.

    Raises:
        NotFoundError: there is no campaign.
    """
    known = at.store.campaigns.all()
    if not known:
        raise NotFoundError("There is no campaign yet: open one with slim candidates.")
    return max(known, key=lambda campaign: campaign.created_at)
