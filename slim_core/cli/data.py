"""slim demo-data, slim import, slim datasets."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from slim_core.cli.console import Json, Seed, console, table, write_json
from slim_core.errors import SpecRefusedError

if TYPE_CHECKING:
    from slim_core.data.report import ImportReport

COLOURS = {"error": "bold red", "warning": "yellow"}


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("demo-data", epilog="Example: slim demo-data demo --correlation 0.95 --classes 0,1,8")(demo_data)
    app.command("import", epilog="Example: slim import waterbirds-folder --json report.json")(import_folder)
    app.command("datasets", epilog="Example: slim datasets")(datasets)


def demo_data(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")],
    seed: Seed = 0,
    correlation: Annotated[float, typer.Option(help="Share of train in which label and photograph agree.")] = 0.9,
    train: Annotated[int, typer.Option(help="Images of train.")] = 2400,
    val: Annotated[int, typer.Option(help="Images of val.")] = 600,
    test: Annotated[int, typer.Option(help="Images of test.")] = 1200,
    classes: Annotated[str, typer.Option(help="Digits, joined by commas.")] = "0,1",
    size: Annotated[int, typer.Option(help="Side of an image in pixels.")] = 64,
) -> None:
    """Write the demo data set: handwritten digits on photographs, with masks. The same seed gives the same files."""
    from slim_core.cli.progress import counted
    from slim_core.data.sets.digits import DemoConfig, write_demo

    config = DemoConfig(
        seed=seed, correlation=correlation, train=train, val=val, test=test, classes=numbers(classes), size=size
    )
    with counted("Drawing the demo images") as progress:
        write_demo(folder, config, progress)
    console.print(f"{train + val + test} images in [bold]{escape(str(folder))}[/]", soft_wrap=True)
    data = typed(str(folder))
    told = f"next: [cyan]slim run --data {data}[/], or step by step: [cyan]slim train --data {data}[/]"
    console.print(told, soft_wrap=True)


def typed(word: str) -> str:
    """A word as it is typed in a shell, for the console."""
    return escape(quote(word))


def numbers(text: str) -> tuple[int, ...]:
    """ "0,1,2" as integers.

    Raises:
        SpecRefusedError: it is something else.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise SpecRefusedError(f"{text!r} is not a list of whole numbers: write them as 0,1,2.") from error


def import_folder(
    path: Annotated[Path, typer.Argument(help="A folder, or its CSV file.")],
    format: Annotated[
        str | None, typer.Option("--format", help="demo, waterbirds, celeba, csv; default: found.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the data set; default: the folder's.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="KEY=VALUE of the format, such as label=species.")
    ] = None,
    json_path: Json = None,
) -> None:
    """Check a folder of images and register it. Images stay where they are. Exits with 2 where it is refused."""
    from slim_core.cli.progress import counted
    from slim_core.data.importing import import_data
    from slim_core.store import Store

    with counted("Reading") as progress:
        imported = import_data(path.expanduser(), format=format, name=name, options=pairs(option), progress=progress)
    show_report(imported.report)
    write_json(json_path, imported.report.to_json())
    if not imported.report.ok:
        raise typer.Exit(2)
    dataset = Store.open().datasets.register(imported, by="local")
    console.print(f"[bold green]data set[/] [bold]{escape(dataset.name)}[/] {dataset.id}", soft_wrap=True)
    console.print(f"next: [cyan]slim train --data {typed(dataset.name)}[/]", soft_wrap=True)


def pairs(given: list[str] | None) -> dict[str, str]:
    """["label=species"] as a dict.

    Raises:
        SpecRefusedError: a part has no "=".
    """
    for part in given or ():
        if "=" not in part:
            raise SpecRefusedError(f"--option {part!r} has no '=': write KEY=VALUE, such as label=species.")
    return dict(part.split("=", 1) for part in given or ())


def show_report(report: ImportReport) -> None:
    """Print what an import found."""
    masks = f"{report.n_masks} with a mask or box" if report.n_masks else "no masks"
    console.print(f"{report.name}: {report.format}, {report.n_images} images, {masks}", soft_wrap=True)
    splits = [split for split in ("train", "val", "test") if report.splits.get(split)]
    counts = {(group["name"], group["split"]): group["n"] for group in report.groups}
    names = list(dict.fromkeys(group["name"] for group in report.groups))
    if names:
        rows = [[name, *(str(counts.get((name, split), 0)) for split in splits)] for name in names]
        table("Images per group", ["group", *splits], rows)
    for finding in report.findings:
        console.print(finding.message, style=COLOURS[finding.level], markup=False, soft_wrap=True)


def datasets() -> None:
    """List the registered data sets."""
    from slim_core.store import Store

    rows = [
        [dataset.name, dataset.id, dataset.format, str(dataset.n_images), str(dataset.n_classes), dataset.root]
        for dataset in Store.open().datasets.all()
    ]
    table("Data sets", ["name", "id", "format", "images", "classes", "folder"], rows)
