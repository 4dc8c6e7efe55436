"""What pages change: each action checks the viewer's role again, and leaves an event. Errors are SlimErrors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app import session
from slim_core.datasets import import_data
from slim_core.steps.registry import parse_spec

if TYPE_CHECKING:
    from slim_core.datasets import ImportReport
    from slim_core.store import Dataset, Run


def submit(spec: Mapping[str, Any], *, name: str | None = None) -> tuple[Run, bool]:
    """Queue a step (needs lead). Returns its run, and False where the same step is there already.

    Raises:
        SpecRefusedError: a field is unknown, missing or out of its range.
        QueueUnavailableError: Redis does not answer; the run waits in the database and is taken up when it does.
    """
    viewer = _acting("lead")
    run, created = session.store().runs.submit(parse_spec(spec), by=viewer, name=name)
    if created:
        session.store().events.add(viewer, "submit", run.id, {"kind": run.kind})
        session.queue().submit(run)
    return run, created


def stop(run_id: str) -> None:
    """Ask a run to stop (needs lead): at once where it waits, at its next batch where it runs."""
    viewer = _acting("lead")
    session.queue().stop(run_id, viewer)
    session.store().events.add(viewer, "stop", run_id, {})


def retry(run_id: str) -> None:
    """Queue a failed or canceled run again (needs lead); it goes on from its last checkpoint."""
    viewer = _acting("lead")
    session.queue().retry(run_id, viewer)
    session.store().events.add(viewer, "retry", run_id, {})


def delete_run(run_id: str, *, cascade: bool) -> None:
    """Delete a run and its artifacts, with what was built on it where ``cascade`` (needs lead). Never images."""
    viewer = _acting("lead")
    session.store().runs.delete(run_id, cascade=cascade)
    session.store().events.add(viewer, "delete", run_id, {"cascade": cascade})


def register(
    path: str, *, format: str | None, name: str | None, options: Mapping[str, str], progress: Callable[..., None] | None
) -> tuple[ImportReport, Dataset | None]:
    """Import a folder or file (needs lead), and register it where the report has no errors."""
    viewer = _acting("lead")
    imported = import_data(path, format=format, name=name, options=options, progress=progress)
    if imported.table is None:
        return imported.report, None
    dataset = session.store().datasets.register(imported, by=viewer)
    session.store().events.add(viewer, "register", dataset.id, {"path": path})
    return imported.report, dataset


def _acting(role: str) -> str:
    viewer = session.viewer()
    viewer.require(role)
    return viewer.name
