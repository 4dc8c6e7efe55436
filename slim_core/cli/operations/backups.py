"""slim backup, slim restore, slim storage: what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from slim_core.cli.kit.bench import open_store
from slim_core.cli.kit.console import console, errors, escaped, visible, writable
from slim_core.cli.kit.tables import table
from slim_core.formatting import counted

SHOWN = 5  # missing folders that are named
LARGEST = 20  # runs that are shown


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("backup", epilog="Example: slim backup slim-backup.zip")(backup)
    app.command("restore", epilog="Example: slim restore slim-backup.zip")(restore)
    app.command("storage", epilog="Example: slim storage")(storage)


def backup(
    path: Annotated[Path, typer.Argument(callback=writable, help="A new file, such as slim-backup.zip.")],
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Also the files of finished runs; else a list of them.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write a consistent snapshot of the database to one file, while work goes on."""
    from slim_core.store.backup import back_up

    written = back_up(open_store(), path, artifacts=artifacts, overwrite=overwrite)
    console.print(f"[bold green]backup[/] {escaped(path)}: {_counted(written.known)}", soft_wrap=True)
    if not artifacts:
        errors.print("It lists the files of runs and does not hold them: copy SLIM_HOME/runs, too, or add --artifacts.")


def restore(path: Annotated[Path, typer.Argument(help="A file of slim backup.")]) -> None:
    """Put a backup into an empty SLIM_HOME (or an empty SLIM_DATABASE_URL, of either kind of database)."""
    from slim_core.settings import redact_url, settings
    from slim_core.store.backup import restore
    from slim_core.store.remote import local_folder

    artifacts = settings().artifacts
    restored = restore(settings(), path)
    console.print(f"[bold green]restored[/] {_counted(restored.known)}", soft_wrap=True)
    if restored.missing:
        where = artifacts if local_folder(artifacts) else f"{redact_url(artifacts)} (SLIM_ARTIFACTS_URL)"
        named = ", ".join(restored.missing[:SHOWN])
        more = f" and {len(restored.missing) - SHOWN:,} more" if len(restored.missing) > SHOWN else ""
        errors.print(
            f"Not in the backup, to be put back into {visible(where)}: {named}{more}.",
            style="yellow",
            soft_wrap=True,
        )


def _counted(known: Mapping[str, int]) -> str:
    return ", ".join(counted(n, name.removesuffix("s")) for name, n in known.items())


def storage() -> None:
    """What uses the disk: each area of SLIM_HOME, and the largest runs with their dependents."""
    from rich.filesize import decimal

    store = open_store()
    areas, runs = store.storage.areas(), store.storage.runs()
    table("SLIM_HOME", ("area", "on disk"), [(name, decimal(n)) for name, n in areas.items()])
    if not runs:
        return
    rows = [
        (one.run.id, one.run.name or one.run.kind, decimal(one.n_bytes), str(one.n_children), str(one.n_campaigns))
        for one in runs[:LARGEST]
    ]
    table(f"The largest of {len(runs):,} runs", ("run", "name", "on disk", "runs made from it", "campaigns"), rows)
    free = [one for one in runs if one.can_go]
    size = decimal(sum(one.n_bytes for one in free))
    deleted = "Delete them by `slim delete`, or on the Jobs page, under Disk."
    console.print(f"{counted(len(free), 'run')} without dependents: {size}. {deleted}", soft_wrap=True)
