"""What every command prints with: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from slim_core import result_files
from slim_core.errors import SpecRefusedError
from slim_core.formatting import UNKNOWN

if TYPE_CHECKING:
    from datetime import datetime

    from slim_core.store import Run

STDOUT = Path("-")  # as the name of a file: standard output
PIPED_WIDTH = 240  # columns where the output is no terminal: room for the widest table

console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
errors = Console(stderr=True, highlight=False, markup=False)

Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
OfDataSet = Annotated[str | None, typer.Option("--data", help="Name or id of a data set; default: the newest.")]
OfCampaign = Annotated[str | None, typer.Option("--campaign", help="Id of a campaign; default: the newest.")]
Queued = Annotated[bool, typer.Option("--queue", help="Run on the workers, through the queue, not in this process.")]
Device = Annotated[
    str | None,
    typer.Option(help="Device: cpu, cuda, cuda:1. Default: the GPU where there is one. Not with --queue."),
]
Priority = Annotated[int, typer.Option(help="With --queue: higher goes first.")]
Yes = Annotated[bool, typer.Option("--yes", help="Skip the confirmation; required without a terminal.")]
Force = Annotated[bool, typer.Option("--force", help="Run again even if the same run is done.")]


def say(text: str, style: str | None = None) -> None:
    """A part of the result, with markup: names in it are ``escaped``. No line is broken, so that it can be piped."""
    console.print(text, style=style, soft_wrap=True)


def say_as_it_is(text: object, style: str | None = None) -> None:
    """As ``say``, of a sentence with names of people or files: without markup."""
    say(escaped(text), style)


def tell(text: object, style: str | None = None) -> None:
    """Text of ours, of people or of files beside the result, on stderr."""
    errors.print(visible(text), style=style, soft_wrap=True)


def warn(text: object) -> None:
    """As ``tell``: what the person should see to."""
    tell(text, "yellow")


def refuse(text: object) -> None:
    """As ``tell``: why it is not done."""
    tell(text, "bold red")


class ReportedInterrupt(KeyboardInterrupt):
    """Ctrl-C, after which a command has said what becomes of its work."""


def writable(path: Path | None) -> Path | None:
    """Of an option or argument: refuse a file that cannot be written, before the work whose result it is to hold.

    The path returned is the one to write: a shell leaves the "~" of --json=~/x.json as it is.

    Raises:
        SpecRefusedError: its folder is missing or not to be written, or it is a folder itself.
    """
    if path is None:
        return None
    full = Path(os.path.expanduser(path))
    if not _can_be_written(full):
        raise SpecRefusedError(f"{visible(path)} cannot be written: name a file in a folder that you may write to.")
    return full


def _can_be_written(path: Path) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return os.path.isdir(path.absolute().parent) and os.access(path.absolute().parent, os.W_OK)
    except (OSError, ValueError):  # a name of 5,000 letters, one with a NUL
        return False
    return not os.path.isdir(path) and os.access(path, os.W_OK)


def writable_text(path: Path | None) -> Path | None:
    """As ``writable``, where "-" is standard output: all else that the command prints then goes to stderr.

    Raises:
        SpecRefusedError: as of ``writable``, or another result goes to standard output already.
    """
    if path != STDOUT:
        return writable(path)
    if console.stderr:
        raise SpecRefusedError("Standard output (-) takes one result: name a file for the other.")
    console.stderr = True
    if sys.stderr.isatty():
        console.width = errors.width
    return path


Json = Annotated[
    Path | None,
    typer.Option("--json", callback=writable_text, help="Also write the result to this file as JSON; - is stdout."),
]


def require_different(*paths: Path | None) -> None:
    """Refuse one file for two results, of which the later would take the place of the other.

    Raises:
        SpecRefusedError: two of the files are one.
    """
    files = [path.resolve() for path in paths if path is not None and path != STDOUT]
    doubled = next((file for file in files if files.count(file) > 1), None)
    if doubled is not None:
        raise SpecRefusedError(f"{visible(doubled)} is to hold two results: name a file for each.")


def visible(text: object) -> str:
    """Text of people or files for the terminal: letters that would steer it, such as ESC, are written as \\x1b."""
    return "".join(one if _is_visible(one) else ascii(one)[1:-1] for one in str(text))


def _is_visible(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"  # spaces of all kinds


def escaped(text: object) -> str:
    """``visible`` text that stands beside markup of ours."""
    return escape(visible(text))


def confirm(question: str, refusal: str) -> None:
    """Ask a person whether to do what cannot be undone.

    Args:
        question: to be answered by y or n.
        refusal: what is said where it is not done, such as "Nothing was removed".

    Raises:
        SpecRefusedError: the answer is no, or nobody can be asked.
    """
    if not sys.stdin.isatty():
        raise SpecRefusedError(f"{refusal}, since nobody can be asked here: add --yes.")
    if not typer.confirm(question):
        raise SpecRefusedError(f"{refusal}.")


def done(run: Run, then: str = "") -> None:
    """Say which run there is now, what it found and what it could not do, and the next command."""
    from slim_core.evaluation.headlines import headlines

    for note in (run.metrics or {}).get("report", {}).get("notes", ()):
        warn(note)
    found = "".join(f" · {one.title} {text}" for one, text in headlines(run))
    say(f"[bold green]{run.kind}[/] [bold]{run.id}[/]{found}")
    if then:
        say(f"next: [cyan]{then}[/]")


def clock(moment: datetime) -> str:
    """Day and time by the clock of this machine, to the minute."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def shown(value: Any) -> str:
    """A cell of a table: short numbers, a dash where there is none."""
    if value is None or (isinstance(value, float) and value != value):
        return UNKNOWN
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def write_json(path: Path | None, value: Any) -> None:
    """Write a result where asked to.

    Raises:
        SpecRefusedError: the file cannot be written.
    """
    if path is not None:
        write_text(path, json.dumps(value, indent=1) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file that was asked for, and say so; or to standard output, and say nothing.

    Raises:
        SpecRefusedError: it cannot be written.
    """
    if path == STDOUT:
        sys.stdout.write(text)
        return
    result_files.write_text(path, text)
    tell(f"written to {visible(path)}")
