"""The command line ``slim``: its entry. The commands are wired in wiring.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn

from slim_core.cli.kit.interrupt import NOTHING_WAS_DONE, WHATEVER_WAS_DONE, ctrl_c_is_interrupt

INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (wiring.run); Ctrl-C is answered in a line from the first moment on."""
    with ctrl_c_is_interrupt():
        try:
            from slim_core.cli.wiring import run
        except KeyboardInterrupt:
            _end(NOTHING_WAS_DONE)
        try:
            run(arguments)
        except KeyboardInterrupt:  # while typer puts the commands together, or as the refusal of one is printed
            _end(WHATEVER_WAS_DONE)


def _end(line: str) -> NoReturn:
    sys.stderr.write(f"{line}\n")
    sys.exit(INTERRUPTED)
