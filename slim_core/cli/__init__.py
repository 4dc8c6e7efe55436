"""The command line ``slim``: its entry. The commands are wired in wiring.py, which takes a second to import."""

from __future__ import annotations

import sys
from collections.abc import Sequence

INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line (wiring.run); Ctrl-C is answered in a line from the first moment on."""
    try:
        from slim_core.cli.wiring import run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted before anything was done: the same command can be given again.\n")
        sys.exit(INTERRUPTED)
    run(arguments)
