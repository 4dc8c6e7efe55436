"""The commands of ``slim``: this file only wires. Each command is in the room of its part of the loop."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from slim_core import removed
from slim_core.cli import answers, data_sets, home, loop, runs, steps
from slim_core.cli.kit.console import ReportedInterrupt, console, refuse, tell
from slim_core.cli.kit.interrupt import WHATEVER_WAS_DONE
from slim_core.cli.kit.options import Later
from slim_core.errors import SettingRefusedError, SlimError, SpecRefusedError, is_full_disk
from slim_core.settings import NO_DIRECTORY


class Commands(TyperGroup):
    """All commands. After Ctrl-C, each says what becomes of its work; where none does, that nothing is half done:
    files are written whole or not at all, and what is said to the database is one transaction.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that was named; one that was removed is refused with what serves instead."""
        if args and args[0] not in self.commands and (served := removed.COMMANDS.get(args[0])):
            raise SpecRefusedError(f"slim {args[0]} was removed. {served}")
        name, command, rest = super().resolve_command(ctx, args)
        command = command.whole if isinstance(command, Later) else command
        known = {flag for each in getattr(command, "params", ()) for flag in (*each.opts, *each.secondary_opts)}
        for flag in (word.partition("=")[0] for word in rest if word.startswith("--")):
            served = removed.TRAINING.get(flag.removeprefix("--").removeprefix("no-").replace("-", "_"))
            if served and flag not in known:
                raise SpecRefusedError(f"The option {flag} was removed. {served}")
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:  # of click, or of the copy of it in newer typer
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except ReportedInterrupt:
            raise
        except KeyboardInterrupt:
            tell(WHATEVER_WAS_DONE)
            raise


app = typer.Typer(
    name="slim",
    cls=Commands,
    help="Find the shortcuts of an image classifier, say for a few images whether it looks at the right "
    "thing, and get a more robust model.\n\n"
    "The loop: slim import DIR --register, slim train, slim gradcam, slim space, slim candidates, slim answer, "
    "slim curate, slim train --subset latest, slim evaluate, slim compare. Or all of it: slim run --data DIR.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
parts = (data_sets, steps, answers, loop, runs, home)  # in the order of the help
for part in parts:
    part.add_to(app)

REFUSED = 2  # exit code of everything a user can mend


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; what a user can mend becomes a sentence on stderr and exit code 2.

    That is a SlimError, a disk that is full, or a working directory that was deleted.
    """
    _warn_on_stderr()
    _escape_on_stdout()
    try:
        app(args=None if arguments is None else list(arguments))
    except SlimError as error:
        _refuse(error)
    except OSError as error:
        if _is_without_directory():
            _refuse(SettingRefusedError(NO_DIRECTORY))
        if not is_full_disk(error) and error.errno != errno.EROFS:
            raise
        from slim_core.store.database import disk_error

        _refuse(disk_error(error))
    finally:
        console.stderr = False  # what the same process prints next has its own result


def _is_without_directory() -> bool:
    """Whether the working directory was deleted: no relative path means anything then."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _refuse(error: SlimError) -> NoReturn:
    refuse(error)
    _give_up_stdout_if_full()
    sys.exit(REFUSED)


def _give_up_stdout_if_full() -> None:
    """What standard output could not take is dropped: Python would try again as it ends, and end with 120."""
    try:
        sys.stdout.flush()
    except OSError:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _warn_on_stderr() -> None:
    """Warnings are shown, and at once; a run's own log goes to its log.txt."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    # A step that failed logs why, with its traceback where nobody expected it; the command says the sentence itself.
    handler.addFilter(lambda record: record.name != "slim_core.runs.execute" or record.levelno < logging.ERROR)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler])


def _escape_on_stdout() -> None:
    """What the encoding of the locale lacks is written as \\u2013, as on stderr: no command fails where it prints."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
