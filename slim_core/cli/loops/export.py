"""slim export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slim_core.cli.kit.bench import bench_to_read
from slim_core.cli.kit.console import console, escaped

if TYPE_CHECKING:
    from slim_core.runs.executor import Workbench

LATEST = "latest"


def add_to(app: typer.Typer) -> None:
    """Register the command; its help lists every form."""
    from slim_core.export.registry import FORMS

    listed = "\n\n".join(f"{form.name}, of {' or '.join(form.of)}: {form.title}" for form in FORMS.values())
    example = "Example: slim export latest subset-csv subset --overwrite"
    app.command("export", epilog=f"{listed}\n\n{example}")(export)


def export(
    of: Annotated[str, typer.Argument(metavar="RUN", help='Id of a finished run or a campaign, or "latest".')],
    form: Annotated[str, typer.Argument(help="The form to write, one of those listed below.")],
    folder: Annotated[Path, typer.Argument(help="The new folder to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier export in this folder.")] = False,
) -> None:
    """Export a subset, answers, maps, features, a model or its card, in a form that another tool opens."""
    from slim_core.cli.kit.progress import progress_bar
    from slim_core.export.registry import form_named
    from slim_core.export.writing import export as write

    at, chosen = bench_to_read(), form_named(form)
    source = _newest(at, chosen.of) if of == LATEST else of
    with progress_bar("Exporting") as progress:
        target = write(
            at.store, source, form, folder, overwrite=overwrite, on_progress=lambda done, n: progress(done, n, "")
        )
        progress(1, 1, "")  # also of a form that is written in one go
    console.print(f"[bold green]{form}[/] of [bold]{source}[/] written to {escaped(target)}", soft_wrap=True)
    console.print(f"opens in: {escaped(chosen.opens_in)}", soft_wrap=True)


def _newest(at: Workbench, kinds: tuple[str, ...]) -> str:
    """Id of the newest that has the form."""
    from slim_core.export.form import CAMPAIGN
    from slim_core.runs.resolve import newest_campaign, newest_run

    return newest_campaign(at).id if CAMPAIGN in kinds else newest_run(at, kinds).id
