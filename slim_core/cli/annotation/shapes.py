"""slim shapes: drawn shapes to a file of COCO, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import BY
from slim_core.cli.kit.console import console, escaped
from slim_core.formatting import counted

if TYPE_CHECKING:
    from slim_core.store import Dataset, Store

Of = Annotated[str | None, typer.Option("--data", help="Name or id of a data set; default: the newest.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    shapes = typer.Typer(no_args_is_help=True, help="Shapes drawn on images, in COCO format.")
    shapes.command("export", epilog="Example: slim shapes export drawn.json --data birds")(export)
    shapes.command("import", epilog="Example: slim shapes import drawn.json --data birds")(take)
    shapes.command("carry", epilog="Example: slim shapes carry --data birds")(carry)
    app.add_typer(shapes, name="shapes")


def export(
    file: Annotated[Path, typer.Argument(help="A new file.")],
    data: Of = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
) -> None:
    """Write what is drawn now: polygons in pixels, which `slim import` and other tools read as masks."""
    from slim_core.annotation import shape_files

    store, dataset = _chosen(data)
    n = shape_files.write(store, dataset, file, overwrite=overwrite)
    console.print(
        f"[bold green]{n:,} drawn images[/] of {escaped(dataset.name)} written to {escaped(file)}", soft_wrap=True
    )


def take(file: Annotated[Path, typer.Argument(help="A COCO file with polygons.")], data: Of = None) -> None:
    """Draw what a file holds, on the images of a data set that have the same paths."""
    from slim_core.annotation import shape_files

    store, dataset = _chosen(data)
    taken = shape_files.read(store, dataset, file, by=BY)
    same = f", {taken.n_same:,} were already stored" if taken.n_same else ""
    new = counted(taken.n_new, "image")
    console.print(f"[bold green]{new}[/] of {escaped(dataset.name)} drawn on{same}", soft_wrap=True)
    commands = [f"[cyan]slim {command} --data {dataset.id}[/]" for command in ("gradcam", "evaluate")]
    console.print(f"next: {' and '.join(commands)} score the attention on them", soft_wrap=True)


def carry(data: Of = None) -> None:
    """Carry over what was drawn on older versions of a data set after the newest was registered."""
    store, dataset = _chosen(data)
    n = store.later_drawings.bring(dataset.id, by=BY)
    console.print(f"[bold green]{counted(n, 'image')}[/] of {escaped(dataset.name)} drawn on", soft_wrap=True)


def _chosen(data: str | None) -> tuple[Store, Dataset]:
    from slim_core.runs.executor import open_workbench
    from slim_core.runs.resolve import newest_data_set

    at = open_workbench()
    return at.store, newest_data_set(at) if data is None else at.store.datasets.of(data)
