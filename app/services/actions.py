"""What pages change. Each action checks the viewer's role again; the store keeps an event of every write.

All raise SlimErrors: ForbiddenError where the role does not suffice, QueueUnavailableError where Redis does not answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import session
from slim_core.data import choosing as browsing
from slim_core.data import unpacking
from slim_core.data.bounds import noted
from slim_core.data.choosing import Entry, Listing, TablePreview, preview
from slim_core.data.importing import ToImport, import_asked, import_data
from slim_core.data.report import FormatRefusedError, Progress, require
from slim_core.data.sets.digits import write_demo
from slim_core.runs.preflight import require_devices, require_possible
from slim_core.settings import settings
from slim_core.steps.specs import parse_spec
from slim_core.store import versions
from slim_core.store.home import require_outside
from slim_core.store.runs.rows import is_default

if TYPE_CHECKING:
    from slim_core.data.report import Imported, ImportReport
    from slim_core.steps.specs import Spec
    from slim_core.store import Dataset, Run

_SEED_IN_NAME = re.compile(r",? seed \d+$")


def save(spec: Spec | Mapping[str, Any], *, name: str | None = None, force: bool = False) -> tuple[Run, bool]:
    """Keep a step as a run that waits in the database (needs lead); ``wake`` follows, once for all that are saved.

    Returns its run, and False where the same step is there already.

    Raises:
        SpecRefusedError: a field is unknown, missing or out of its range.
        SlimError: the step can only fail (slim_core.runs.preflight).
    """
    viewer = session.acting_as("lead")
    parsed = parse_spec(spec) if isinstance(spec, Mapping) else spec
    require_possible(session.store(), parsed)
    require_devices(session.store(), parsed)
    return session.store().runs.submit(parsed, by=viewer, name=name, force=force)


def wake(*runs: Run) -> None:
    """Wake workers for saved runs and for those they wait for; one that is woken twice finds nothing to do.

    Raises:
        QueueUnavailableError: Redis does not answer; all wait in the database and are taken up when it does.
    """
    store = session.store()
    above = store.history.some(store.lineage.ancestors(run.id for run in runs))
    wake_all({**above, **{run.id: run for run in runs}}.values())


def wake_all(runs: Iterable[Run]) -> None:
    """Wake workers for saved runs among which are those that they wait for, as in a pipeline: none is looked up."""
    session.queue().submit(*(run for run in runs if run.status == "queued" and run.shard_of is None))


def submit(spec: Spec | Mapping[str, Any], *, name: str | None = None, force: bool = False) -> tuple[Run, bool]:
    """``save`` one step, and ``wake`` a worker for it where it is new (needs lead)."""
    run, created = save(spec, name=name, force=force)
    if created:
        wake(run)
    return run, created


def stop(run_id: str) -> None:
    """Ask a run to stop (needs lead): at once where it waits, at its next batch where it runs."""
    session.queue().stop(run_id, session.acting_as("lead"))


def retry(run_id: str) -> Run:
    """Queue a failed or stopped run again (needs lead); it resumes from its last checkpoint."""
    return session.queue().retry(run_id, session.acting_as("lead"))


def run_again(run: Run, *, seed: int | None = None) -> tuple[Run, bool]:
    """Queue the spec of a run once more, though it is done (needs lead); or with another seed, where that is given.

    Returns its run, and False where the spec with that seed is there already.
    """
    if seed is None or seed == run.spec["seed"]:
        return submit(run.spec, name=run.name, force=True)
    given = _given_name(run)
    name = f"{_SEED_IN_NAME.sub('', given)}, seed {seed}" if given else None
    return submit({**run.spec, "seed": seed}, name=name)


def run_with(run: Run, changes: Mapping[str, Any]) -> tuple[Run, bool]:
    """Queue the spec of a run with some fields changed (needs lead). Returns its run, and False where it is there."""
    return submit({**run.spec, **changes}, name=_given_name(run))


def _given_name(run: Run) -> str | None:
    """None where nobody gave it: the spec with other fields gets one that says so."""
    return None if is_default(run.name, run.kind) else run.name


def describe(subject: str, *, name: str, text: str, tags: Collection[str]) -> None:
    """Name a data set, a run or a campaign, and replace its note and tags (needs lead)."""
    session.store().notes.write(subject, name=name, text=text, tags=tags, by=session.acting_as("lead"))


def pause_queue() -> None:
    """Let no worker take new work (needs lead); what runs goes on."""
    session.store().queue.pause(session.acting_as("lead"))


def resume_queue() -> None:
    """Let workers take work again (needs lead)."""
    session.queue().resume(session.acting_as("lead"))


def move_to_front(run_id: str) -> None:
    """Let a waiting run go before all others (needs lead)."""
    session.store().queue.move_to_front(run_id, session.acting_as("lead"))


def remove_dataset(dataset_id: str) -> None:
    """Remove a data set with its runs and campaigns (needs lead). Never a user's image."""
    session.store().removals.remove(dataset_id, by=session.acting_as("lead"))


