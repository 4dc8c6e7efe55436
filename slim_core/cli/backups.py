"""slim backup, slim restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slim_core.cli.console import console, errors, escaped, visible, writable

SHOWN = 5  # missing folders that are named


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("backup", epilog="Example: slim backup slim-backup.zip")(backup)
    app.command("restore", epilog="Example: slim restore slim-backup.zip")(restore)


def backup(
    path: Annotated[Path, typer.Argument(callback=writable, help="The file to write, such as slim-backup.zip.")],
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Also the files of finished runs; else a list of them.")
    ] = False,
) -> None:
    """Write all that the database holds, as it is at one moment, into one file; work may go on meanwhile."""
    from slim_core.store import Store
    from slim_core.store.backup import back_up

    rows = back_up(Store.open(), path, artifacts=artifacts)
    console.print(
        f"[bold green]backup[/] {escaped(path)}: {rows['runs']:,} runs, {rows['campaigns']:,} campaigns, "
        f"{rows['answers']:,} answers",
        soft_wrap=True,
    )
    if not artifacts:
        errors.print("It lists the files of runs and does not hold them: copy SLIM_HOME/runs, too, or add --artifacts.")


def restore(path: Annotated[Path, typer.Argument(help="A file of slim backup.")]) -> None:
    """Put a backup into an empty SLIM_HOME (or an empty SLIM_DATABASE_URL, of either kind of database)."""
    from slim_core.settings import settings
    from slim_core.store.backup import restore

    restored = restore(settings(), path)
    rows = restored.rows
    console.print(
        f"[bold green]restored[/] {rows['runs']:,} runs, {rows['campaigns']:,} campaigns, {rows['answers']:,} answers",
        soft_wrap=True,
    )
    if restored.missing:
        named = ", ".join(restored.missing[:SHOWN])
        more = f" and {len(restored.missing) - SHOWN:,} more" if len(restored.missing) > SHOWN else ""
        errors.print(
            f"Not in the backup, to be put back into {visible(settings().home)}: {named}{more}.",
            style="yellow",
            soft_wrap=True,
        )
