"""The log of a run, read from its end; and where it is, where it is not here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from slim_core.store.runs.rows import Run

_BLOCK = 64 * 1024  # bytes read at once, from the end backwards
_LARGEST = 4 * 1024 * 1024  # bytes that are looked through at most, so that nobody ever reads a huge file


@dataclass(frozen=True)
class Tail:
    """The last lines of a file. ``whole``: there are no others."""

    text: str
    whole: bool


def tail(path: Path, lines: int) -> Tail:
    """The last ``lines`` lines of a text file, read from its end: a log of gigabytes costs as little as a short one."""
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        begin_at = max(0, position - _LARGEST)
        found = b""
        while position > begin_at and found.count(b"\n") <= lines:
            size = min(_BLOCK, position - begin_at)
            position -= size
            file.seek(position)
            found = file.read(size) + found
    found_lines = found.splitlines(keepends=True)
    text = b"".join(found_lines[-lines:]).decode(errors="replace")
    return Tail(text, whole=position == 0 and len(found_lines) <= lines)


def why_missing(run: Run) -> str:
    """Why there is no log of a run on this machine, in a sentence."""
    if run.attempt == 0:
        return "There is no log: the run has not started."
    if run.ended:
        return "There is no log. Its files were removed, or are on the machine of its worker."
    return "The log is on the machine of its worker until the run ends."
