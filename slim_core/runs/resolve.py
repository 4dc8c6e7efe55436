"""What is meant where something is left out: the newest data set, run or campaign that fits."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slim_core.errors import NotFoundError, SpecRefusedError, quoted
from slim_core.runs.executor import Workbench, open_workbench

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
            "No data set is registered yet: name a folder (--data DIR), or import one: slim import DIR --register."
        )
    return max(known, key=lambda dataset: dataset.created_at)


def data_set(
    data: str | Path | None = None,
    *,
    format: str | None = None,
    name: str | None = None,
    options: Mapping[str, str] | None = None,
    at: Workbench | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Dataset:
    """A registered data set by its id or name, a folder (which is then registered), or the newest one.

    Raises:
        DataRefusedError: the folder's import found errors.
        NotFoundError: there is no such data set or folder.
    """
    at = at or open_workbench()
    if data is None:
        return newest_data_set(at)
    found = at.store.datasets.find(str(data))
    if found is not None:
        _require_meant(found, str(data))
        return found
    if not str(data) or not os.path.exists(os.path.expanduser(data)):
        raise NotFoundError(f"{quoted(str(data))} is neither a registered data set nor a folder: see slim datasets.")
    from slim_core.data.importing import ToImport, import_asked
    from slim_core.data.report import require
    from slim_core.store.versions import splits_before

    imported = import_asked(
        ToImport(data, format, name, options or {}),
        splits_before=partial(splits_before, at.store.datasets),
        settings=at.store.settings,
        progress=progress,
    )
    require(imported)
    return at.store.datasets.register(imported, by=at.by)


def _require_meant(found: Dataset, given: str) -> None:
    """Refuse a word that is the name of a data set, and here a folder of other images.

    Raises:
        SpecRefusedError: it is both.
    """
    folder, root = os.path.realpath(os.path.expanduser(given)), os.path.realpath(found.root)
    if given != found.id and os.path.isdir(folder) and os.path.commonpath([folder, root]) not in (folder, root):
        raise SpecRefusedError(
            f"{quoted(given)} is the data set {found.id} of {found.root}, and a folder here: write "
            f"{os.path.join(os.curdir, given)} for the folder, or {found.id} for the data set."
        )


def newest_run(
    at: Workbench,
    kind: str | Sequence[str],
    *,
    fits: Callable[[Run], bool] = lambda _run: True,
    data: str | None = None,
) -> Run:
    """The finished run of a kind (or of one of several) that was submitted last; ``data``: over this data set.

    Raises:
        NotFoundError: no finished run fits, or there is no such data set.
    """
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    over = None if data is None else at.store.datasets.of(data).id
    done = (run for one in kinds for run in at.store.runs.all(kind=one, status="done", dataset=over))
    fitting = [run for run in done if fits(run)]
    if not fitting:
        of_data = "" if data is None else f" of {data}"
        raise NotFoundError(f"There is no finished {kinds[0]} run{of_data} yet: start one with slim {kinds[0]}.")
    return max(fitting, key=lambda run: run.created_at)


def a_run(at: Workbench, run_id: str | None, kind: str | Sequence[str], **which: Any) -> Run:
    """A run by its id, checked to be of the kind (or of one of several), or the newest that fits.

    Raises:
        NotFoundError: no run has this id, or no finished run fits.
        SpecRefusedError: the run is of another kind, or a data set is named beside it.
    """
    if run_id is None:
        return newest_run(at, kind, **which)
    if which.get("data") is not None:
        raise SpecRefusedError(f"{run_id} belongs to a data set already: name the run or a data set, not both.")
    run, kinds = at.store.runs.fetch(run_id), (kind,) if isinstance(kind, str) else tuple(kind)
    if run.kind not in kinds:
        needed = " or ".join(kinds)
        raise SpecRefusedError(f"{run_id} is a run of {run.kind}, but one of {needed} is needed: name another.")
    return run


def newest_campaign(at: Workbench, space: str | None = None) -> Campaign:
    """The campaign created last, of a space where one is named.

    Raises:
        NotFoundError: there is no campaign.
    """
    found = find_newest_campaign(at, space)
    if found is None:
        of_space = f" of space {space}" if space else ""
        raise NotFoundError(f"There is no campaign{of_space} yet: open one with slim candidates.")
    return found


def find_newest_campaign(at: Workbench, space: str | None = None) -> Campaign | None:
    """The campaign created last, of a space where one is named; None where there is none."""
    known = [one for one in at.store.campaigns.all() if space in (None, one.space_run_id)]
    return max(known, key=lambda campaign: campaign.created_at, default=None)