def delete_run(run_id: str, *, cascade: bool) -> None:
    """Delete a run and its artifacts, with what was built on it where ``cascade`` (needs lead). Never images."""
    session.store().runs.delete(run_id, by=session.acting_as("lead"), cascade=cascade)


def check(asked: ToImport, progress: Progress | None = None) -> tuple[ImportReport, str]:
    """What an import of a folder or file finds (needs lead), and how that differs from what is registered from there.

    Nothing is registered. The second is "" where nothing is registered from there, or the data is refused.
    """
    session.acting_as("lead")
    imported = _imported(asked, (), progress)
    return imported.report, "" if imported.table is None else versions.news_of(session.store().datasets, imported.table)


def register(
    asked: ToImport, *, leave_out: Collection[str] = (), progress: Progress | None = None
) -> tuple[ImportReport, Dataset | None]:
    """Import a folder or file (needs lead), and register it where the report has no errors."""
    viewer = session.acting_as("lead")
    imported = _imported(asked, leave_out, progress)
    if not imported.report.ok:
        return imported.report, None
    return imported.report, session.store().datasets.register(imported, by=viewer)


def unpack(archive: BytesIO, name: str) -> str:
    """The folder of an archive that was sent (needs lead), as slim_core.data.unpacking unpacks it."""
    session.acting_as("lead")
    return str(unpacking.unpack_upload(archive, name, settings().home))


def browse_roots() -> list[Entry]:
    """The folders that data may be registered from (needs lead)."""
    session.acting_as("lead")
    return browsing.roots(settings())


def browse(path: str, words: str = "") -> Listing:
    """What lies in one of them (needs lead), as slim_core.data.choosing lists it."""
    session.acting_as("lead")
    return browsing.browse(path, settings(), words)


def preview_table(path: str, file: str | None) -> TablePreview | None:
    """The first rows of a table (needs lead), as slim_core.data.choosing gives them."""
    session.acting_as("lead")
    with noted() as looked_at:
        try:
            found = preview(path, file=file)
        except FormatRefusedError:
            _require_outside_home(path, looked_at)  # the sentence may quote them
            raise
    if found is not None:
        _require_outside_home(path, [str(found.path)])
    return found


def _imported(asked: ToImport, leave_out: Collection[str], progress: Progress | None) -> Imported:
    """What a folder or file holds, where this person may know it: the report names files, and shows some."""
    datasets = session.store().datasets
    before = partial(versions.splits_before, datasets)
    imported = import_asked(replace(asked, leave_out=leave_out), splits_before=before, progress=progress)
    _require_outside_home(asked.path, imported.files)
    return imported


def _require_outside_home(asked: Path | str, files: Sequence[str]) -> None:
    """Where people sign in, nobody reads by way of a registration what is kept in SLIM_HOME."""
    if session.signs_in():
        require_outside(settings().home, asked, files)


def register_demo(progress: Progress | None = None) -> Dataset:
    """Write the demo data set into SLIM_HOME, where it is not there yet, and register it (needs lead)."""
    viewer = session.acting_as("lead")
    folder = settings().home.resolve() / "demo-data" / "seed-0"  # that of make demo SET=digits
    write_demo(folder, progress=progress)
    imported = import_data(folder, name="demo", progress=progress)
    require(imported)
    return session.store().datasets.register(imported, by=viewer)
