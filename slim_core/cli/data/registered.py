"""slim data: what people may change of a registered data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import BY, open_store, open_store_to_remove
from slim_core.cli.kit.console import Yes, confirm, console, escaped
from slim_core.errors import SpecRefusedError

if TYPE_CHECKING:
    from slim_core.store import Dataset, Privacy, Store
    from slim_core.store.removal import Removal

Named = Annotated[str, typer.Argument(metavar="DATA", help="Name or id of a data set; of a name, the newest version.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    data = typer.Typer(no_args_is_help=True, help="Rename, describe, share or remove a registered data set.")
    data.command("rename", epilog="Example: slim data rename birds waterbirds")(rename)
    data.command("describe", epilog='Example: slim data describe birds --note "95 % forest" --tag paper')(describe)
    data.command("share", epilog="Example: slim data share birds --private --with ann@lab.org --with lead")(share)
    data.command("remove", epilog="Example: slim data remove birds")(remove)
    app.add_typer(data, name="data")


def rename(data: Named, name: Annotated[str, typer.Argument(help="The new name; all versions take it.")]) -> None:
    """Give a data set another name. Its runs, campaigns and links stay as they are."""
    store, chosen = _chosen(data)
    store.notes.rename(chosen.id, name, by=BY)
    renamed = store.datasets.fetch(chosen.id).name
    console.print(f"[bold green]data set[/] {chosen.id} is now called [bold]{escaped(renamed)}[/]", soft_wrap=True)


def describe(
    data: Named,
    note: Annotated[str | None, typer.Option(help='Replaces the note; "" removes it.')] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Replaces the tags; may be given several times.")] = None,
    no_tags: Annotated[bool, typer.Option("--no-tags", help="Removes the tags.")] = False,
) -> None:
    """Replace the note or the tags of a data set; without options, print them."""
    if tag and no_tags:
        raise SpecRefusedError("--tag and --no-tags were given together: leave one out.")
    store, chosen = _chosen(data)
    tags = [] if no_tags else tag or None
    changes = note is not None or tags is not None
    found = store.notes.describe(chosen.id, text=note, tags=tags, by=BY) if changes else store.notes.fetch(chosen.id)
    tagged = f"  tags: {', '.join(map(escaped, found.tags))}" if found.tags else "  no tags"
    console.print(f"[bold]{escaped(chosen.name)}[/] {chosen.id}{tagged}", soft_wrap=True)
    console.print(escaped(found.text) or "no note", soft_wrap=True)


def share(
    data: Named,
    private: Annotated[
        bool | None,
        typer.Option("--private/--visible", help="Hide it from all but its owner, admins and --with; or from nobody."),
    ] = None,
    people: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="PERSON", help="E-mail, or annotator or lead: replaces who was named before."),
    ] = None,
    nobody: Annotated[bool, typer.Option("--with-nobody", help="Removes who was named before.")] = False,
) -> None:
    """Make a data set private, with its runs and campaigns, or visible to all; without options, print who sees it."""
    if people and nobody:
        raise SpecRefusedError("--with and --with-nobody were given together: leave one out.")
    store, chosen = _chosen(data)
    found = store.sharing.of(chosen.id)
    if private is not None or people or nobody:
        named = [] if nobody else people or None
        found = store.sharing.set(
            chosen.id, private=found.private if private is None else private, shared_with=named, by=BY
        )
    console.print(f"[bold]{escaped(chosen.name)}[/] {chosen.id}  {escaped(_who_sees(found))}", soft_wrap=True)


def _who_sees(privacy: Privacy) -> str:
    if not privacy.private:
        return "visible to all who sign in"
    return ", ".join([f"private: seen by {privacy.owner}", *privacy.shared_with, "admins"])


def remove(data: Named, yes: Yes = False) -> None:
    """Remove a data set with its runs and campaigns, after listing what goes. Your images stay where they are."""

    store = open_store_to_remove()
    if store.datasets.find(data) is None and store.datasets.removal_of(data) is not None:
        dataset = store.removals.remove(data, by=BY)  # again: the files that were left
        console.print(f"[bold green]removed[/] what was left of {escaped(dataset.name)} {dataset.id}", soft_wrap=True)
        return
    going = store.removals.preview(store.datasets.of(data).id)
    console.print(_sentences(going), soft_wrap=True)
    if not yes:
        confirm(f"Remove {going.dataset.name}?", refusal="Nothing was removed")
    store.removals.remove(going.dataset.id, by=BY)
    console.print(f"[bold green]removed[/] {escaped(going.dataset.name)} {going.dataset.id}", soft_wrap=True)


def _sentences(going: Removal) -> str:
    name, root = escaped(going.dataset.name), escaped(going.dataset.root)
    images = "The images that SLIM unpacked are deleted" if going.unpacks else f"The images in {root} stay"
    return f"Removing [bold]{name}[/] {going.dataset.id} also removes {escaped(going.in_words())}. {images}."


def _chosen(data: str) -> tuple[Store, Dataset]:

    store = open_store()
    return store, store.datasets.of(data)
