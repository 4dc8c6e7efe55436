"""slim members, slim backup: who may do what, and the home as one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from slim_core.cli.kit.bench import BY, open_store
from slim_core.cli.kit.console import clock, escaped, say, tell, visible, warn, writable
from slim_core.cli.kit.tables import table
from slim_core.errors import SpecRefusedError
from slim_core.formatting import counted

SHOWN = 5  # missing folders that are named


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("members", epilog="Example: slim members set ann@example.org annotator")(members)
    app.command("backup", epilog="Example: slim backup slim-backup.zip")(backup)


def members(
    action: Annotated[Literal["list", "set", "remove"], typer.Argument(help="set adds a member, too.")] = "list",
    email: Annotated[str | None, typer.Argument(help="The e-mail this person signs in with.")] = None,
    role: Annotated[str | None, typer.Argument(help="viewer, annotator, lead or admin.")] = None,
) -> None:
    """List the members and their roles, where people sign in; set a role, or remove a member, whose answers stay."""
    from slim_core.store.members import role_named

    known = open_store().members
    if action == "set" and email and role:
        known.set_role(email, role_named(role), by=BY)
        say(f"[bold green]member[/] {escaped(email)} is now {role}")
    elif action == "remove" and email and not role:
        known.remove(email, by=BY)
        say(f"[bold green]member[/] {escaped(email)} is removed; their answers stay")
    elif action == "list" and not email:
        rows = [[one.email, one.role, one.added_by, clock(one.added_at)] for one in known.all()]
        empty = "No members yet: slim members set EMAIL ROLE adds one."
        table("Members", ["e-mail", "role", "added by", "on"], rows, empty=empty)
    else:
        raise SpecRefusedError("Give `slim members`, `slim members set EMAIL ROLE` or `slim members remove EMAIL`.")


def backup(
    path: Annotated[
        Path, typer.Argument(help="A new file, such as slim-backup.zip; with --restore, one that is there.")
    ],
    artifacts: Annotated[
        bool, typer.Option("--artifacts", help="Also the files of finished runs; else a list of them.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    puts_back: Annotated[
        bool,
        typer.Option("--restore", help="Put the file into an empty SLIM_HOME, or SLIM_DATABASE_URL of either kind."),
    ] = False,
) -> None:
    """Write a consistent snapshot of the database to one file, while work goes on; or put one back."""
    if puts_back:
        if artifacts or overwrite:
            raise SpecRefusedError("--restore only reads the file: leave --artifacts and --overwrite out.")
        restore(path)
        return
    from slim_core.store.backup import back_up

    file = writable(path)
    assert file is not None
    written = back_up(open_store(), file, artifacts=artifacts, overwrite=overwrite)
    say(f"[bold green]backup[/] {escaped(path)}: {_counted(written.known)}")
    if not artifacts:
        tell("It lists the files of runs and does not hold them: copy SLIM_HOME/runs, too, or add --artifacts.")


def restore(path: Path) -> None:
    """Put a backup into what is empty, and say what it does not hold."""
    from slim_core.settings import redact_url, settings
    from slim_core.store.artifacts import local_folder
    from slim_core.store.backup import restore

    artifacts = settings().artifacts
    restored = restore(settings(), path)
    say(f"[bold green]restored[/] {_counted(restored.known)}")
    if restored.missing:
        where = artifacts if local_folder(artifacts) else f"{redact_url(artifacts)} (SLIM_ARTIFACTS_URL)"
        named = ", ".join(restored.missing[:SHOWN])
        more = f" and {len(restored.missing) - SHOWN:,} more" if len(restored.missing) > SHOWN else ""
        warn(f"Not in the backup, to be put back into {visible(where)}: {named}{more}.")


def _counted(known: Mapping[str, int]) -> str:
    return ", ".join(counted(n, name.removesuffix("s")) for name, n in known.items())
