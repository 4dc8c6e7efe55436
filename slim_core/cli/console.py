"""What every command prints with: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slim_core.errors import SpecRefusedError

if TYPE_CHECKING:
    from slim_core.store import Run

PIPED_WIDTH = 140  # columns where the output is no terminal

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True, highlight=False)

Seed = Annotated[int, typer.Option(help="Everything random follows from it.")]
Queued = Annotated[bool, typer.Option("--queue", help="Through the workers behind the queue, not in this process.")]
Device = Annotated[
    str | None,
    typer.Option(help="Of torch: cpu, cuda, cuda:1. Default: the GPU where there is one. With --queue: of the worker."),
]
Priority = Annotated[int, typer.Option(help="With --queue: higher goes first.")]
Force = Annotated[bool, typer.Option("--force", help="Run it again although the same run is done.")]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the result to this file as JSON.")]


def done(run: Run, then: str = "") -> None:
    """Say which run there is now, what it found and what it could not do, and the next command."""
    for note in (run.metrics or {}).get("report", {}).get("notes", ()):
        errors.print(note, style="yellow", markup=False, soft_wrap=True)
    console.print(f"[bold green]{run.kind}[/] [bold]{run.id}[/]  {_short(run)}", soft_wrap=True)
    if then:
        console.print(f"next: [cyan]{then}[/]", soft_wrap=True)


def _short(run: Run) -> str:
    numbers = {key: value for key, value in (run.metrics or {}).items() if isinstance(value, int | float | str)}
    return "  ".join(f"{key} {shown(value)}" for key, value in numbers.items())


def shown(value: Any) -> str:
    """A cell of a table: short numbers, a dash where there is none."""
    if value is None or (isinstance(value, float) and value != value):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def in_percent(value: float | None) -> str:
    """A rate in percent with one decimal; a dash where there is none."""
    return "-" if value is None or value != value else f"{100 * value:.1f}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, numbers to the right."""
    drawn = Table(title=escape(title), title_justify="left")
    for number, name in enumerate(columns):
        drawn.add_column(escape(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*map(escape, row))
    console.print(drawn)


def write_json(path: Path | None, value: Any) -> None:
    """Write a result where asked to.

    Raises:
        SpecRefusedError: the file cannot be written.
    """
    if path is None:
        return
    try:
        path.write_text(json.dumps(value, indent=1) + "\n")
    except OSError as error:
        raise SpecRefusedError(f"{path} cannot be written ({error.strerror}): name another file.") from error
    errors.print(f"written to {path}", soft_wrap=True)
