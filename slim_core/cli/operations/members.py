"""slim members: who may do what."""

from __future__ import annotations

from typing import Annotated

import typer

from slim_core.cli.kit.bench import BY, open_store
from slim_core.cli.kit.console import clock, console, escaped
from slim_core.cli.kit.tables import table


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    members = typer.Typer(no_args_is_help=True, help="The members and their roles, where people sign in.")
    members.command("list", epilog="Example: slim members list")(list_all)
    members.command("set", epilog="Example: slim members set ann@example.org annotator")(set_role)
    members.command("remove", epilog="Example: slim members remove ann@example.org")(remove)
    app.add_typer(members, name="members")


def list_all() -> None:
    """Everybody and their role."""
    rows = [[one.email, one.role, one.added_by, clock(one.added_at)] for one in open_store().members.all()]
    table(
        "Members",
        ["e-mail", "role", "added by", "on"],
        rows,
        empty="No members yet: slim members set EMAIL ROLE adds one.",
    )


def set_role(
    email: Annotated[str, typer.Argument(help="The e-mail this person signs in with.")],
    role: Annotated[str, typer.Argument(help="viewer, annotator, lead or admin.")],
) -> None:
    """Add a person, or change what they may do."""
    from slim_core.store.people.members import role_named

    open_store().members.set_role(email, role_named(role), by=BY)
    console.print(f"[bold green]member[/] {escaped(email)} is now {role}", soft_wrap=True)


def remove(
    email: Annotated[str, typer.Argument(help="The e-mail of the member to remove; their answers stay.")],
) -> None:
    """Take a person out."""
    open_store().members.remove(email, by=BY)
    console.print(f"[bold green]member[/] {escaped(email)} is removed; their answers stay", soft_wrap=True)
